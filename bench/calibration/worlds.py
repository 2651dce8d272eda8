"""Laws of z with known KL(q‖N(0, I)): those that SCIENCE.md names in sections 2 and 6.

A world draws z or, where it is one of posteriors, encodes: means and scales whose mixture is q. Its
KL is a closed form or a quadrature; ``log_ratio`` is log q - log p at any z, written apart from it,
so that the mean over draws is a second computation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import lgamma, log, log1p, pi, sqrt

import numpy as np
import torch
from scipy import optimize
from torch import Tensor

Generator = torch.Generator


@dataclass(frozen=True)
class World:
    """One law q on R^D.

    Attributes:
        name: unique.
        dimensions: D.
        exact: KL(q‖N(0, I)) in nats, by closed form or quadrature.
        log_ratio: log q - log p at z of shape (n, D), shape (n,).
        points: draws of shape (n, D), for a world without posteriors.
        encode: posterior means and scales, each of shape (n, D), of n inputs.
    """

    name: str
    dimensions: int
    exact: Callable[[], float]
    log_ratio: Callable[[Tensor], Tensor]
    points: Callable[[int, Generator], Tensor] | None = None
    encode: Callable[[int, Generator], tuple[Tensor, Tensor]] | None = None

    @cached_property
    def kl(self) -> float:
        """KL(q‖N(0, I)), in nats."""
        return self.exact()

    def draw(self, n: int, generator: Generator) -> Tensor:
        """One z for each of n inputs, shape (n, D), float64."""
        if self.points is not None:
            return self.points(n, generator)
        mean, scale = self.encode(n, generator)
        return mean + scale * normal(n, self.dimensions, generator)


def normal(n, dimensions, generator):
    return torch.randn(n, dimensions, generator=generator, dtype=torch.float64)


def rotation(dimensions, seed):
    """An orthogonal matrix, the same on every machine."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(dimensions, dimensions)))
    return torch.tensor(q * np.sign(np.diag(r)))


def log_normal(z, mean=0.0, variance=1.0):
    """Element by element."""
    variance = torch.as_tensor(variance, dtype=torch.float64)
    return -0.5 * ((z - mean).square() / variance + variance.log() + log(2 * pi))


def kl_line(log_density, edges=(-12, 12), steps=400_001):
    """KL to N(0, 1) of a density on the line, by the trapezoidal rule."""
    z = torch.linspace(*edges, steps, dtype=torch.float64)
    logs = log_density(z)
    terms = logs.exp() * (logs.clamp_min(-1e3) - log_normal(z))
    return float(torch.trapezoid(terms, z))


def kl_plane(log_density, edge, steps=801):
    """KL to N(0, I) of a density on the plane that is nearly 0 beyond the edge."""
    axis = torch.linspace(-edge, edge, steps, dtype=torch.float64)
    total = 0.0
    for x in axis:
        z = torch.stack([x.expand_as(axis), axis], 1)
        logs = log_density(z)
        total += float((logs.exp() * (logs.clamp_min(-1e3) - log_normal(z).sum(1))).sum())
    return total * float(axis[1] - axis[0]) ** 2


def kl_covariance(covariance):
    """KL of N(0, covariance) to N(0, I)."""
    trace = covariance.diagonal().sum() - len(covariance)
    return float(0.5 * (trace - torch.linalg.slogdet(covariance).logabsdet))


def gaussian(name, covariance, exact=None):
    """N(0, covariance); the ratio by its eigenvectors, the KL by its determinant."""
    values, vectors = torch.linalg.eigh(covariance)

    def points(n, generator):
        return normal(n, len(values), generator) * values.sqrt() @ vectors.T

    def log_ratio(z):
        axes = z @ vectors
        return (log_normal(axes, 0, values) - log_normal(axes)).sum(1)

    exact = exact or (lambda: kl_covariance(covariance))
    return World(name, len(values), exact, log_ratio, points)


def of_posteriors(name, dimensions, mean_variance, scale):
    """Means N(0, b) and scales s: N(0, b + s²) per dimension, each b and s a number or (D,)."""
    spread = torch.as_tensor(mean_variance, dtype=torch.float64).expand(dimensions)
    width = torch.as_tensor(scale, dtype=torch.float64).expand(dimensions)
    variance = spread + width**2

    def encode(n, generator):
        return normal(n, dimensions, generator) * spread.sqrt(), width.repeat(n, 1)

    def log_ratio(z):
        return (log_normal(z, 0, variance) - log_normal(z)).sum(1)

    def exact():
        return float(0.5 * (variance - 1 - variance.log()).sum())

    return World(name, dimensions, exact, log_ratio, encode=encode)


def variance_for(kl, dimensions):
    """The v > 1 for which N(0, vI) has that KL."""
    return optimize.brentq(lambda v: dimensions / 2 * (v - 1 - log(v)) - kl, 1, 100, xtol=1e-14)


