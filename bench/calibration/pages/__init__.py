"""What the pages of the calibration say of each subject, from its table alone."""
