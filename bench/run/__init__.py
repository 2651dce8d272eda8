"""From a matrix to records: planning, running, storing."""
