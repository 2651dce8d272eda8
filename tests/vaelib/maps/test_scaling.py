"""Ways to scale latents, against the KL that Gaussians have in closed form."""

import math

import pytest
import torch

from tests.vaelib.maps.fields import field
from vaelib.maps.positions import Maps
from vaelib.maps.scaling import scaling


def removed(found):
    return {step.name: step.removed for step in found.steps}


def within(estimate, exact, slack=0.0):
    return abs(estimate.value - exact) < 4 * estimate.standard_error + slack


def test_each_step_removes_its_part_of_a_gaussian():
    deviation, mean = torch.tensor([2.0, 0.5]).double(), torch.tensor([1.0, -0.5]).double()
    found = scaling(Maps(mean + deviation * field(600)), factor=0.5)
    v, square = deviation.square(), (deviation.square() + mean.square()).mean()
    steps = removed(found)
    assert within(steps["one factor"], float(square - 1 - square.log()))
    assert within(
        steps["shift and scale of channels"],
        float(0.5 * (v + mean.square() - 1 - v.log()).sum()),
    )
    assert steps["your factor, 0.5"].value < steps["one factor"].value
    assert abs(found.factor - float(square.rsqrt())) < 0.02
    assert torch.allclose(found.shift, mean, atol=0.1)
    assert torch.allclose(found.scale, deviation, atol=0.1)


def test_channels_that_are_correlated_have_a_matrix():
    z = field(2000, places=())
    z = torch.stack([z[:, 0], 0.8 * z[:, 0] + 0.6 * z[:, 1]], 1)
    found = scaling(Maps(z))
    assert within(removed(found)["covariance of channels"], -0.5 * math.log(1 - 0.8**2))
    white = (z - found.shift) @ found.matrix.T
    assert torch.allclose(torch.cov(white.T), torch.eye(2).double(), atol=1e-9)
    assert found.crop == "" and len(found.steps) == 3


def test_what_hangs_together_between_positions_is_what_no_scaling_removes():
    rho = 0.8
    found = scaling(Maps(field(1500, rho, (6,)), field(3000, rho, (6,), seed=1)))
    *_, channels, positions = found.steps
    exact = 2 * 5 / 6 * -0.5 * math.log(1 - rho**2)  # five pairs of six steps, two channels
    assert within(positions.added, exact, 0.02) and within(channels.removed, 0.0, 0.01)
    assert positions.name == "covariance of positions" and found.crop == "whole maps"


def test_nothing_is_removed_where_nothing_is_wrong():
    found = scaling(Maps(field(400)))
    assert all(step.removed.value < 0.005 for step in found.steps)


@pytest.mark.parametrize(
    ("z", "factor", "message"),
    [
        (field(19), None, "at least 20 inputs are needed, got 19"),
        (field(30) * torch.tensor([1.0, 0.0]), None, "no channel may be constant, got .1.; leave"),
        (field(30) / 0, None, "z must be finite"),
        (field(30), 0.0, "factor must be a positive number, got 0.0"),
        (field(30), math.nan, "factor must be a positive number"),
    ],
)
def test_what_cannot_be_scaled_is_refused(z, factor, message):
    with pytest.raises(ValueError, match=message):
        scaling(Maps(z), factor=factor)
