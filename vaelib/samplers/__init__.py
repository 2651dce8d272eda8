"""The density to sample from instead of the prior, as a file: fitted, written, read."""
