"""Files in which people keep latents: what each holds and announces, and what of it is read."""
