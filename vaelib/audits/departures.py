"""Standard departures from N(0, I) of a KL that is known exactly, to try an audit on.

| departure | law | KL(q‖p) |
|---|---|---|
| scale | N(0, vI), v > 1 | D/2 (v - 1 - log v) |
| correlation | two dimensions with correlation ρ | -½ log(1 - ρ²) |
| clusters | ½ N(±a, 1 - a²) in one direction | quadrature |
| ring | a circle of radius c and noise s in a plane, c²/2 + s² = 1 | quadrature |
| heavy tails | Student t in one direction, of variance 1 | ½ log 2πe - its entropy |
| parity | the sign product of four dimensions is positive with probability π | log 2 - H(π) |

All but the first have the mean and the variances of N(0, I), the last its first three moments.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import optimize, special
from torch import Tensor

__all__ = ["DEPARTURES", "Departure"]

_NORMAL_ENTROPY = 0.5 * math.log(2 * math.pi * math.e)
_WIDE = 12.0  # standard deviations, beyond which a density is 0
_POINTS = 400

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Departure:
    """One kind of law that is not N(0, I).

    Attributes:
        name: of the kind.
        least: dimensions that it needs.
        most: KL below which it can be had, in nats.
        parameter: of a KL in nats and D.
        planted: draws of N(0, I), the parameter and a random stream in, draws of the law out.
        turns: whether a rotation changes it.
    """

    name: str
    least: int
    most: float
    parameter: Callable[[float, int], float]
    planted: Callable[[Tensor, float, torch.Generator], Tensor]
    turns: bool = True

    def draw(
        self,
        n: int,
        dimensions: int,
        kl: float,
        generator: torch.Generator,
        *,
        rotated: bool = False,
    ) -> Tensor:
        """Draw from the law, in the first dimensions or in random directions.

        Args:
            n: number of draws.
            dimensions: D.
            kl: of the law to N(0, I), in nats.
            generator: random stream, of the directions too.
            rotated: whether the directions are random.

        Returns:
            Independent draws in the same directions, shape (n, D), float64.

        Raises:
            ValueError: for too few dimensions, or a KL that is not positive or that the law cannot
                have.

        Example:
            >>> g = torch.Generator().manual_seed(0)
            >>> z = DEPARTURES["clusters"].draw(10_000, 3, 0.2, g)
            >>> bool((z.var(0) - 1).abs().max() < 0.05)
            True
        """
        if dimensions < self.least:
            raise ValueError(f"{self.name} needs {self.least} dimensions or more, got {dimensions}")
        if not 0 < kl < self.most:
            raise ValueError(
                f"the KL of {self.name} must be positive and below {self.most:.3g} nats, got {kl:g}"
            )
        z = torch.randn(n, dimensions, generator=generator, dtype=torch.float64)
        z = self.planted(z, self.parameter(kl, dimensions), generator)
        return z @ _rotation(dimensions, generator).T if rotated and self.turns else z


def _rotation(dimensions: int, generator: torch.Generator) -> Tensor:
    """A uniformly random orthogonal matrix, shape (D, D)."""
    q, r = torch.linalg.qr(
        torch.randn(dimensions, dimensions, generator=generator, dtype=torch.float64)
    )
    turned: Tensor = q * r.diagonal().sign()
    return turned


def _beside(z: Tensor, *first: Tensor) -> Tensor:
    """z with other first columns."""
    return torch.cat([torch.stack(first, 1), z[:, len(first) :]], 1)


@cache
def _scale(kl: float, dimensions: int) -> float:
    return _root(lambda v: dimensions / 2 * (v - 1 - math.log(v)) - kl, 1, 4 + 4 * kl)


def _scaled(z: Tensor, variance: float, generator: torch.Generator) -> Tensor:
    return math.sqrt(variance) * z


def _correlation(kl: float, dimensions: int) -> float:
    return math.sqrt(-math.expm1(-2 * kl))


def _correlated(z: Tensor, rho: float, generator: torch.Generator) -> Tensor:
    return _beside(z, z[:, 0], rho * z[:, 0] + math.sqrt(1 - rho**2) * z[:, 1])


def _clusters_kl(a: float) -> float:
    """½ log 2πe less the entropy of ½ N(±a, 1 - a²)."""
    spread = math.sqrt(1 - a**2)
    x, weight = _nodes(a + _WIDE * spread)
    log_density = np.logaddexp(-0.5 * ((x - a) / spread) ** 2, -0.5 * ((x + a) / spread) ** 2)
    log_density -= math.log(2 * spread * math.sqrt(2 * math.pi))
    return _NORMAL_ENTROPY + 2 * float(weight @ (np.exp(log_density) * log_density))


@cache
def _clusters(kl: float, dimensions: int) -> float:
    return _root(lambda a: _clusters_kl(a) - kl, 0.1, 0.9999)


def _clustered(z: Tensor, a: float, generator: torch.Generator) -> Tensor:
    side = 2.0 * torch.randint(2, (len(z),), generator=generator) - 1
    return _beside(z, a * side + math.sqrt(1 - a**2) * z[:, 0])


def _ring_kl(noise: float) -> float:
    """log 2πe less the entropy in the plane, by the law of the radius."""
    circle = math.sqrt(2 * (1 - noise**2))
    r, weight = _nodes(circle + _WIDE * noise)
    log_density = np.log(special.i0e(r * circle / noise**2)) - 0.5 * ((r - circle) / noise) ** 2
    log_density -= math.log(2 * math.pi * noise**2)
    return 2 * _NORMAL_ENTROPY + float(
        weight @ (2 * math.pi * r * np.exp(log_density) * log_density)
    )


@cache
def _ring(kl: float, dimensions: int) -> float:
    return _root(lambda noise: _ring_kl(noise) - kl, 0.02, 0.99)


def _ringed(z: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    angle = 2 * math.pi * torch.rand(len(z), generator=generator, dtype=torch.float64)
    circle = math.sqrt(2 * (1 - noise**2))
    x, y = circle * angle.cos(), circle * angle.sin()
    return _beside(z, x + noise * z[:, 0], y + noise * z[:, 1])


def _nodes(edge: float) -> tuple[Array, Array]:
    """Points and weights of Gauss and Legendre on (0, edge)."""
    nodes, weights = _legendre()
    return edge / 2 * (nodes + 1), edge / 2 * weights


@cache
def _legendre() -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(_POINTS)


def _tails_kl(freedom: float) -> float:
    half = (freedom + 1) / 2
    entropy = half * (special.psi(half) - special.psi(freedom / 2))
    entropy += 0.5 * math.log(freedom) + special.betaln(freedom / 2, 0.5)
    return float(_NORMAL_ENTROPY - entropy - 0.5 * math.log((freedom - 2) / freedom))


@cache
def _tails(kl: float, dimensions: int) -> float:
    return _root(lambda freedom: _tails_kl(freedom) - kl, 2 + 1e-9, 1e4)


def _tailed(z: Tensor, freedom: float, generator: torch.Generator) -> Tensor:
    uniform = torch.rand(len(z), generator=generator, dtype=torch.float64)
    gamma = torch.tensor(special.gammaincinv(freedom / 2, uniform.numpy()))
    return _beside(z, z[:, 0] * (0.5 * (freedom - 2) / gamma).sqrt())


def _parity_kl(positive: float) -> float:
    entropy = special.entr(positive) + special.entr(1 - positive)
    return float(math.log(2) - entropy)


@cache
def _parity(kl: float, dimensions: int) -> float:
    return _root(lambda positive: _parity_kl(positive) - kl, 0.5, 1)


def _signed(z: Tensor, positive: float, generator: torch.Generator) -> Tensor:
    wanted = torch.rand(len(z), generator=generator, dtype=torch.float64) < positive
    wrong = (z[:, :4].prod(1) > 0) != wanted
    return _beside(z, torch.where(wrong, -z[:, 0], z[:, 0]))


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.brentq(function, low, high, xtol=1e-12))


DEPARTURES: dict[str, Departure] = {
    one.name: one
    for one in (
        Departure("scale", 1, math.inf, _scale, _scaled, turns=False),
        Departure("correlation", 2, math.inf, _correlation, _correlated),
        Departure("clusters", 1, 2.0, _clusters, _clustered),
        Departure("ring", 2, 2.0, _ring, _ringed),
        Departure("heavy tails", 1, 2.0, _tails, _tailed),
        Departure("parity", 4, math.log(2), _parity, _signed),
    )
}
