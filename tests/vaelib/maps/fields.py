"""Maps whose correlations are known."""

import math

import torch


def field(n, rho=0.0, places=(4, 4), channels=2, seed=0):
    """Maps of N(0, 1) at each place, neighbours along each axis correlated by rho."""
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(n, *places, channels, generator=g, dtype=torch.float64)
    for axis in range(1, z.dim() - 1):
        rows = list(z.unbind(axis))
        for i in range(1, len(rows)):
            rows[i] = rho * rows[i - 1] + math.sqrt(1 - rho**2) * rows[i]
        z = torch.stack(rows, axis)
    return z
