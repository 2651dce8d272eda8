"""Laws of z with known KL(q‖N(0, I)) that the suite was built on: its candidates are tuned to them.

A world draws z or, where it is one of posteriors, encodes: means and scales whose mixture is q. Its
KL is a closed form or a quadrature; ``log_ratio`` is log q - log p at any z, written apart from it,
so that the mean over draws is a second computation.
"""

from math import lgamma, log, log1p, pi, sqrt

import numpy as np
import torch
from torch import Tensor

from vaelib.worlds.families import gaussian, of_posteriors, on_axes, radial, variance_for
from vaelib.worlds.world import World, kl_line, kl_plane, log_normal, normal, rotation

__all__ = ["WORLDS", "clusters", "near_duplicates", "place_dependent", "some_active"]


def _spectrum() -> World:
    vectors = rotation(24, 11)[:, :3]
    excess = torch.tensor([3.0, 2.0, 0.4], dtype=torch.float64) - 1
    covariance = torch.eye(24, dtype=torch.float64) + vectors * excess @ vectors.T
    breaks = "tests of each dimension: what differs are three directions that are no axes"
    return gaussian("spectrum 3, 2, .4", covariance, breaks=breaks)


def clusters(dimensions: int = 16, width: float = 0.35) -> World:
    """Ten clusters in a rotated plane, standardised."""
    drawn = np.random.default_rng(3).normal(size=(10, 2))
    drawn = (drawn - drawn.mean(0)) / drawn.std(0) * sqrt(1 - width**2)
    centres, turn = torch.tensor(drawn), rotation(dimensions, 5)

    def log_density(plane: Tensor) -> Tensor:
        logs = log_normal(plane[:, None], centres, width**2).sum(-1)
        return logs.logsumexp(1) - log(10)

    def points(n: int, generator: torch.Generator) -> Tensor:
        z = normal(n, dimensions, generator)
        label = torch.randint(10, (n,), generator=generator)
        return torch.cat([centres[label] + width * z[:, :2], z[:, 2:]], 1) @ turn.T

    def log_ratio(z: Tensor) -> Tensor:
        plane = z @ turn[:, :2]
        return log_density(plane) - log_normal(plane).sum(1)

    return World(
        "ten clusters",
        dimensions,
        lambda: kl_plane(log_density, 6),
        log_ratio,
        points,
        known_by="quadrature",
        breaks="moments: means 0, variances 1; and marginals: the plane of the clusters is turned",
    )


def _bimodal() -> World:
    def log_density(z: Tensor) -> Tensor:
        return torch.logaddexp(log_normal(z, 0.9, 0.19), log_normal(z, -0.9, 0.19)) - log(2)

    def line(n: int, generator: torch.Generator) -> Tensor:
        sign = 2.0 * torch.randint(2, (n,), generator=generator) - 1
        return 0.9 * sign + sqrt(0.19) * normal(n, 1, generator)[:, 0]

    breaks = "distances: 63 dimensions of pure noise hide one that differs"
    return on_axes("one bimodal dimension of 64", 64, 1, log_density, line, breaks=breaks)


def _student(degrees: int = 5) -> World:
    unit = sqrt((degrees - 2) / degrees)

    def log_density(z: Tensor) -> Tensor:
        constant = lgamma((degrees + 1) / 2) - lgamma(degrees / 2) - 0.5 * log(degrees * pi)
        return constant - log(unit) - (degrees + 1) / 2 * (1 + (z / unit) ** 2 / degrees).log()

    def line(n: int, generator: torch.Generator) -> Tensor:
        chi = normal(n, degrees, generator).square().sum(1) / degrees
        return unit * normal(n, 1, generator)[:, 0] / chi.sqrt()

    breaks = "clipped ratios: much of the KL comes from few z far out"
    edges = (-2000, 2000)
    return on_axes("student, 5 degrees", 8, 8, log_density, line, edges=edges, breaks=breaks)


def _banana(dimensions: int = 6) -> World:
    def points(n: int, generator: torch.Generator) -> Tensor:
        z = normal(n, dimensions, generator)
        z[:, 1] = (z[:, 1] + (z[:, 0] ** 2 - 1) / 2) / sqrt(1.5)
        return z

    def log_ratio(z: Tensor) -> Tensor:
        bent = (z[:, 0] ** 2 - 1) / 2 / sqrt(1.5)
        return log_normal(z[:, 1], bent, 1 / 1.5) - log_normal(z[:, 1])

    breaks = "a Gaussian fit: mean and covariance are those of N(0, I)"
    return World("banana", dimensions, lambda: 0.5 * log(1.5), log_ratio, points, breaks=breaks)


def _parity(dimensions: int) -> World:
    """The product of the signs of the first four dimensions is positive."""

    def points(n: int, generator: torch.Generator) -> Tensor:
        z = normal(n, dimensions, generator)
        z[:, 0] *= z[:, :4].prod(1).sign()
        return z

    def log_ratio(z: Tensor) -> Tensor:
        return torch.where(z[:, :4].prod(1) > 0, log(2), -torch.inf).double()

    name = f"four-sign parity, D = {dimensions}"
    breaks = "nearly all: each three dimensions are exactly N(0, I), and q has no density in half"
    return World(name, dimensions, lambda: log(2), log_ratio, points, breaks=breaks)