def spectrum():
    vectors = rotation(24, 11)[:, :3]
    excess = torch.tensor([3.0, 2.0, 0.4], dtype=torch.float64) - 1
    covariance = torch.eye(24, dtype=torch.float64) + vectors * excess @ vectors.T
    return gaussian("spectrum 3, 2, .4", covariance)


def clusters(dimensions=16, width=0.35):
    """Ten clusters in a rotated plane, standardised."""
    centres = np.random.default_rng(3).normal(size=(10, 2))
    centres = (centres - centres.mean(0)) / centres.std(0) * sqrt(1 - width**2)
    centres, turn = torch.tensor(centres), rotation(dimensions, 5)

    def log_density(plane):
        logs = log_normal(plane[:, None], centres, width**2).sum(-1)
        return logs.logsumexp(1) - log(10)

    def points(n, generator):
        z = normal(n, dimensions, generator)
        label = torch.randint(10, (n,), generator=generator)
        return torch.cat([centres[label] + width * z[:, :2], z[:, 2:]], 1) @ turn.T

    def log_ratio(z):
        plane = z @ turn[:, :2]
        return log_density(plane) - log_normal(plane).sum(1)

    exact = lambda: kl_plane(log_density, 6)  # noqa: E731
    return World("ten clusters", dimensions, exact, log_ratio, points)


def log_chi(r, dimensions):
    """Log density of |z| under N(0, I)."""
    constant = (dimensions / 2 - 1) * log(2) + lgamma(dimensions / 2)
    return (dimensions - 1) * r.log() - 0.5 * r.square() - constant


def radial(name, dimensions, weights, centres, widths):
    """A uniform direction and a radius from a mixture of normals that are far from 0."""
    weights, centres, widths = (
        torch.tensor(v, dtype=torch.float64) for v in (weights, centres, widths)
    )

    def log_density(r):
        return (log_normal(r[:, None], centres, widths**2) + weights.log()).logsumexp(1)

    def points(n, generator):
        z = normal(n, dimensions, generator)
        k = torch.multinomial(weights, n, replacement=True, generator=generator)
        r = centres[k] + widths[k] * torch.randn(n, generator=generator, dtype=torch.float64)
        return z / z.norm(dim=1, keepdim=True) * r[:, None]

    def log_ratio(z):
        r = z.norm(dim=1)
        return log_density(r) - log_chi(r, dimensions)

    def exact():
        r = torch.linspace(1e-6, float((centres + 12 * widths).max()), 400_001).double()
        logs = log_density(r)
        return float(torch.trapezoid(logs.exp() * (logs - log_chi(r, dimensions)), r))

    return World(name, dimensions, exact, log_ratio, points)


def on_axes(name, dimensions, axes, log_density, line_points, edges=(-12, 12), turn=None):
    """Independent dimensions: the first ``axes`` have a law of their own, the others N(0, 1)."""
    turn = torch.eye(dimensions, dtype=torch.float64) if turn is None else turn

    def points(n, generator):
        z = normal(n, dimensions, generator)
        own = [line_points(n, generator) for _ in range(axes)]
        return torch.cat([torch.stack(own, 1), z[:, axes:]], 1) @ turn.T

    def log_ratio(z):
        own = z @ turn[:, :axes]
        return (log_density(own) - log_normal(own)).sum(1)

    exact = lambda: axes * kl_line(log_density, edges)  # noqa: E731
    return World(name, dimensions, exact, log_ratio, points)


def bimodal():
    def log_density(z):
        return torch.logaddexp(log_normal(z, 0.9, 0.19), log_normal(z, -0.9, 0.19)) - log(2)

    def line(n, generator):
        sign = 2.0 * torch.randint(2, (n,), generator=generator) - 1
        return 0.9 * sign + sqrt(0.19) * normal(n, 1, generator)[:, 0]

    return on_axes("one bimodal dimension of 64", 64, 1, log_density, line)


def student(degrees=5):
    unit = sqrt((degrees - 2) / degrees)

    def log_density(z):
        constant = lgamma((degrees + 1) / 2) - lgamma(degrees / 2) - 0.5 * log(degrees * pi)
        return constant - log(unit) - (degrees + 1) / 2 * (1 + (z / unit) ** 2 / degrees).log()

    def line(n, generator):
        chi = normal(n, degrees, generator).square().sum(1) / degrees
        return unit * normal(n, 1, generator)[:, 0] / chi.sqrt()

    return on_axes("student, 5 degrees", 8, 8, log_density, line, edges=(-2000, 2000))


def banana(dimensions=6):
    def points(n, generator):
        z = normal(n, dimensions, generator)
        z[:, 1] = (z[:, 1] + (z[:, 0] ** 2 - 1) / 2) / sqrt(1.5)
        return z

    def log_ratio(z):
        bent = (z[:, 0] ** 2 - 1) / 2 / sqrt(1.5)
        return log_normal(z[:, 1], bent, 1 / 1.5) - log_normal(z[:, 1])

    return World("banana", dimensions, lambda: 0.5 * log(1.5), log_ratio, points)


