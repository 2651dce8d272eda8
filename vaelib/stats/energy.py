"""Energy distance: 2 E|x - y| - E|x - x'| - E|y - y'|, zero only for equal distributions.

It is the squared MMD of the kernel -|x - y|, which has no bandwidth.
For Y ~ N(0, I) the expected distance to a point is known (noncentral chi):

    E|a - Y| = c_D · ₁F₁(-½; D/2; -|a|²/2),    c_D = √2 Γ((D+1)/2) / Γ(D/2),    E|Y - Y'| = √2 c_D

References:
    Székely and Rizzo (2005), A new test for multivariate normality, J. Multivariate Analysis 93.
    Székely and Rizzo (2013), Energy statistics, J. Statistical Planning and Inference 143.
"""

from __future__ import annotations

import math

import torch
from scipy.special import hyp1f1
from torch import Tensor

from vaelib.numerics.pairs import Sample
from vaelib.stats.checks import as_pair, as_points, as_sample
from vaelib.stats.kernels import Kernel, kernel_sums

__all__ = ["distance_to_normal", "energy_distance", "energy_distance_normal"]


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """Energy distance of two samples, as of two distributions on their points.

    Args:
        x: Points, shape (..., n, D), n >= 2.
        y: Points, shape (..., m, D), m >= 2.

    Returns:
        The energy distance in the unit of the points, shape (...): never negative; 0, up to 1e-8 of
        their spread, when the samples are equal.
    """
    x, y = as_pair(x, y)
    cross, within = _mean_distance(x, y), _mean_distance(x) + _mean_distance(y)
    return (2 * cross - within).clamp_(min=0)


def energy_distance_normal(z: Tensor | Sample) -> Tensor:
    """Energy distance of points to N(0, I): the points as a sample, the normal exactly.

    Args:
        z: Points, shape (..., n, D), n >= 2, or a sample of them.

    Returns:
        The energy distance in the unit of the points, shape (...), never negative.
    """
    sample = as_sample(z)
    return (
        2 * distance_to_normal(sample.points).mean(-1)
        - _mean_distance(sample)
        - math.sqrt(2) * _mean_norm(sample.points.shape[-1])
    ).clamp_(min=0)


def distance_to_normal(z: Tensor) -> Tensor:
    """Expected distance E|z_i - Y| of each point to Y ~ N(0, I).

    Args:
        z: Points, shape (..., n, D).

    Returns:
        Expected distances in the unit of the points, shape (..., n).
    """
    z = as_points(z, rows=1)
    dimensions, norm = z.shape[-1], z.square().sum(-1)
    if dimensions > 64:
        return _distance_by_quadrature(norm, dimensions)
    return torch.from_numpy(
        _mean_norm(dimensions) * hyp1f1(-0.5, dimensions / 2, -norm.numpy() / 2)
    )


def _mean_norm(dimensions: int) -> float:
    """c_D = E|Y| for Y ~ N(0, I)."""
    return math.sqrt(2) * math.exp(math.lgamma((dimensions + 1) / 2) - math.lgamma(dimensions / 2))


def _distance_by_quadrature(norm: Tensor, dimensions: int) -> Tensor:
    """E|a - Y| for large D, where SciPy's ₁F₁ overflows, from squared norms |a|² of any shape.

    With V = |a - Y|², so that E V = D + |a|², and √v = (2√π)⁻¹ ∫ (1 - exp(-t v)) t^(-3/2) dt:

        E √V = √(E V) (1 + π^(-½) ∫ (exp(-e^(2u)) - E exp(-t V)) e^(-u) du),    t = e^(2u) / E V

    The integrand is analytic and vanishes fast on both sides, so that the trapezoidal rule is
    exact to about 13 digits.

    Returns:
        Expected distances, the shape of ``norm``.
    """
    step, mean = 0.125, norm + dimensions
    total = torch.zeros_like(norm)
    for k in range(-72, 32):
        u = k * step
        t = math.exp(2 * u) / mean
        log_laplace = -0.5 * dimensions * torch.log1p(2 * t) - norm * t / (1 + 2 * t)
        total += (math.exp(-math.exp(2 * u)) - log_laplace.exp()) * math.exp(-u)
    return mean.sqrt() * (1 + total * (step / math.sqrt(math.pi)))


def _mean_distance(x: Tensor | Sample, y: Tensor | None = None) -> Tensor:
    """Mean distance over all ordered pairs, equal ones included, shape (...)."""
    distance: Kernel = lambda squared, _: squared.sqrt()  # noqa: E731
    points = x.points if isinstance(x, Sample) else x
    pairs = points.shape[-2] * (points if y is None else y).shape[-2]
    return kernel_sums(distance, [1.0], x, y)[..., 0] / pairs
