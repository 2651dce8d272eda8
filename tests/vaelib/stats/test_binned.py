import math

import pytest
import torch

from vaelib.seeding import stream
from vaelib.stats import binned, marginals
from vaelib.stats.binned import MANY, binned_kl


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.7), (0.05, 0.5), (0.02, 0.03)])
def test_binning_costs_less_than_it_says(low, high):
    generator = stream("components", 0)
    scale = low + (high - low) * torch.rand(5000, 1, generator=generator).double()
    mean = 1.1 * torch.randn(5000, 1, generator=generator).double()
    mean += 3.0 * (torch.rand(5000, 1, generator=generator) > 0.5)
    q = marginals.AggregatePosterior(mean, scale)
    exact, _ = marginals.kl_per_dimension(q)
    value, error = binned_kl(mean[:, 0], scale[:, 0])
    assert float(value) == pytest.approx(float(exact), abs=2e-5)
    assert abs(float(value - exact)) < 2 * float(error) < 1e-4


def test_many_components_are_binned_and_a_gaussian_has_its_closed_form():
    mean, scale = torch.full((MANY, 2), 0.5).double(), torch.full((MANY, 2), 1.3).double()
    values, errors = marginals.kl_per_dimension(marginals.AggregatePosterior(mean, scale))
    expected = 0.5 * (1.3**2 + 0.25 - 1) - math.log(1.3)
    assert values.tolist() == pytest.approx([expected] * 2, abs=1e-7)
    assert errors.max() < 1e-6


@pytest.mark.parametrize("most", [0, 1 << 20])
def test_bins_are_numbered_in_their_order_however_many_there_may_be(most, monkeypatch):
    monkeypatch.setattr(binned, "_DENSE", most)
    keys = torch.tensor([7.0, 0.0, 3.0, 7.0, 3.0])
    assert binned._numbered(keys).tolist() == [2, 0, 1, 2, 1]
