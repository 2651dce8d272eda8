"""The certified mismatch: densities fitted to latents, stacked, and what they prove of KL(q‖p)."""
