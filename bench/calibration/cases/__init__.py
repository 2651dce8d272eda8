"""Estimators and what they should give: each case has a setting, an oracle and a promise."""
