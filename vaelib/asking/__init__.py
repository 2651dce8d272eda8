"""What is asked from Python: in any form, on the fastest threads, watched, answered by a report."""
