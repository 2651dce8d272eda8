"""Gaussians with a parameter that gives them any KL to N(0, I), as posteriors or nearly so.

Their rate is near 2 nats, so that the upper end can be read and "yes" is possible.
"""

import math
from collections.abc import Callable

import torch
from scipy import optimize
from torch import Tensor

from bench.calibration.answers.matches import readable_scale
from bench.calibration.samples import normal
from vaelib.worlds.world import World, log_normal

__all__ = ["INSIDE", "correlated", "narrow", "one_wide_axis", "shifted", "solved", "wide"]

INSIDE = 0.9
"""Most of a standard deviation that a posterior takes."""


def solved(kl: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Solve for the parameter that gives a KL.

    Args:
        kl: maps the parameter to the KL in nats, monotone.
        target: the KL.
        low: lower end of where the parameter lies.
        high: upper end.

    Returns:
        The parameter.
    """
    return float(optimize.brentq(lambda x: kl(x) - target, low, high, xtol=1e-13, rtol=1e-13))


def _gaussian(variance: Tensor, shift: float = 0.0) -> World:
    """Independent dimensions N(shift, variance) as posteriors."""
    dimensions = len(variance)
    scale = (INSIDE * variance.sqrt()).clamp_max(readable_scale(dimensions))

    def encode(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        spread = (variance - scale.square()).sqrt()
        return shift + spread * normal(n, dimensions, generator), scale.repeat(n, 1)

    def log_ratio(z: Tensor) -> Tensor:
        return torch.as_tensor(log_normal(z, shift, variance) - log_normal(z)).sum(1)

    def exact() -> float:
        return float(0.5 * (variance + shift**2 - 1 - variance.log()).sum())

    return World("gaussian", dimensions, exact, log_ratio, encode=encode)


def _kl_of_variance(variance: float) -> float:
    return 0.5 * (variance - 1 - math.log(variance))


def wide(dimensions: int, kl: float) -> World:
    """N(0, vI), v > 1."""
    variance = solved(_kl_of_variance, kl / dimensions, 1, 100)
    return _gaussian(torch.full((dimensions,), variance, dtype=torch.float64))


def narrow(dimensions: int, kl: float) -> World:
    """N(0, vI), v < 1."""
    variance = solved(_kl_of_variance, kl / dimensions, 1e-6, 1)
    return _gaussian(torch.full((dimensions,), variance, dtype=torch.float64))


def shifted(dimensions: int, kl: float) -> World:
    """N(m, I), every dimension shifted alike."""
    return _gaussian(torch.ones(dimensions, dtype=torch.float64), math.sqrt(2 * kl / dimensions))


def one_wide_axis(dimensions: int, kl: float) -> World:
    """N(0, I) but for the variance of the first axis."""
    variance = torch.ones(dimensions, dtype=torch.float64)
    variance[0] = solved(_kl_of_variance, kl, 1, 100)
    return _gaussian(variance)


def correlated(dimensions: int, kl: float) -> World:
    """Every correlation the same, so that one eigenvalue is large."""

    def loss(rho: float) -> float:
        return -0.5 * ((dimensions - 1) * math.log1p(-rho) + math.log1p((dimensions - 1) * rho))

    rho = solved(loss, kl, 0, 1 - 1e-9)
    covariance = torch.full((dimensions, dimensions), rho, dtype=torch.float64).fill_diagonal_(1)
    values, vectors = torch.linalg.eigh(covariance)
    scale = min(readable_scale(dimensions), INSIDE * math.sqrt(1 - rho))

    def encode(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        mean = normal(n, dimensions, generator) * (values - scale**2).sqrt() @ vectors.T
        return mean, torch.full_like(mean, scale)

    def log_ratio(z: Tensor) -> Tensor:
        axes = z @ vectors
        return torch.as_tensor(log_normal(axes, 0, values) - log_normal(axes)).sum(1)

    return World("correlated", dimensions, lambda: loss(rho), log_ratio, encode=encode)
