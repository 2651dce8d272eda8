import math

import pytest
import torch
from scipy.stats import binom

from tests.oracles import mmd_squared_scaled_normal
from tests.vaelib.stats.samples import normal
from vaelib.stats.prior_tests import (
    PRIOR_TESTS,
    energy_prior_test,
    mmd_prior_test,
    mmd_squared_prior,
    prior_scale,
)
from vaelib.stats.two_sample import mmd_two_sample_test


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def gaussian(scale=1.0, dimensions=3, shift=0.0):
    return lambda count, generator: scale * normal(count, dimensions, generator) + shift


def cauchy(count, generator):
    uniform = torch.rand(count, 3, generator=generator, dtype=torch.float64)
    return (math.pi * (uniform - 0.5)).tan()


@pytest.mark.parametrize("dimensions", [1, 2, 16])
@pytest.mark.parametrize("scale", [1.0, 0.02, 300.0])
def test_the_scale_of_a_prior_is_that_of_a_gaussian_and_blind_to_its_place(scale, dimensions):
    for shift in (0.0, 7.0):
        found = prior_scale(gaussian(scale, dimensions, shift), seeded())
        assert found == pytest.approx(scale, rel=0.06)


def test_heavy_tails_have_a_scale_and_a_point_has_none():
    assert 0.5 < prior_scale(cauchy, seeded()) < 5
    with pytest.raises(ValueError, match="must have distinct rows"):
        prior_scale(lambda count, _: torch.zeros(count, 2), seeded())


def test_the_mmd_is_unbiased():
    """Its mean over 100 samples within 4 standard errors; fails once in 16,000 seeds."""
    estimates = torch.tensor(
        [
            mmd_squared_prior(gaussian(1.5)(60, seeded(s)), gaussian(), seeded(-s - 1))
            for s in range(100)
        ]
    )
    expected = mmd_squared_scaled_normal(2.25, 3, math.sqrt(3))  # at the mean bandwidth
    assert (
        abs(float(estimates.mean()) - expected) < 4 * float(estimates.std()) / math.sqrt(100) + 5e-4
    )


@pytest.mark.parametrize("name", PRIOR_TESTS)
@pytest.mark.parametrize("prior", [gaussian(5.0, shift=2.0), cauchy], ids=["gaussian", "cauchy"])
def test_level(name, prior):
    """Of 100 tests at level .05, 99.99 % of runs reject no more than the bound."""
    test, generator = PRIOR_TESTS[name], seeded(1)
    rejected = sum(test(prior(30, generator), prior, generator).p_value <= 0.05 for _ in range(100))
    assert rejected <= binom.ppf(0.9999, 100, 0.05)


@pytest.mark.parametrize("name", PRIOR_TESTS)
def test_alternatives_are_seen_at_any_scale(name):
    for scale in (1e-3, 1.0, 1e3):
        result = PRIOR_TESTS[name](gaussian(2 * scale)(200, seeded()), gaussian(scale), seeded(1))
        assert result.p_value < 0.01


@pytest.mark.parametrize("test", [mmd_prior_test, energy_prior_test])
def test_a_change_of_unit_changes_nothing(test):
    z = gaussian(1.3)(80, seeded())
    result = test(z, gaussian(), seeded(1))
    scaled = test(1024 * z, gaussian(1024.0), seeded(1))
    assert scaled.p_value == result.p_value
    assert scaled.statistic == pytest.approx(result.statistic, rel=1e-6)


def test_bandwidths_do_not_depend_on_the_points(monkeypatch):
    seen = []

    def spy(x, y, *, generator, bandwidths):
        seen.append(tuple(bandwidths))
        return mmd_two_sample_test(x, y, generator=generator, bandwidths=bandwidths)

    monkeypatch.setattr("vaelib.stats.prior_tests.mmd_two_sample_test", spy)
    for factor in (1.0, 50.0):
        mmd_prior_test(factor * gaussian()(40, seeded()), gaussian(), seeded(1))
    assert seen[0] == seen[1] and len(seen[0]) == 5
