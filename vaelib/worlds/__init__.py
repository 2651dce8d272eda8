"""Laws of z whose KL from N(0, I) is known."""
