"""Samples that are N(0, I), samples that are not, and encoders whose population is N(0, I)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vaelib.posterior import AggregatePosterior
from vaelib.seeding import stream

__all__ = ["ALTERNATIVES", "DESCRIPTIONS", "Sampler", "matched_encoder", "normal"]

Sampler = Callable[[int, int, torch.Generator], Tensor]
"""Number of rows n, dimension D and a stream in, points of shape (n, D) out."""

_PATCHES = 10
_SPREAD = 0.5  # scale of one patch of the quilt


def normal(n: int, dimensions: int, generator: torch.Generator) -> Tensor:
    """Draws of N(0, I), shape (n, D)."""
    return torch.randn(n, dimensions, generator=generator, dtype=torch.float64)


def _scaled(n: int, dimensions: int, generator: torch.Generator) -> Tensor:
    return 1.1 * normal(n, dimensions, generator)


def _doubled(n: int, dimensions: int, generator: torch.Generator) -> Tensor:
    return math.sqrt(2) * normal(n, dimensions, generator)


def _shifted(n: int, dimensions: int, generator: torch.Generator) -> Tensor:
    return normal(n, dimensions, generator) + 0.1


def _correlated(n: int, dimensions: int, generator: torch.Generator) -> Tensor:
    covariance = torch.full((dimensions, dimensions), 0.1, dtype=torch.float64).fill_diagonal_(1)
    factor: Tensor = torch.linalg.cholesky(covariance)
    return normal(n, dimensions, generator) @ factor.T


def _quilt(n: int, dimensions: int, generator: torch.Generator) -> Tensor:
    centres = normal(_PATCHES, dimensions, stream("quilt", dimensions))
    centres = torch.linalg.svd(centres - centres.mean(0), full_matrices=False).U
    rank = min(_PATCHES - 1, dimensions)  # of centred centres; further dimensions are normal
    centres = centres[:, :rank] * math.sqrt(_PATCHES * (1 - _SPREAD**2))
    labels = torch.randint(_PATCHES, (n,), generator=generator)
    z = _SPREAD * normal(n, dimensions, generator)
    z[:, :rank] += centres[labels]
    z[:, rank:] /= _SPREAD
    return z


def _ring(n: int, dimensions: int, generator: torch.Generator) -> Tensor:
    z = normal(n, dimensions, generator)
    angle = 2 * math.pi * torch.rand(n, generator=generator, dtype=torch.float64)
    circle = math.sqrt(2 * (1 - 0.6**2)) * torch.stack([angle.cos(), angle.sin()], 1)
    z[:, :2] = circle + 0.6 * z[:, :2]
    return z


def matched_encoder(
    count: int, dimensions: int, scale: float, generator: torch.Generator
) -> AggregatePosterior:
    """Means N(0, 1 - scale²): the population of the aggregate posterior is exactly N(0, I).

    Args:
        count: N.
        dimensions: D.
        scale: Of every posterior in every dimension, at most 1.
        generator: Random stream.

    Returns:
        The aggregate posterior of N inputs.
    """
    mean = math.sqrt(1 - scale**2) * normal(count, dimensions, generator)
    return AggregatePosterior(mean, torch.full_like(mean, scale))


ALTERNATIVES: dict[str, Sampler] = {
    "scale 1.1": _scaled,
    "N(0, 2I)": _doubled,
    "shift .1": _shifted,
    "correlation .1": _correlated,
    "quilt": _quilt,
    "ring": _ring,
}

DESCRIPTIONS = {
    "scale 1.1": "N(0, 1.21 I)",
    "N(0, 2I)": "the thread's guess",
    "shift .1": "mean .1 in every dimension",
    "correlation .1": "variance 1, all correlations .1",
    "quilt": "ten Gaussians of scale .5; overall mean 0 and covariance I",
    "ring": "noise of scale .6 around a circle in two dimensions; overall mean 0 and covariance I",
}
