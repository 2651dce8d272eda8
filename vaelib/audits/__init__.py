"""From posteriors to measurements, and from measurements to answers."""
