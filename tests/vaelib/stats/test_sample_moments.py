import math

import pytest
import torch

from vaelib.seeding import stream
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


def test_few_rows_have_no_error_and_a_singular_covariance_no_value():
    value, error = jackknife(SAMPLE_MOMENTS["second_moment"], draws(10, 2, 0))
    assert value is not None
    assert error is None
    assert jackknife(SAMPLE_MOMENTS["moment_kl"], torch.zeros(50, 2)) == (None, None)
