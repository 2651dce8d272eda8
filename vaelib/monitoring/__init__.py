"""The match of q and p, watched while a VAE trains."""
