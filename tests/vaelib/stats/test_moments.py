"""Moments of the aggregate posterior against a mixture whose moments are known."""

import math

import pytest
import torch

from vaelib.posterior import AggregatePosterior
from vaelib.stats import moments


def test_moments_of_a_known_mixture():
    q = AggregatePosterior(torch.tensor([[-1.0, 0.5], [1.0, 0.5]]), torch.ones(2, 2))
    assert moments.second_moment(q) == pytest.approx((2 + 1.25) / 2)
    assert moments.variance_law(q) == pytest.approx(1)
    assert moments.active_units(q) == 1
    assert moments.active(q).tolist() == [True, False]
    expected = 0.5 * (2 + 1 + 0.25 - 2 - math.log(2))
    assert moments.moment_kl(q) == pytest.approx(expected)
