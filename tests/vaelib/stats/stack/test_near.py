"""Near-copies of training inputs win nothing, and independent draws lose next to nothing."""

import pytest
import torch

from vaelib.seeding import stream
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.certify import certify, certify_in_sequence
from vaelib.stats.stack.near import copy_distance, nearest_row, recited, unrecited
from vaelib.worlds.world import normal


def near(z, train, distance):
    """Which z win nothing."""
    return unrecited(torch.ones(len(z), 1), z, train, distance)[:, 0] == 0


def points(z):
    return Posteriors(z, torch.zeros_like(z))


@pytest.mark.parametrize("dimensions", [2, 3, 8, 24])
def test_a_hundredth_of_independent_draws_lies_as_near(dimensions):
    generator = stream("near", 0)
    train, z = normal(3000, dimensions, generator), normal(4000, dimensions, generator)
    share = float(near(z, train, copy_distance(train)).double().mean())
    assert 0.003 < share < 0.04


def test_in_one_dimension_no_distance_is_needed():
    assert copy_distance(normal(300, 1, stream("near", 0))) is None


def test_copies_lie_nearer_also_where_training_inputs_hold_copies():
    generator = stream("near", 1)
    train = normal(2000, 8, generator)
    plain = copy_distance(train)
    train[1700:] = train[:300] + 1e-3 * normal(300, 8, generator)
    assert 0.3 * plain < copy_distance(train) < 2 * plain
    copies = train[:500] + 0.05 * normal(500, 8, generator)
    assert float(near(copies, train, copy_distance(train)).double().mean()) > 0.95


def test_what_equals_several_training_inputs_wins_what_it_wins():
    """These are atoms of the law, such as the means of an encoder that is constant there."""
    zeros = torch.zeros(30, 3, dtype=torch.float64)
    assert copy_distance(zeros) is None and not near(zeros, zeros, 0.1).any()
    train = torch.cat([zeros, normal(300, 3, stream("near", 6))])
    assert not near(zeros, train, copy_distance(train)).any()
    assert bool(near(train[30:], train, copy_distance(train)).all())


@pytest.mark.parametrize("share", [0.01, 0.03, 0.1])
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.2])
def test_few_copies_certify_nothing_at_an_exact_match(share, noise):
    """Fewer than what is flagged: they won 1.2 nats."""
    generator = stream("near", 2)
    train, z = normal(2000, 8, generator), normal(600, 8, generator)
    copied = round(share * 600)
    z[:copied] = train[:copied] + noise * normal(copied, 8, generator)
    found = certify(points(train), z, generator)
    assert found.lower < 0.02 and found.gain.value < 0.02


def augmented(mean, noise, generator):
    """The same law, a little further on."""
    fresh = normal(*mean.shape, generator)
    return (1 - noise**2) ** 0.5 * mean + noise * fresh


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
@pytest.mark.parametrize(("times", "noise"), [(2, 0.0), (2, 0.05), (5, 0.1)])
def test_copies_of_inputs_that_are_there_several_times_certify_nothing(times, noise, share):
    """Training inputs that are repeated or augmented hide copies of them: .5 nats were proved."""
    generator = stream("near", 7)
    scale, base = 0.3, (1 - 0.3**2) ** 0.5 * normal(400, 8, generator)
    train = augmented(base.repeat_interleave(times, 0) / 0.91**0.5, noise, generator) * 0.91**0.5
    own = 0.91**0.5 * normal(1000, 8, generator)
    copied = round(share * 1000)
    own[:copied] = augmented(base[:copied] / 0.91**0.5, noise, generator) * 0.91**0.5
    z = own + scale * normal(1000, 8, generator)
    data = Posteriors(train, torch.full_like(train, scale))
    found = certify(data, z, generator, means=own)
    assert found.lower < 0.03 and found.gain.value < 0.03
    assert found.recited >= 0.9 * share


def test_the_inputs_that_were_trained_on_may_come_in_clumps():
    """Where no held-out input is a copy, what draws win is theirs."""
    generator = stream("near", 8)
    train = augmented(normal(400, 8, generator).repeat_interleave(5, 0), 0.1, generator)
    found = certify(points(1.3 * train), 1.3 * normal(1000, 8, generator), generator)
    assert found.lower > 0.3 and found.recited < 0.03


@pytest.mark.parametrize("spread", [1e-3, 2e-2])
@pytest.mark.parametrize("dimensions", [2, 6])
def test_tight_clusters_are_no_copies(dimensions, spread):
    """Products of float32 had taken them for some."""
    generator = stream("near", 9)

    def draw(n):
        signs = torch.sign(normal(n, 1, generator))
        return signs + spread * normal(n, dimensions, generator)

    train, z = draw(3000), draw(1000)
    assert float(near(z, train, copy_distance(train)).double().mean()) < 0.04
    assert float(recited(z, train).double().mean()) < 0.04


@pytest.mark.parametrize("dimensions", [2, 8, 24])
@pytest.mark.parametrize(("training", "heldout"), [(3000, 1000), (20_000, 300), (300, 2000)])
def test_independent_draws_are_hardly_ever_recited(training, heldout, dimensions):
    generator = stream("near", 10)
    train, z = normal(training, dimensions, generator), normal(heldout, dimensions, generator)
    assert float(recited(z, train).double().mean()) < 0.03


def test_what_equals_other_held_out_inputs_is_an_atom_and_a_group_counts_once():
    generator = stream("near", 11)
    values = normal(30, 3, generator)
    train, z = values.repeat(20, 1), values.repeat(10, 1)
    assert not recited(z, train).any()
    fresh = normal(300, 3, generator)
    own = torch.cat([fresh, fresh + 1e-6 * normal(300, 3, generator)])
    groups = torch.arange(300).repeat(2)
    some = own[:60] + 1e-3 * normal(60, 3, generator)
    train = torch.cat([some, normal(900, 3, generator)])
    assert not recited(own, train)[:60].all() and recited(own, train, groups)[:60].all()


@pytest.mark.parametrize("dimensions", [2, 3, 7])
def test_the_nearest_row_is_that_of_all_distances(dimensions):
    generator = stream("near", 12)
    train, z = 50 + normal(400, dimensions, generator), 50 + normal(300, dimensions, generator)
    z[:100] = train[:100] + 1e-5 * normal(100, dimensions, generator)
    expected = (z[:, None] - train).norm(dim=2).min(1).values
    torch.testing.assert_close(nearest_row(z, train), expected, rtol=1e-3, atol=1e-9)


def test_posteriors_are_compared_by_their_means():
    generator = stream("near", 3)
    scale, (train, own) = 0.05, (0.9987 * normal(n, 16, generator) for n in (2000, 600))
    own[:60] = train[:60]
    z = own + scale * normal(600, 16, generator)
    data = Posteriors(train, torch.full_like(train, scale))
    assert certify(data, z, generator, means=own).lower < 0.02


def test_copies_within_a_sequence_certify_nothing():
    generator = stream("near", 4)
    z = normal(1000, 8, generator)
    z[700:] = z[:300] + 1e-3 * normal(300, 8, generator)
    assert certify_in_sequence(points(z), z, generator).lower < 0.02


def test_a_mismatch_is_certified_as_before():
    generator = stream("near", 5)
    train, z = (1.3 * normal(n, 8, generator) for n in (2000, 1000))
    assert certify(points(train), z, generator).lower > 0.4  # of .66
