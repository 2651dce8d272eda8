"""One law of z whose KL from N(0, I) is known, and the quadratures that it is known by."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import log, pi
from typing import Literal

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "KnownBy",
    "World",
    "kl_covariance",
    "kl_line",
    "kl_plane",
    "log_normal",
    "normal",
    "rotation",
]

KnownBy = Literal["closed form", "quadrature"]


@dataclass(frozen=True)
class World:
    """One law q on R^D, of bare z or of posteriors.

    Attributes:
        name: unique.
        dimensions: D.
        exact: computes KL(q‖N(0, I)) in nats.
        log_ratio: log q - log p at z of shape (n, D), shape (n,); written apart from the KL, so
            that its mean over draws is a second computation of it.
        points: draws of shape (n, D), for a world without posteriors.
        encode: posterior means and scales, each of shape (n, D), of n inputs; None for a world
            without.
        known_by: how the KL is computed.
        breaks: which estimators or tests go wrong in it, and why; empty where nobody says.

    Example:
        >>> from vaelib.worlds.named import world
        >>> banana = world("banana")
        >>> banana.dimensions, round(banana.kl, 4), banana.known_by
        (6, 0.2027, 'closed form')
        >>> tuple(banana.draw(5, torch.Generator()).shape)
        (5, 6)
    """

    name: str
    dimensions: int
    exact: Callable[[], float]
    log_ratio: Callable[[Tensor], Tensor]
    points: Callable[[int, torch.Generator], Tensor] | None = None
    encode: Callable[[int, torch.Generator], tuple[Tensor, Tensor]] | None = None
    known_by: KnownBy = "closed form"
    breaks: str = ""

    @cached_property
    def kl(self) -> float:
        """KL(q‖N(0, I)), in nats."""
        return self.exact()

    @property
    def has_posteriors(self) -> bool:
        """Whether the world is one of posteriors, not of bare z."""
        return self.encode is not None

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """One z for each of n inputs.

        Args:
            n: how many.
            generator: of the randomness.

        Returns:
            z, shape (n, D), float64.
        """
        if self.points is not None:
            return self.points(n, generator)
        return self.posteriors(n, generator)[0]

    def posteriors(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """One z for each of n inputs, and the posteriors that they were drawn from.

        Args:
            n: how many.
            generator: of the randomness.

        Returns:
            z, means and scales, each of shape (n, D), float64.

        Raises:
            ValueError: for a world of bare z.
        """
        if self.encode is None:
            raise ValueError(
                f"expected a world of posteriors, got {self.name!r}, which is one of bare z; use "
                "draw, or one whose has_posteriors is True"
            )
        mean, scale = self.encode(n, generator)
        return mean + scale * normal(n, self.dimensions, generator), mean, scale


def normal(n: int, dimensions: int, generator: torch.Generator) -> Tensor:
    """Draws of N(0, I), shape (n, D), float64."""
    return torch.randn(n, dimensions, generator=generator, dtype=torch.float64)


def rotation(dimensions: int, seed: int) -> Tensor:
    """An orthogonal matrix of shape (D, D), the same on every machine."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(dimensions, dimensions)))
    return torch.tensor(q * np.sign(np.diag(r)))


def log_normal(z: Tensor, mean: Tensor | float = 0.0, variance: Tensor | float = 1.0) -> Tensor:
    """Log density of N(mean, variance), element by element."""
    variance = torch.as_tensor(variance, dtype=torch.float64)
    return -0.5 * ((z - mean).square() / variance + variance.log() + log(2 * pi))


def kl_line(
    log_density: Callable[[Tensor], Tensor],
    edges: tuple[float, float] = (-12, 12),
    steps: int = 400_001,
) -> float:
    """KL to N(0, 1) of a density on the line in nats, by the trapezoidal rule."""
    z = torch.linspace(*edges, steps, dtype=torch.float64)
    logs = log_density(z)
    terms = logs.exp() * (logs.clamp_min(-1e3) - log_normal(z))
    return float(torch.trapezoid(terms, z))


def kl_plane(log_density: Callable[[Tensor], Tensor], edge: float, steps: int = 801) -> float:
    """KL to N(0, I) in nats of a density on the plane that is nearly 0 beyond the edge."""
    axis = torch.linspace(-edge, edge, steps, dtype=torch.float64)
    total = 0.0
    for x in axis:
        z = torch.stack([x.expand_as(axis), axis], 1)
        logs = log_density(z)
        total += float((logs.exp() * (logs.clamp_min(-1e3) - log_normal(z).sum(1))).sum())
    return total * float(axis[1] - axis[0]) ** 2


def kl_covariance(covariance: Tensor) -> float:
    """KL of N(0, covariance) to N(0, I), in nats."""
    trace = covariance.diagonal().sum() - len(covariance)
    return float(0.5 * (trace - torch.linalg.slogdet(covariance).logabsdet))
