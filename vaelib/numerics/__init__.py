"""Sums, products and exponentials that are fast and exact enough."""
