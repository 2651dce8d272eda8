"""Estimators and tests: pure functions of tensors."""
