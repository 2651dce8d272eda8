"""Flags raise no alarm at independent samples of any two laws, and do at copies."""

import pytest
import torch

from vaelib.seeding import stream
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.certify import certify
from vaelib.stats.stack.flags import copied_share
from vaelib.worlds.world import normal


def clusters(n, dimensions, generator):
    """Fifty points, nearly."""
    centre = torch.randint(50, (n, 1), generator=generator).double()
    return centre + 1e-3 * normal(n, dimensions, generator)


def narrow(n, dimensions, generator):
    return 0.3 * normal(n, dimensions, generator)


def wide(n, dimensions, generator):
    return 1.5 * normal(n, dimensions, generator) + 0.5


def heavy(n, dimensions, generator):
    return normal(n, dimensions, generator) / normal(n, 1, generator).abs()


def grid(n, dimensions, generator):
    return torch.randint(200, (n, dimensions), generator=generator).double()


@pytest.mark.parametrize("law", [normal, clusters, narrow, wide, heavy, grid])
@pytest.mark.parametrize("dimensions", [1, 2, 8, 64])
@pytest.mark.parametrize("n", [20, 50, 1000])
def test_independent_samples_are_no_alarm(law, dimensions, n):
    for seed in range(3):
        generator = stream("flags", seed)
        heldout = law(n, dimensions, generator)
        assert copied_share(normal(500, dimensions, generator), heldout, generator) == 0
        assert copied_share(law(500, dimensions, generator), heldout, generator) == 0


@pytest.mark.parametrize("n", [2, 3])
def test_two_rows_are_enough(n):
    generator = stream("flags", 8)
    assert copied_share(normal(n, 3, generator), normal(n, 3, generator), generator) == 0


def test_equal_rows_are_no_alarm():
    zeros = torch.zeros(30, 2, dtype=torch.float64)
    assert copied_share(zeros, zeros, stream("flags", 0)) == 0


@pytest.mark.parametrize("noise", [0.02, 0.05, 0.1, 0.2, 0.3])
def test_copies_are_an_alarm(noise):
    generator = stream("flags", 1)
    z = normal(3000, 8, generator)
    heldout = z[:600] + noise * normal(600, 8, generator)
    assert 0.1 < copied_share(z, heldout, generator) <= 1


@pytest.mark.parametrize("dimensions", [1, 2, 8])
def test_exact_copies_of_means_are_one(dimensions):
    generator = stream("flags", 5)
    z = normal(3000, dimensions, generator)
    assert copied_share(z, z[:1000], generator) > 0.7


def test_the_share_is_a_lower_bound():
    generator = stream("flags", 2)
    z = normal(3000, 8, generator)
    heldout = normal(1000, 8, generator)
    heldout[:100] = z[:100] + 0.02 * normal(100, 8, generator)
    assert 0.01 < copied_share(z, heldout, generator) < 0.1


@pytest.mark.parametrize("dimensions", [2, 4, 8])
@pytest.mark.parametrize("noise", [0.02, 0.05, 0.1, 0.2, 0.4])
def test_copies_that_would_certify_more_than_the_margin_are_seen(dimensions, noise):
    """Also where their noise is as large as the distance between neighbours."""
    generator = stream("flags", 3)
    z = normal(3000, dimensions, generator)
    copies = z[:1500] + noise * normal(1500, dimensions, generator)
    copies = copies / (1 + noise**2) ** 0.5
    lower = certify(Posteriors(z, torch.zeros_like(z)), copies, generator).lower
    assert lower < 0.05 or copied_share(z, copies, generator) > 0.01


def test_pairs_of_a_group_do_not_count():
    """Two z of every held-out input hide no copies: their own pairs lie near by design."""
    generator = stream("flags", 4)
    z = normal(3000, 8, generator)
    labels = torch.arange(300).repeat_interleave(2)
    heldout = z[:300].repeat_interleave(2, 0) + 0.05 * normal(600, 8, generator)
    assert copied_share(z, heldout, generator) == 0
    assert copied_share(z, heldout, generator, labels) > 0.3
