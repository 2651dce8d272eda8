"""The bounds of a certified mismatch, against worlds whose KL is known."""

import math

import pytest
import torch

from tests.oracles import OWN_WORLDS, WORLDS
from vaelib.priors import Mixture, Normal
from vaelib.seeding import stream
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.certify import certify, certify_in_sequence
from vaelib.stats.stack.flags import copied_share
from vaelib.worlds.specified import near_duplicates
from vaelib.worlds.world import normal

WORLD = {world.name: world for world in [*WORLDS, *OWN_WORLDS]}
MATCHED = [world for world in WORLDS if world.kl == 0]


def posteriors(world, n, generator):
    if world.encode is not None:
        return Posteriors(*world.encode(n, generator))
    z = world.draw(n, generator)
    return Posteriors(z, torch.zeros_like(z))


def points(z):
    return Posteriors(z, torch.zeros_like(z))


def certified(world, seed, train=1000, heldout=300):
    generator = stream("certify", seed)
    fitted, z = posteriors(world, train, generator), world.draw(heldout, generator)
    return certify(fitted, z, stream("certify order", seed))


@pytest.mark.parametrize("name", ["N(0, 2 I), D = 2", "banana", "two points"])
def test_the_bracket_holds_the_kl_of_a_mismatch(name):
    world = WORLD[name]
    result = certified(world, 0)
    value, error = result.gain
    assert 0 < result.lower <= world.kl
    assert value - 3 * error <= world.kl and value > 0.4 * world.kl
    assert result.p_value < 1e-6 and result.rounds == 300


@pytest.mark.parametrize("world", MATCHED, ids=lambda world: world.name)
def test_an_exact_match_certifies_nothing(world):
    result = certified(world, 1)
    assert result.lower < 0.05 and result.p_value > 0.001
    assert result.gain.value <= 3 * result.gain.standard_error + 0.005


def test_shape_is_what_lies_beyond_the_gaussian():
    wide, shell = certified(WORLD["N(0, 2 I), D = 2"], 2), certified(WORLD["shell"], 2)
    assert abs(wide.shape.value) < 0.02
    assert shell.shape.value > 0.5


@pytest.mark.parametrize("dimensions", [8, 32])
def test_a_gaussian_law_has_no_shape(dimensions):
    """Half of the dimensions of another variance: the best Gaussian is none of the candidates."""
    generator = stream("certify", 19)
    scale = torch.ones(dimensions, dtype=torch.float64)
    scale[: dimensions // 2] = 1.3**0.5
    result = certify(
        points(scale * normal(1000, dimensions, generator)),
        scale * normal(800, dimensions, generator),
        stream("certify order", 19),
    )
    assert result.shape.value < 3 * result.shape.standard_error + 0.01
    assert result.gain.value > 0.05


def test_the_stack_is_a_density_near_q():
    """Its draws have the radii of the world, and its log density the gain."""
    world, generator = WORLD["N(0, 2 I), D = 2"], stream("certify", 3)
    stack = certified(world, 3, 2000).stack
    assert sum(stack.weights.values()) == pytest.approx(1) and stack.weights["prior"] >= 0.02
    assert float(stack.sample(20_000, generator).square().mean()) == pytest.approx(2, rel=0.08)
    z = world.draw(20_000, generator)
    ratio = stack.log_prob(z) - Normal(2).log_prob(z)
    assert float(ratio.mean()) == pytest.approx(world.kl, abs=0.04)


@pytest.mark.parametrize("name", ["N(0, 2 I), D = 2", "banana"])
def test_without_held_out_inputs_one_martingale_runs_through_them(name):
    world = WORLD[name]
    z = world.draw(900, stream("certify", 4))
    result = certify_in_sequence(points(z), z, stream("certify order", 4))
    assert 0 < result.lower <= world.kl and result.rounds == 900
    matched = normal(900, 2, stream("certify", 5))
    assert certify_in_sequence(points(matched), matched, stream("certify", 6)).lower < 0.02


def test_groups_count_once():
    """Each z ten times in a group: as certain as once; without groups ten times too certain."""
    generator = stream("certify", 7)
    fitted, z = points(normal(600, 2, generator)), 1.3 * normal(60, 2, generator)
    once = certify(fitted, z, stream("certify order", 7))
    labels = torch.arange(60).repeat(10)
    grouped = certify(fitted, z.repeat(10, 1), stream("certify order", 7), groups=labels)
    assert grouped.lower == pytest.approx(once.lower, abs=0.02)
    assert grouped.gain.standard_error == pytest.approx(once.gain.standard_error, rel=0.3)
    assert grouped.rounds == 60


def test_a_prior_with_a_density_alone_is_certified_too():
    """q = N(0, I) against a mixture far from it, and against itself."""
    torch.manual_seed(0)
    prior = Mixture(2, components=3).double()
    with torch.no_grad():
        own = prior.sample(900, stream("certify", 8)).double()
    matched = certify(points(own[:600]), own[600:], stream("certify", 9), prior=prior)
    z = normal(900, 2, stream("certify", 10)) + 1
    apart = certify(points(z[:600]), z[600:], stream("certify", 11), prior=prior)
    assert matched.lower < 0.02 and apart.lower > 0.2


def test_copies_of_training_z_are_flagged_and_win_nothing():
    """They would certify a mismatch of many nats at an exact match."""
    generator = stream("certify", 12)
    z = normal(2000, 8, generator)
    copies = near_duplicates(z[:500], generator)
    assert certify(points(z), copies, stream("certify", 13)).lower == 0
    assert copied_share(z, copies, stream("certify", 14)) > 0.5


@pytest.mark.parametrize(
    ("z", "options", "said"),
    [
        (torch.zeros(19, 2), {}, "at least 20 independent z are needed to bound the KL, got 19"),
        (torch.zeros(40, 2), {"groups": torch.zeros(40).long()}, "groups of z are needed"),
        (torch.zeros(40, 3), {}, "must have the 2 dimensions of the training latents, got 3"),
        (torch.zeros(40, 2), {"alpha": 0.0}, "alpha must lie between 0 and 1, got 0.0"),
        (torch.zeros(40, 2), {"groups": torch.zeros(39).long()}, "one label per z"),
    ],
)
def test_bad_input_is_one_sentence(z, options, said):
    fitted = points(normal(100, 2, stream("certify", 15)))
    with pytest.raises(ValueError, match=said):
        certify(fitted, z.double(), stream("certify", 16), **options)


def test_what_no_density_can_be_fitted_to_is_refused():
    z = normal(100, 2, stream("certify", 17))
    with pytest.raises(ValueError, match="must differ, got rows that are all equal"):
        certify(points(torch.ones(100, 2).double()), z, stream("certify", 18))
    holed = z.clone()
    holed[3, 1] = math.nan
    with pytest.raises(ValueError, match="finite"):
        certify(points(holed), z, stream("certify", 18))
    with pytest.raises(ValueError, match="finite"):
        certify(points(z), holed, stream("certify", 18))
