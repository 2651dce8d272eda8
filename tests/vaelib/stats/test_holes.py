"""The hole mass and its interval, where the population's hole mass is known."""

import math

import pytest
import torch
from scipy.stats import binom, chi2

from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.seeding import stream
from vaelib.stats.holes import hole_mass


def gaussian(variance, dimensions):
    scale = torch.full((1, dimensions), math.sqrt(variance), dtype=torch.float64)
    return AggregatePosterior(torch.zeros_like(scale), scale)


def truth(variance, dimensions):
    """Mass of N(0, I) beyond the radius that 1 % of N(0, vI) exceed."""
    law = chi2(dimensions)
    return float(law.sf(variance * law.isf(0.01)))


def measured(variance, dimensions, rows, repetitions):
    q, generator = gaussian(variance, dimensions), stream("holes", rows)
    found = []
    for _ in range(repetitions):
        noise = torch.randn(rows, dimensions, generator=generator, dtype=torch.float64)
        z = math.sqrt(variance) * noise
        found.append(hole_mass(q, z, Normal(dimensions), generator, draws=5000))
    return torch.tensor(found, dtype=torch.float64).T


def test_the_mean_is_the_level_where_matched():
    """3.01 of 300 ranks, so that the quantile's mean level is .01: within 4 standard errors."""
    shares, _ = measured(1.0, 2, 300, 200)
    assert float(shares.mean()) == pytest.approx(0.01, abs=4 * float(shares.std()) / 200**0.5)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [300, 1000])
@pytest.mark.parametrize(("variance", "dimensions"), [(1.0, 2), (0.8, 2), (0.8, 8), (1.2, 8)])
def test_the_interval_covers_the_population(rows, variance, dimensions):
    """At least .95 of 300: 272 or fewer has probability .001 at exactly .95."""
    shares, errors = measured(variance, dimensions, rows, 300)
    held = ((shares - truth(variance, dimensions)).abs() <= 1.96 * errors).sum()
    assert int(held) >= binom.ppf(0.001, 300, 0.95)


@pytest.mark.parametrize("rows", [300, 2000])
def test_a_share_of_nothing_is_no_certainty(rows):
    """A mixture 1.5 times as wide as the prior leaves 5e-6 of it: no draw shows that."""
    shares, errors = measured(2.25, 4, rows, 40)
    assert float(shares.median()) == 0.0 < truth(2.25, 4) < 1e-4
    assert bool(((shares - truth(2.25, 4)).abs() <= 1.96 * errors).all())


@pytest.mark.parametrize("rows", [300, 1000])
def test_the_interval_is_not_wider_than_its_construction(rows):
    """The further end stands at the rank above the binomial law's .975 quantile."""
    _, errors = measured(1.0, 2, rows, 40)
    furthest = (binom.ppf(0.975, rows, 0.01) + 1) / (rows + 1) - 0.01
    assert 1.96 * float(errors.mean()) == pytest.approx(furthest, rel=0.25)
