"""The bracket and its word in every world whose KL is known, at the size that the table quotes."""

import math

import pytest
import torch

from tests.oracles import OWN_WORLDS, WORLDS
from vaelib.audits.certified import bracket
from vaelib.audits.effects import Evidence
from vaelib.audits.latents import Latents
from vaelib.audits.settings import AuditSettings
from vaelib.audits.verdict import verdict
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.seeding import stream
from vaelib.worlds.specified import near_duplicates
from vaelib.worlds.world import normal

TRAIN, HELDOUT = 3000, 1500

QUOTED = {
    "spectrum 3, 2, .4": (0.60, 0.76, "no"),
    "ten clusters": (0.55, 0.77, "no"),
    "shell": (0.65, 0.80, "no"),
    "one bimodal dimension of 64": (0.12, 0.19, "no"),
    "student, 5 degrees": (0.20, 0.38, "no"),
    "banana": (0.10, 0.21, "no"),
    "four-sign parity, D = 4": (0.15, 0.40, "no"),
    "AR(1) of .5": (5.0, 5.6, "no"),
    "8 of 32 active": (-0.01, 0.005, "never no"),
    "KL .05, D = 8": (0.02, 0.05, "undecided"),
}
"""Where the gain lies, within three standard errors, and the answer."""


def latents(world, n, generator):
    if world.encode is None:
        return Latents(world.draw(n, generator))
    q = AggregatePosterior(*world.encode(n, generator))
    return Latents(q.sample(generator)[0], q)


def measured(world, seed, train=TRAIN, heldout=HELDOUT):
    """Evidence of held-out latents, candidates fitted to others; saturation by the rate."""
    generator = stream("worlds of the bracket", seed)
    fitted, played = latents(world, train, generator), latents(world, heldout, generator)
    rows = bracket(Normal(world.dimensions), "test", played, AuditSettings(seed), fitted)
    return Evidence(list(rows), "test"), played


def saturated(played):
    if played.posterior is None:
        return False
    q = played.posterior
    rate = Normal(q.latent_dim).kl(q.mean, q.scale).mean()
    return float(rate) > math.log(q.components) - 1


@pytest.mark.slow
@pytest.mark.parametrize("world", [*WORLDS, *OWN_WORLDS], ids=lambda world: world.name)
def test_the_bracket_holds_the_kl_and_the_word_is_right(world):
    evidence, played = measured(world, 0)
    value, error = evidence.row["certified_kl"].value, evidence.row["certified_kl"].standard_error
    ends, kl = evidence.bracket, world.kl
    assert 0 <= ends.lower <= kl + 1e-9
    assert value - 4 * error <= kl
    if not math.isnan(ends.upper):
        assert ends.upper >= kl
    decisive = type(ends)(ends.lower, ends.upper, ends.inputs, saturated(played))
    word = verdict(decisive)
    assert (word != "no") or kl > 0.05
    assert (word != "yes") or kl < 0.05
    if world.name in QUOTED:
        low, high, expected = QUOTED[world.name]
        assert value + 3 * error >= low and value - 3 * error <= high
        assert word == expected or (expected == "never no" and word != "no")


def test_copies_of_the_training_z_are_flagged():
    generator = stream("worlds of the bracket", 1)
    train = normal(TRAIN, 8, generator)
    played = Latents(near_duplicates(train[:HELDOUT], generator))
    rows = bracket(Normal(8), "test", played, AuditSettings(), Latents(train))
    assert verdict(Evidence(list(rows), "test").bracket) == "flagged"


@pytest.mark.parametrize(("distinct", "times"), [(30, 20), (60, 10), (120, 5), (590, 2)])
def test_posteriors_of_repeated_inputs_are_flagged(distinct, times):
    world = next(world for world in WORLDS if world.name == "exact match, D = 2")
    generator = stream("worlds of the bracket", 6)
    mean, scale = (part.repeat(times, 1) for part in world.encode(distinct, generator))
    q = AggregatePosterior(mean, scale)
    rows = bracket(Normal(2), "test", Latents(q.sample(generator)[0], q), AuditSettings())
    assert verdict(Evidence(list(rows), "test").bracket) == "flagged"


@pytest.mark.parametrize("constant", [0.02, 0.1, 0.5, 0.9, 1.0])
def test_an_encoder_that_is_constant_on_a_part_of_the_inputs_is_not_flagged(constant):
    generator = stream("worlds of the bracket", 7)
    mean = 0.5 * normal(HELDOUT, 2, generator)
    mean[: int(constant * HELDOUT)] = 0.0
    q = AggregatePosterior(mean, torch.full_like(mean, 0.8))
    rows = bracket(Normal(2), "test", Latents(q.sample(generator)[0], q), AuditSettings())
    assert not Evidence(list(rows), "test").bracket.flagged


def test_an_exact_match_of_many_inputs_is_a_yes():
    world = next(world for world in WORLDS if world.name == "exact match, D = 2")
    evidence, _ = measured(world, 2)
    assert verdict(evidence.bracket) == "yes"


def test_the_bracket_has_the_same_rows_in_every_process():
    world = WORLDS[5]
    first, second = (measured(world, 3, 300, 100)[0].row for _ in range(2))
    assert first == second
    assert measured(world, 4, 300, 100)[0].row != first


def test_latents_stay_as_they_were():
    z = normal(60, 2, stream("worlds of the bracket", 5))
    before = z.clone()
    list(bracket(Normal(2), "sample", Latents(z), AuditSettings()))
    assert torch.equal(z, before)
