"""Families of worlds: Gaussians, posteriors of one scale, radii, dimensions of their own law."""

from collections.abc import Callable, Sequence
from math import lgamma, log

import torch
from torch import Tensor

from vaelib.worlds.world import World, kl_covariance, kl_line, log_normal, normal

__all__ = ["gaussian", "log_chi", "of_posteriors", "on_axes", "radial", "variance_for"]


def gaussian(
    name: str, covariance: Tensor, exact: Callable[[], float] | None = None, breaks: str = ""
) -> World:
    """N(0, covariance); the ratio by its eigenvectors, the KL by its determinant."""
    values: Tensor
    vectors: Tensor
    values, vectors = torch.linalg.eigh(covariance)

    def points(n: int, generator: torch.Generator) -> Tensor:
        return normal(n, len(values), generator) * values.sqrt() @ vectors.T

    def log_ratio(z: Tensor) -> Tensor:
        axes = z @ vectors
        return (log_normal(axes, 0, values) - log_normal(axes)).sum(1)

    exact = exact or (lambda: kl_covariance(covariance))
    return World(name, len(values), exact, log_ratio, points, breaks=breaks)


def of_posteriors(
    name: str,
    dimensions: int,
    mean_variance: Tensor | float,
    scale: Tensor | float,
    breaks: str = "",
) -> World:
    """Means N(0, b) and scales s: N(0, b + s²) per dimension, each b and s a number or (D,)."""
    spread = torch.as_tensor(mean_variance, dtype=torch.float64).expand(dimensions)
    width = torch.as_tensor(scale, dtype=torch.float64).expand(dimensions)
    variance = spread + width**2

    def encode(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return normal(n, dimensions, generator) * spread.sqrt(), width.repeat(n, 1)

    def log_ratio(z: Tensor) -> Tensor:
        return (log_normal(z, 0, variance) - log_normal(z)).sum(1)

    def exact() -> float:
        return float(0.5 * (variance - 1 - variance.log()).sum())

    return World(name, dimensions, exact, log_ratio, encode=encode, breaks=breaks)


def variance_for(kl: float, dimensions: int) -> float:
    """The v > 1 for which N(0, vI) has that KL in nats."""
    from scipy import optimize

    def beyond(v: float) -> float:
        return dimensions / 2 * (v - 1 - log(v)) - kl

    return float(optimize.brentq(beyond, 1, 100, xtol=1e-14))


def log_chi(r: Tensor, dimensions: int) -> Tensor:
    """Log density of |z| under N(0, I)."""
    constant = (dimensions / 2 - 1) * log(2) + lgamma(dimensions / 2)
    return (dimensions - 1) * r.log() - 0.5 * r.square() - constant


def radial(
    name: str,
    dimensions: int,
    weights: Sequence[float],
    centres: Sequence[float],
    widths: Sequence[float],
    breaks: str = "",
) -> World:
    """A uniform direction and a radius from a mixture of normals that are far from 0."""
    share, centre, width = (
        torch.tensor(v, dtype=torch.float64) for v in (weights, centres, widths)
    )

    def log_density(r: Tensor) -> Tensor:
        return (log_normal(r[:, None], centre, width**2) + share.log()).logsumexp(1)

    def points(n: int, generator: torch.Generator) -> Tensor:
        z = normal(n, dimensions, generator)
        k = torch.multinomial(share, n, replacement=True, generator=generator)
        r = centre[k] + width[k] * torch.randn(n, generator=generator, dtype=torch.float64)
        direction: Tensor = z / z.norm(dim=1, keepdim=True)
        return direction * r[:, None]

    def log_ratio(z: Tensor) -> Tensor:
        r = z.norm(dim=1)
        return log_density(r) - log_chi(r, dimensions)

    def exact() -> float:
        r = torch.linspace(1e-6, float((centre + 12 * width).max()), 400_001).double()
        logs = log_density(r)
        return float(torch.trapezoid(logs.exp() * (logs - log_chi(r, dimensions)), r))

    return World(name, dimensions, exact, log_ratio, points, known_by="quadrature", breaks=breaks)


def on_axes(
    name: str,
    dimensions: int,
    axes: int,
    log_density: Callable[[Tensor], Tensor],
    line_points: Callable[[int, torch.Generator], Tensor],
    edges: tuple[float, float] = (-12, 12),
    turn: Tensor | None = None,
    breaks: str = "",
) -> World:
    """Independent dimensions: the first ``axes`` have a law of their own, the others N(0, 1)."""
    turned = torch.eye(dimensions, dtype=torch.float64) if turn is None else turn

    def points(n: int, generator: torch.Generator) -> Tensor:
        z = normal(n, dimensions, generator)
        own = [line_points(n, generator) for _ in range(axes)]
        return torch.cat([torch.stack(own, 1), z[:, axes:]], 1) @ turned.T

    def log_ratio(z: Tensor) -> Tensor:
        own = z @ turned[:, :axes]
        return (log_density(own) - log_normal(own)).sum(1)

    def exact() -> float:
        return axes * kl_line(log_density, edges)

    return World(name, dimensions, exact, log_ratio, points, known_by="quadrature", breaks=breaks)
