"""Models of other libraries: what they are given, what they return, and what it says of q(z|x)."""
