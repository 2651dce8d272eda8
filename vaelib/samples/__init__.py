"""Where images are sampled from, and how good they are."""
