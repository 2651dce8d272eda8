"""Samples of N(0, I) and of alternatives to it; each maps (n, D, generator) to (n, D)."""

import math

import torch


def normal(n, dimensions, generator):
    return torch.randn(n, dimensions, generator=generator, dtype=torch.float64)


def scaled(n, dimensions, generator):
    return 1.1 * normal(n, dimensions, generator)


def doubled_variance(n, dimensions, generator):
    return math.sqrt(2) * normal(n, dimensions, generator)


def shifted(n, dimensions, generator):
    return normal(n, dimensions, generator) + 0.1


def correlated(n, dimensions, generator):
    covariance = torch.full((dimensions, dimensions), 0.1, dtype=torch.float64)
    factor = torch.linalg.cholesky(covariance.fill_diagonal_(1))
    return normal(n, dimensions, generator) @ factor.T


def quilt(n, dimensions, generator, spread=0.5):
    """Ten Gaussians of one size with overall mean 0 and covariance I: only the shape is wrong."""
    centers = normal(10, dimensions, torch.Generator().manual_seed(0))
    centers = torch.linalg.qr(centers - centers.mean(0)).Q * math.sqrt(10 * (1 - spread**2))
    labels = torch.randint(10, (n,), generator=generator)
    return centers[labels] + spread * normal(n, dimensions, generator)
