import numpy as np
import pytest
from scipy import stats

from bench.calibration.bands import band, clopper_pearson


def test_bands_are_binomial_where_nothing_is_shared():
    low, high = band(0.05, 1500)
    law = stats.binom(1500, 0.05)
    assert law.cdf(low - 1) <= 0.0005 < law.cdf(low)
    assert law.sf(high) <= 0.0005 < law.sf(high - 1)


def test_bands_are_wider_where_null_draws_are_shared():
    """Counts of 20,000 runs of 4 × 50 repetitions, each 50 with 19 draws of one null."""
    rng = np.random.default_rng(0)
    null, observed = rng.normal(size=(20_000, 4, 19)), rng.normal(size=(20_000, 4, 50))
    counts = (observed > null.max(2, keepdims=True)).sum((1, 2))
    low, high = band(0.05, 200, nulls=4, draws=19)
    outside = ((counts < low) | (counts > high)).mean()
    assert 0.0002 < outside < 0.002
    assert high > band(0.05, 200)[1]


def test_exact_intervals():
    assert clopper_pearson(0, 10)[0] == 0
    assert clopper_pearson(3, 10) == pytest.approx((0.06674, 0.65245), abs=1e-5)
