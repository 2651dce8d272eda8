"""Cases of estimators without noise, against independent arithmetic on random inputs."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch

from bench.calibration import oracles
from bench.calibration.cases.case import NOT_PRINTED, Case
from bench.calibration.samples import normal
from vaelib.posterior import AggregatePosterior
from vaelib.stats import finite_sample, marginals, moments

__all__ = ["exact_cases"]


def exact_cases() -> Iterator[Case]:
    """Yields the cases."""
    gaussian, nine = "one Gaussian, D = 3", "nine Gaussians, D = 1"
    yield _case("kl_per_dimension", gaussian, "closed form", _sum_over_dimensions)
    yield _case("kl_per_dimension", nine, "quadrature", _one_dimension)
    yield _case("moment_kl", gaussian, "closed form", lambda g: _of_gaussian(moments.moment_kl, g))
    yield _case(
        "gauge_gain", gaussian, "closed form", lambda g: _of_gaussian(marginals.gauge_gain, g)
    )
    yield _case("excess_kurtosis", nine, "quadrature", _kurtosis)
    yield _case("variance_law", "two points, all 1.5 times too wide", "closed form", _law)
    yield _case("active_units", "a random number of 8 dimensions active", "construction", _active)
    yield _case("scale_by_place", "scales that grow with the distance", "numpy", _by_place)
    yield _case("marginal_kl_floor", "eight components that do not overlap", "quadrature", _floor)


def _case(name: str, setting: str, origin: str, error: Callable[[torch.Generator], float]) -> Case:
    return Case(name, setting, lambda: 0.0, origin, "exact", lambda g: (error(g), NOT_PRINTED), 50)


def _gaussian(g: torch.Generator) -> AggregatePosterior:
    return AggregatePosterior(normal(1, 3, g), 0.2 + normal(1, 3, g).abs())


def _mixture(g: torch.Generator) -> AggregatePosterior:
    return AggregatePosterior(normal(9, 1, g), 0.2 + normal(9, 1, g).abs())


def _of_gaussian(estimator: Callable[[AggregatePosterior], float], g: torch.Generator) -> float:
    q = _gaussian(g)
    return estimator(q) - oracles.kl_normal(q.mean[0].numpy(), q.scale[0].numpy())


def _sum_over_dimensions(g: torch.Generator) -> float:
    return _of_gaussian(lambda q: float(marginals.kl_per_dimension(q)[0].sum()), g)


def _one_dimension(g: torch.Generator) -> float:
    q = _mixture(g)
    oracle = oracles.kl_of_mixture(q.mean[:, 0].numpy(), q.scale[:, 0].numpy())
    return float(marginals.kl_per_dimension(q)[0]) - oracle


def _kurtosis(g: torch.Generator) -> float:
    q = _mixture(g)
    x, densities, _ = oracles.mixture_on_grid(q.mean[:, 0].numpy(), q.scale[:, 0].numpy())
    density = densities.mean(0)
    centred = x - np.trapezoid(x * density, x)
    second, fourth = (float(np.trapezoid(centred**k * density, x)) for k in (2, 4))
    return float(marginals.excess_kurtosis(q)) - (fourth / second**2 - 3)


def _law(g: torch.Generator) -> float:
    """Means ±1.5 √(1 - s²) and scale 1.5 s: E z² = 2.25, so that the law is off by 1.25."""
    scale = float(0.2 + 0.7 * torch.rand((), generator=g, dtype=torch.float64))
    signs = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    mean = 1.5 * math.sqrt(1 - scale**2) * signs
    return moments.variance_law(AggregatePosterior(mean, 1.5 * scale * signs.abs())) - 1.25


def _active(g: torch.Generator) -> float:
    count = int(torch.randint(9, (), generator=g))
    mean = normal(200, 8, g) * torch.where(torch.arange(8) < count, 0.5, 0.05)
    return float(moments.active_units(AggregatePosterior(mean, mean.abs() + 0.1)) - count)


def _by_place(g: torch.Generator) -> float:
    mean = 2 * normal(200, 3, g)
    noise = normal(200, 3, g)
    scale = (0.1 * mean.square().mean(1, keepdim=True) - 1 + 0.3 * noise).exp()
    squared, logs = mean.square().sum(1).numpy(), scale.log().mean(1).numpy()
    found, _ = finite_sample.scale_by_place(AggregatePosterior(mean, scale))
    return found - float(np.corrcoef(squared, logs)[0, 1])


def _floor(g: torch.Generator) -> float:
    """Components that do not overlap reach the floor: I(n; z) = log N."""
    start, scale = float(torch.rand((), generator=g)), np.full(8, 0.05)
    mean = start + np.linspace(0.0, 14.0, 8)
    rate = float(np.mean([oracles.kl_normal(mean[i : i + 1], scale[:1]) for i in range(8)]))
    return finite_sample.marginal_kl_floor(rate, 8) - oracles.kl_of_mixture(mean, scale)
