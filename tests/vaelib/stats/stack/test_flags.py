"""Flags raise no alarm at draws of one law, and do at copies."""

import pytest
import torch

from bench.calibration.worlds import normal
from vaelib.seeding import stream
from vaelib.stats.stack.flags import nearness, repeated_rows


@pytest.mark.parametrize("dimensions", [1, 2, 8, 64])
@pytest.mark.parametrize("n", [20, 100, 1000])
def test_draws_of_one_law_are_no_alarm(dimensions, n):
    for seed in range(10):
        generator = stream("flags", seed)
        z = normal(1000 + n, dimensions, generator)
        result = nearness(z[:1000], z[1000:], generator)
        assert not result.flagged
        assert abs(result.nearer - 0.5) < 0.25


@pytest.mark.parametrize("noise", [0.02, 0.05, 0.1, 0.2, 0.3])
def test_copies_are_an_alarm(noise):
    generator = stream("flags", 1)
    z = normal(3000, 8, generator)
    result = nearness(z, z[:300] + noise * normal(300, 8, generator), generator)
    assert result.flagged and result.nearer > 0.8


def test_some_copies_among_others_are_one():
    generator = stream("flags", 2)
    z = normal(3000, 8, generator)
    heldout = normal(1000, 8, generator)
    heldout[:60] = z[:60] + 0.02 * normal(60, 8, generator)
    result = nearness(z, heldout, generator)
    assert result.flagged and result.close == pytest.approx(0.07, abs=0.015)


def test_a_law_that_is_wider_or_shifted_is_no_copy():
    generator = stream("flags", 3)
    z = normal(2000, 4, generator)
    for heldout in (1.5 * normal(800, 4, generator), normal(800, 4, generator) + 0.5):
        assert not nearness(z, heldout, generator).flagged


def test_repeats_are_counted():
    z = torch.arange(10.0)[:, None]
    assert repeated_rows(z, z) == 0
    assert repeated_rows(torch.cat([z, z[:5]])) == pytest.approx(1 / 3)
    scale = torch.arange(15.0)[:, None]
    assert repeated_rows(torch.cat([z, z[:5]]), scale) == 0
