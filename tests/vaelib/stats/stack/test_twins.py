"""Near pairs are told from draws of any law, and draws of no law are taken for pairs."""

import pytest
import torch

from vaelib.seeding import stream
from vaelib.stats.stack.twins import twins_p_value
from vaelib.worlds.world import normal


def uniform(n, dimensions, generator):
    return torch.rand(n, dimensions, generator=generator, dtype=torch.float64)


def clustered(n, dimensions, generator):
    """Clusters so tight and so many that most hold a few draws."""
    centres = 10 * uniform(n // 3, dimensions, generator)
    index = torch.randint(len(centres), (n,), generator=generator)
    return centres[index] + 0.01 * normal(n, dimensions, generator)


def circle(n, dimensions, generator):
    angle = 2 * torch.pi * uniform(n, 1, generator)
    return torch.cat([angle.cos(), angle.sin(), torch.zeros(n, dimensions)], 1)


@pytest.mark.parametrize("law", [uniform, normal, clustered, circle])
@pytest.mark.parametrize("dimensions", [1, 2, 8])
def test_independent_draws_are_no_pairs(law, dimensions):
    """Of 60 samples of each law none; the p-value is conservative by far."""
    generator = stream("twins", 0)
    least = min(
        twins_p_value(law(n, dimensions, generator), generator)
        for n in (40, 100, 300)
        for _ in range(20)
    )
    assert least > 0.01


@pytest.mark.parametrize("dimensions", [2, 3, 8, 32])
@pytest.mark.parametrize(("n", "share"), [(60, 1.0), (200, 0.5), (1000, 0.5), (5000, 1.0)])
def test_rows_that_come_in_pairs_are_seen(dimensions, n, share):
    generator = stream("twins", 1)
    z = normal(n, dimensions, generator)
    paired = int(share * n / 2)
    z[:paired] = z[n - paired :] + 0.003 * normal(paired, dimensions, generator)
    assert twins_p_value(z, generator) < 0.01


@pytest.mark.parametrize("copies", [3, 5, 10, 20])
@pytest.mark.parametrize("dimensions", [3, 8, 32])
def test_more_than_two_views_of_each_input_are_seen(copies, dimensions):
    generator = stream("twins", 2)
    z = normal(max(60, 600 // copies), dimensions, generator).repeat(copies, 1)
    z = z + 0.003 * normal(len(z), dimensions, generator)
    assert twins_p_value(z, generator) < 0.01


def test_equal_rows_are_left_to_others():
    generator = stream("twins", 3)
    z = normal(300, 2, generator)
    assert twins_p_value(torch.cat([z, z]), generator) == 1
    constant = torch.cat([z[:100], torch.zeros(200, 2, dtype=torch.float64)])
    assert twins_p_value(constant, generator) > 0.01
