import math

import numpy as np
import pytest
import torch
from scipy import stats

from vaelib.seeding import stream
from vaelib.stats.moments import gaussian_kl
from vaelib.stats.sample_moments import SAMPLE_MOMENTS, jackknife


def draws(n, dimensions, seed, variance=1.0):
    return variance**0.5 * torch.randn(n, dimensions, generator=stream("z", seed)).double()


@pytest.mark.parametrize("metric", ["moment_kl", "second_moment", "excess_kurtosis"])
def test_standard_errors_are_the_spread_over_samples(metric):
    found = [jackknife(SAMPLE_MOMENTS[metric], draws(400, 3, seed, 1.5)) for seed in range(60)]
    values, errors = torch.tensor(found, dtype=torch.float64).T
    assert 0.75 < float(errors.mean()) / float(values.std()) < 1.35
    expected = {
        "moment_kl": 1.5 * (1.5 - 1 - math.log(1.5)),
        "second_moment": 1.5,
        "excess_kurtosis": 0.0,
    }
    tolerance = 4 * float(values.std()) / 60**0.5 + 0.02 * (metric == "excess_kurtosis")
    assert float(values.mean()) == pytest.approx(expected[metric], abs=tolerance)


def test_the_moment_kl_has_mean_zero_under_the_normal():
    values = [SAMPLE_MOMENTS["moment_kl"](draws(300, 4, seed)) for seed in range(100)]
    assert sum(values) / 100 == pytest.approx(0, abs=0.003)


@pytest.mark.parametrize(("n", "dimensions"), [(100, 64), (40, 2), (9, 8)])
def test_the_correction_is_exact_however_few_the_rows(n, dimensions):
    """Mean over 200 samples of N(0, I) within 4 standard errors: to first order it was 4.1."""
    generator = stream("few", n)
    shape = (n, dimensions)
    found = [
        SAMPLE_MOMENTS["moment_kl"](torch.randn(shape, generator=generator).double())
        for _ in range(200)
    ]
    values = torch.tensor(found, dtype=torch.float64)
    assert abs(float(values.mean())) < 4 * float(values.std()) / 200**0.5


@pytest.mark.parametrize(("n", "dimensions"), [(100, 64), (5, 1), (12, 3)])
def test_the_correction_is_that_of_bartletts_product_of_chi_squares(n, dimensions):
    """n S has the determinant of a product of chi-squares of n - 1 … n - D degrees of freedom."""
    log = np.linspace(-40, math.log(40 * n), 20_001)  # of the variable that is integrated over
    freedom = n - np.arange(1, dimensions + 1)[:, None]
    densities = stats.chi2(freedom).pdf(np.exp(log)) * np.exp(log)
    means = np.trapezoid(densities * log, log)
    expected = -0.5 * (means.sum() - dimensions * math.log(n))
    z = draws(n, dimensions, 0)
    plain = gaussian_kl(z.mean(0), torch.cov(z.T, correction=0).reshape(dimensions, dimensions))
    assert plain - SAMPLE_MOMENTS["moment_kl"](z) == pytest.approx(expected, abs=1e-6)


def test_a_covariance_needs_more_rows_than_dimensions():
    with pytest.raises(ValueError, match="more rows than dimensions, got 8 rows and D = 8"):
        jackknife(SAMPLE_MOMENTS["moment_kl"], draws(8, 8, 0))
    value, error = jackknife(SAMPLE_MOMENTS["moment_kl"], draws(41, 40, 0))
    assert value is not None and error is None, "without a group there are too few"


def test_few_rows_have_no_error_and_a_singular_covariance_no_value():
    value, error = jackknife(SAMPLE_MOMENTS["second_moment"], draws(10, 2, 0))
    assert value is not None
    assert error is None
    assert jackknife(SAMPLE_MOMENTS["moment_kl"], torch.zeros(50, 2)) == (None, None)
