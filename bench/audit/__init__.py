"""A user's own posterior: read, measured, answered."""