def parity(dimensions):
    """The product of the signs of the first four dimensions is positive."""

    def points(n, generator):
        z = normal(n, dimensions, generator)
        z[:, 0] *= z[:, :4].prod(1).sign()
        return z

    def log_ratio(z):
        return torch.where(z[:, :4].prod(1) > 0, log(2), -torch.inf).double()

    return World(
        f"four-sign parity, D = {dimensions}", dimensions, lambda: log(2), log_ratio, points
    )


def autoregressive(rho=0.5, dimensions=40):
    lag = torch.arange(dimensions).double()
    exact = lambda: -0.5 * (dimensions - 1) * log1p(-(rho**2))  # noqa: E731
    return gaussian("AR(1) of .5", rho ** (lag - lag[:, None]).abs(), exact)


def equicorrelated(rho, dimensions):
    covariance = torch.full((dimensions, dimensions), rho, dtype=torch.float64)
    logs = (dimensions - 1) * log1p(-rho) + log1p((dimensions - 1) * rho)
    name = f"correlation {rho:g}, D = {dimensions}"
    return gaussian(name, covariance.fill_diagonal_(1), lambda: -0.5 * logs)


def place_dependent(dimensions, wide, narrow):
    """An exact match: some posteriors N(0, a²I), the others narrow with complementary means."""
    a, b = wide**2 - narrow**2, 1 - narrow**2
    share = 0.99 * (a / b) ** (dimensions / 2)

    def encode(n, generator):
        kept = torch.empty(0, dimensions, dtype=torch.float64)
        while len(kept) < n:  # accepted with at most .99 of its density taken away
            mean = normal(4 * n, dimensions, generator) * sqrt(b)
            taken = 0.99 * (-0.5 * mean.square().sum(1) * (1 / a - 1 / b)).exp()
            free = torch.rand(4 * n, generator=generator, dtype=torch.float64) >= taken
            kept = torch.cat([kept, mean[free]])
        alone = torch.rand(n, 1, generator=generator) < share
        mean = torch.where(alone, 0.0, kept[:n])
        return mean, torch.where(alone, wide, narrow).double().repeat(1, dimensions)

    def log_ratio(z):
        return torch.zeros(len(z), dtype=torch.float64)

    name = f"scale by place, D = {dimensions}"
    return World(name, dimensions, lambda: 0.0, log_ratio, encode=encode)


def two_points(variance=0.01):
    """The linear VAE's optimum for data x = ±1: E z² = 1 and no match."""
    centre = sqrt(1 - variance)

    def log_density(z):
        logs = torch.logaddexp(log_normal(z, centre, variance), log_normal(z, -centre, variance))
        return logs - log(2)

    def encode(n, generator):
        sign = 2.0 * torch.randint(2, (n, 1), generator=generator) - 1
        return centre * sign.double(), torch.full((n, 1), sqrt(variance), dtype=torch.float64)

    def log_ratio(z):
        return log_density(z[:, 0]) - log_normal(z[:, 0])

    return World("two points", 1, lambda: kl_line(log_density), log_ratio, encode=encode)


def some_active(active=8, dimensions=32, scale=0.3):
    width = torch.ones(dimensions, dtype=torch.float64)
    width[:active] = scale
    return of_posteriors("8 of 32 active", dimensions, 1 - width**2, width)


def near_duplicates(train, generator):
    """Held-out z that are the training z with a little noise."""
    return train + 0.05 * torch.randn(train.shape, generator=generator, dtype=torch.float64)


WORLDS = [
    spectrum(),
    clusters(),
    radial("shell", 16, [1.0], [sqrt(15.5)], [0.2]),
    bimodal(),
    student(),
    banana(),
    parity(4),
    autoregressive(),
    some_active(),
    of_posteriors("KL .05, D = 8", 8, variance_for(0.05, 8) - 0.25, 0.5),
    parity(8),
    equicorrelated(0.3, 6),
    equicorrelated(0.1, 32),
    place_dependent(2, 0.9, 0.3),
    place_dependent(4, 0.9, 0.3),
    place_dependent(8, 0.9, 0.3),
    of_posteriors("posteriors N(0, 1.2 I)", 8, 0.0, sqrt(1.2)),
    of_posteriors("posteriors N(0, .8 I)", 8, 0.0, sqrt(0.8)),
    of_posteriors("N(0, 2 I), D = 2", 2, 1.75, 0.5),
    of_posteriors("exact match, D = 2", 2, 0.91, 0.3),
    of_posteriors("exact match, D = 8", 8, 0.75, 0.5),
    of_posteriors("exact match, D = 64", 64, 0.75, 0.5),
    two_points(),
]
