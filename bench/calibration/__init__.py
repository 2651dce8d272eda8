"""The suite's own calibration: estimators, levels, intervals, error rates."""
