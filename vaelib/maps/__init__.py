"""Latents that are maps or sequences: how positions hang together, and how to scale them."""
