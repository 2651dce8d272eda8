"""How often the answer is wrong: laws whose KL is known, audits of them, and what is counted."""
