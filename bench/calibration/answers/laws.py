"""Laws that are not Gaussian, each with a parameter that gives it any KL to N(0, I).

Those with posteriors have a rate near 2 nats, so that the upper end can be read and "yes" is
possible; the others are points.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy import special, stats
from torch import Tensor

from bench.calibration.answers.gaussian_laws import INSIDE, solved
from bench.calibration.answers.matches import Encode, readable_scale
from bench.calibration.samples import normal
from vaelib.numerics.arrays import Floats
from vaelib.worlds.families import log_chi, radial
from vaelib.worlds.untuned import funnel, sign_chain
from vaelib.worlds.world import World, log_normal

__all__ = ["LAWS", "beside", "line_kl"]


def line_kl(density: Callable[[Floats], Floats], edge: float = 12.0) -> float:
    """Integrate the KL to N(0, 1) of a smooth density on the line.

    Args:
        density: of points of shape (n,).
        edge: half the width of what the trapezoidal rule covers.

    Returns:
        The KL in nats.
    """
    z = np.linspace(-edge, edge, 20_001)
    q = density(z)
    return float(np.trapezoid(special.xlogy(q, q) - q * stats.norm.logpdf(z), z))


def _radial_kl(log_density: Callable[[Tensor], Tensor], dimensions: int) -> float:
    """KL to N(0, I) of a law of uniform direction, by its radius."""
    r = torch.linspace(1e-9, math.sqrt(dimensions) * 2 + 16, 20_001, dtype=torch.float64)
    logs = log_density(r)
    terms = logs.exp() * (logs.clamp_min(-1e3) - log_chi(r, dimensions))
    return float(torch.trapezoid(terms, r))


def beside(
    dimensions: int,
    own: Encode,
    log_density: Callable[[Tensor], Tensor],
    exact: Callable[[], float],
) -> World:
    """A law of its own on the first axes, independent of all others, which are N(0, 1).

    Args:
        dimensions: D.
        own: maps n and a random stream to mean and scale of n posteriors on the first axes.
        log_density: log q - log p at z of shape (n, D), in nats.
        exact: its KL in nats.

    Returns:
        The world.
    """
    rest = readable_scale(dimensions)

    def encode(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        mean = math.sqrt(1 - rest**2) * normal(n, dimensions, generator)
        scale = torch.full_like(mean, rest)
        own_mean, own_scale = own(n, generator)
        axes = own_mean.shape[1]
        mean[:, :axes], scale[:, :axes] = own_mean, own_scale
        return mean, scale

    def log_ratio(z: Tensor) -> Tensor:
        return log_density(z)

    return World("beside", dimensions, exact, log_ratio, encode=encode)


def _clusters(dimensions: int, kl: float) -> World:
    """Two Gaussians on an axis, of variance 1 together."""

    def density(z: Floats, centre: float) -> Floats:
        width = math.sqrt(1 - centre**2)
        both = stats.norm.pdf(z, centre, width) + stats.norm.pdf(z, -centre, width)
        return np.asarray(both / 2, np.float64)

    def loss(centre: float) -> float:
        return line_kl(lambda z: density(z, centre))

    centre = solved(loss, kl, 0.01, 0.99)
    width = math.sqrt(1 - centre**2)
    scale = min(readable_scale(dimensions), INSIDE * width)

    def own(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        sign = 2.0 * torch.randint(2, (n, 1), generator=generator) - 1
        mean = centre * sign + math.sqrt(width**2 - scale**2) * normal(n, 1, generator)
        return mean, torch.full_like(mean, scale)

    def log_ratio(z: Tensor) -> Tensor:
        x = z[:, 0]
        logs = torch.logaddexp(log_normal(x, centre, width**2), log_normal(x, -centre, width**2))
        return logs - math.log(2) - torch.as_tensor(log_normal(x))

    return beside(dimensions, own, log_ratio, lambda: loss(centre))


def _ring(dimensions: int, kl: float) -> World:
    """A noisy circle in the plane: the radius has Rice's law."""

    def log_density(r: Tensor, width: float) -> Tensor:
        """Of the radius, log density for area."""
        radius = math.sqrt(2 * (1 - width**2))
        bessel = special.ive(0, r.numpy() * radius / width**2)
        logs = torch.as_tensor(np.log(bessel)) - (r - radius).square() / (2 * width**2)
        return logs - math.log(2 * math.pi * width**2)

    def loss(width: float) -> float:
        return _radial_kl(lambda r: log_density(r, width) + (2 * math.pi * r).log(), 2)

    width = solved(loss, kl, 0.2, 0.999)
    radius = math.sqrt(2 * (1 - width**2))
    scale = min(readable_scale(dimensions), INSIDE * width)

    def own(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        angle = 2 * math.pi * torch.rand(n, 1, generator=generator, dtype=torch.float64)
        circle = radius * torch.cat([angle.cos(), angle.sin()], 1)
        mean = circle + math.sqrt(width**2 - scale**2) * normal(n, 2, generator)
        return mean, torch.full_like(mean, scale)

    def log_ratio(z: Tensor) -> Tensor:
        plane = z[:, :2]
        ratio = log_density(plane.norm(dim=1), width)
        return ratio - torch.as_tensor(log_normal(plane)).sum(1)

    return beside(dimensions, own, log_ratio, lambda: loss(width))


def _heavy_tails(dimensions: int, kl: float) -> World:
    """Student's t in every dimension, of variance 1: posteriors share its random scales."""

    def loss(degrees: float) -> float:
        unit = math.sqrt((degrees - 2) / degrees)
        x = np.linspace(0, 40, 40_001)  # of z = sinh x, as tails are long
        z = np.sinh(x)
        q = stats.t.pdf(z / unit, degrees) / unit
        terms = (special.xlogy(q, q) - q * stats.norm.logpdf(z)) * np.cosh(x)
        return 2 * dimensions * float(np.trapezoid(terms, x))

    degrees = 1 / solved(lambda inverse: loss(1 / inverse), kl, 1e-3, 0.49)
    unit, share = math.sqrt((degrees - 2) / degrees), readable_scale(dimensions)

    def encode(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        chi = torch.as_tensor(rng.chisquare(degrees, (n, dimensions)))
        wide = unit * (degrees / chi).sqrt()
        return math.sqrt(1 - share**2) * wide * normal(n, dimensions, generator), share * wide

    def log_ratio(z: Tensor) -> Tensor:
        logs = torch.as_tensor(stats.t.logpdf(z.numpy() / unit, degrees)) - math.log(unit)
        return (logs - torch.as_tensor(log_normal(z))).sum(1)

    return World("heavy tails", dimensions, lambda: loss(degrees), log_ratio, encode=encode)


def _two_scales(dimensions: int, kl: float) -> World:
    """Half of the inputs wide, half narrow, of variance 1 together."""

    def log_density(r: Tensor, spread: float) -> Tensor:
        """Of the radius, log density less that of N(0, I)."""
        parts = [
            (1 - 1 / v) * r.square() / 2 - dimensions / 2 * math.log(v)
            for v in (1 - spread, 1 + spread)
        ]
        return torch.logaddexp(*parts) - math.log(2)

    def loss(spread: float) -> float:
        return _radial_kl(lambda r: log_density(r, spread) + log_chi(r, dimensions), dimensions)

    spread = solved(loss, kl, 1e-3, 0.999)
    scale = min(readable_scale(dimensions), INSIDE * math.sqrt(1 - spread))

    def encode(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        sign = 2.0 * torch.randint(2, (n, 1), generator=generator) - 1
        mean = (1 + spread * sign - scale**2).sqrt() * normal(n, dimensions, generator)
        return mean, torch.full_like(mean, scale)

    def log_ratio(z: Tensor) -> Tensor:
        return log_density(z.norm(dim=1), spread)

    return World("two scales", dimensions, lambda: loss(spread), log_ratio, encode=encode)


def _banana(dimensions: int, kl: float) -> World:
    """The second axis bent by the square of the first: KL = ½ log(1 + 2 bend²)."""
    bend = math.sqrt(math.expm1(2 * kl) / 2)
    variance = 1 / (1 + 2 * bend**2)

    def points(n: int, generator: torch.Generator) -> Tensor:
        z = normal(n, dimensions, generator)
        z[:, 1] = (z[:, 1] + bend * (z[:, 0] ** 2 - 1)) * math.sqrt(variance)
        return z

    def log_ratio(z: Tensor) -> Tensor:
        bent = bend * (z[:, 0] ** 2 - 1) * math.sqrt(variance)
        return torch.as_tensor(log_normal(z[:, 1], bent, variance) - log_normal(z[:, 1]))

    def exact() -> float:
        return 0.5 * math.log1p(2 * bend**2)

    return World("banana", dimensions, exact, log_ratio, points)


def _coin_kl(heads: float) -> float:
    """KL of a coin to a fair one."""
    return math.log(2) - float(special.entr(heads) + special.entr(1 - heads))


def _coin(kl: float) -> float:
    return solved(_coin_kl, kl, 0.5, 1 - 1e-12)


def _parity(dimensions: int, kl: float) -> World:
    """The product of three signs is positive more often than not."""
    positive = _coin(kl)

    def points(n: int, generator: torch.Generator) -> Tensor:
        z = normal(n, dimensions, generator)
        wanted = torch.rand(n, generator=generator, dtype=torch.float64) < positive
        z[:, 0] *= z[:, :3].prod(1).sign() * (2.0 * wanted - 1)
        return z

    def log_ratio(z: Tensor) -> Tensor:
        chance = torch.where(z[:, :3].prod(1) > 0, positive, 1 - positive)
        return (2 * chance).double().log()

    return World("parity", dimensions, lambda: _coin_kl(positive), log_ratio, points)


def _skewed(dimensions: int, kl: float) -> World:
    """Skew normals of mean 0 and variance 1 on two axes."""

    def moments(slant: float) -> tuple[float, float, float]:
        d = slant / math.sqrt(1 + slant**2)
        return d, d * math.sqrt(2 / math.pi), math.sqrt(1 - 2 * d**2 / math.pi)

    def density(z: Floats, slant: float) -> Floats:
        _, centre, unit = moments(slant)
        return np.asarray(unit * stats.skewnorm.pdf(centre + unit * z, slant), np.float64)

    def loss(slant: float) -> float:
        return 2 * line_kl(lambda z: density(z, slant))

    slant = solved(loss, kl, 0.1, 40)
    d, centre, unit = moments(slant)
    width = math.sqrt(1 - d**2) / unit
    scale = min(readable_scale(dimensions), INSIDE * width)

    def own(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        mean = (d * normal(n, 2, generator).abs() - centre) / unit
        mean = mean + math.sqrt(width**2 - scale**2) * normal(n, 2, generator)
        return mean, torch.full_like(mean, scale)

    def log_ratio(z: Tensor) -> Tensor:
        own_axes = z[:, :2]
        x = centre + unit * own_axes
        logs = log_normal(x) + math.log(2 * unit) + torch.special.log_ndtr(slant * x)
        return torch.as_tensor(logs - log_normal(own_axes)).sum(1)

    return beside(dimensions, own, log_ratio, lambda: loss(slant))


def _shell(dimensions: int, kl: float) -> World:
    """A radius of less spread than that of N(0, I)."""
    centre = math.sqrt(dimensions - 0.5)

    def of_width(width: float) -> World:
        world: World = radial("shell", dimensions, [1.0], [centre], [width])
        return world

    return of_width(solved(lambda width: of_width(width).kl, kl, 0.2, 0.7))


def _funnel(dimensions: int, kl: float) -> World:
    world: World = funnel(dimensions, 2 * math.sqrt(kl / (dimensions - 1)))
    return world


def _sign_chain(dimensions: int, kl: float) -> World:
    world: World = sign_chain(dimensions, _coin(kl / (dimensions - 1)))
    return world


LAWS: dict[str, tuple[Callable[[int, float], World], int]] = {
    "two clusters on an axis": (_clusters, 1),
    "ring in a plane": (_ring, 2),
    "heavy tails": (_heavy_tails, 1),
    "wide and narrow inputs": (_two_scales, 1),
    "banana": (_banana, 2),
    "funnel": (_funnel, 2),
    "parity of three signs": (_parity, 3),
    "chain of signs": (_sign_chain, 2),
    "skewed axes": (_skewed, 2),
    "shell": (_shell, 8),
}
"""By name: maps D and a KL in nats to the world; the smallest D."""