def _autoregressive(rho: float = 0.5, dimensions: int = 40) -> World:
    lag = torch.arange(dimensions).double()
    covariance = rho ** (lag - lag[:, None]).abs()

    def exact() -> float:
        return -0.5 * (dimensions - 1) * log1p(-(rho**2))

    breaks = "sums over dimensions: each is N(0, 1), and neighbours are correlated"
    return gaussian("AR(1) of .5", covariance, exact, breaks)


def _equicorrelated(rho: float, dimensions: int) -> World:
    covariance = torch.full((dimensions, dimensions), rho, dtype=torch.float64)
    logs = (dimensions - 1) * log1p(-rho) + log1p((dimensions - 1) * rho)
    name = f"correlation {rho:g}, D = {dimensions}"
    breaks = "sums over dimensions: each is N(0, 1), and all are correlated"
    return gaussian(name, covariance.fill_diagonal_(1), lambda: -0.5 * logs, breaks)


def place_dependent(dimensions: int, wide: float, narrow: float) -> World:
    """An exact match: some posteriors N(0, a²I), the others narrow with complementary means."""
    a, b = wide**2 - narrow**2, 1 - narrow**2
    share = 0.99 * (a / b) ** (dimensions / 2)

    def encode(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        kept = torch.empty(0, dimensions, dtype=torch.float64)
        while len(kept) < n:  # accepted with at most .99 of its density taken away
            mean = normal(4 * n, dimensions, generator) * sqrt(b)
            taken = 0.99 * (-0.5 * mean.square().sum(1) * (1 / a - 1 / b)).exp()
            free = torch.rand(4 * n, generator=generator, dtype=torch.float64) >= taken
            kept = torch.cat([kept, mean[free]])
        alone = torch.rand(n, 1, generator=generator) < share
        mean = torch.where(alone, 0.0, kept[:n])
        return mean, torch.where(alone, wide, narrow).double().repeat(1, dimensions)

    return World(
        f"scale by place, D = {dimensions}",
        dimensions,
        lambda: 0.0,
        _no_ratio,
        encode=encode,
        breaks="nulls that draw means apart from scales: they call this exact match none",
    )


def _no_ratio(z: Tensor) -> Tensor:
    return torch.zeros(len(z), dtype=torch.float64)


def _two_points(variance: float = 0.01) -> World:
    """The linear VAE's optimum for data x = ±1: E z² = 1 and no match."""
    centre = sqrt(1 - variance)

    def log_density(z: Tensor) -> Tensor:
        logs = torch.logaddexp(log_normal(z, centre, variance), log_normal(z, -centre, variance))
        return logs - log(2)

    def encode(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        sign = 2.0 * torch.randint(2, (n, 1), generator=generator) - 1
        return centre * sign.double(), torch.full((n, 1), sqrt(variance), dtype=torch.float64)

    def log_ratio(z: Tensor) -> Tensor:
        return log_density(z[:, 0]) - log_normal(z[:, 0])

    return World(
        "two points",
        1,
        lambda: kl_line(log_density),
        log_ratio,
        encode=encode,
        known_by="quadrature",
        breaks="moments: mean 0 and variance 1 at a KL of 1.609",
    )


def some_active(active: int = 8, dimensions: int = 32, scale: float = 0.3) -> World:
    """An exact match of which few dimensions carry anything."""
    width = torch.ones(dimensions, dtype=torch.float64)
    width[:active] = scale
    breaks = "finite mixtures: exact match, but the inputs are too few for the rate"
    return of_posteriors("8 of 32 active", dimensions, 1 - width**2, width, breaks)


def near_duplicates(train: Tensor, generator: torch.Generator) -> Tensor:
    """Held-out z that are the training z with a little noise."""
    return train + 0.05 * torch.randn(train.shape, generator=generator, dtype=torch.float64)


_WIDE = "nulls made of the given scales: these exceed 1, and so the null is mismatched too"
_SMALL = "weak tests: the KL is small and spread over all dimensions"
_EXACT = "whatever is not 0 at a match"

WORLDS = [
    _spectrum(),
    clusters(),
    radial(
        "shell", 16, [1.0], [sqrt(15.5)], [0.2], "a Gaussian fit: only the spread of |z| differs"
    ),
    _bimodal(),
    _student(),
    _banana(),
    _parity(4),
    _autoregressive(),
    some_active(),
    of_posteriors("KL .05, D = 8", 8, variance_for(0.05, 8) - 0.25, 0.5, _SMALL),
    _parity(8),
    _equicorrelated(0.3, 6),
    _equicorrelated(0.1, 32),
    place_dependent(2, 0.9, 0.3),
    place_dependent(4, 0.9, 0.3),
    place_dependent(8, 0.9, 0.3),
    of_posteriors("posteriors N(0, 1.2 I)", 8, 0.0, sqrt(1.2), _WIDE),
    of_posteriors("posteriors N(0, .8 I)", 8, 0.0, sqrt(0.8), "mutual information: it is 0"),
    of_posteriors("N(0, 2 I), D = 2", 2, 1.75, 0.5, "shape tests: only the scale differs"),
    of_posteriors("exact match, D = 2", 2, 0.91, 0.3, _EXACT),
    of_posteriors("exact match, D = 8", 8, 0.75, 0.5, _EXACT),
    of_posteriors("exact match, D = 64", 64, 0.75, 0.5, _EXACT),
    _two_points(),
]
"""In the order in which they are reported."""
