"""The laws whose answers are counted: each has the KL that it is said to have."""

import math

import pytest
import torch

from bench.calibration.answers.kinds import in_sequence
from bench.calibration.answers.matches import MATCHES
from bench.calibration.answers.mismatches import MISMATCH_WORLDS, MISMATCHES
from vaelib.priors import Mixture
from vaelib.priors.base import has_map
from vaelib.seeding import stream
from vaelib.worlds.specified import WORLDS
from vaelib.worlds.untuned import OWN_WORLDS

DRAWS = 20_000
LEAST = {name: least for name, (_, least) in MISMATCH_WORLDS.items()}


@pytest.mark.parametrize("name", MISMATCH_WORLDS)
@pytest.mark.parametrize("kl", [0.05, 0.2])
def test_a_mismatch_has_the_kl_that_is_asked_for(name, kl):
    """By its own sum or quadrature, and by the mean log ratio of draws within 4 standard errors."""
    world = MISMATCH_WORLDS[name][0](max(3, LEAST[name]), kl)
    assert world.kl == pytest.approx(kl, abs=1e-9)
    z = world.draw(DRAWS, stream("kinds", 0))
    assert z.shape == (DRAWS, world.dimensions) and z.dtype == torch.float64
    ratio = world.log_ratio(z)
    error = float(ratio.std()) / math.sqrt(DRAWS)
    assert float(ratio.mean()) == pytest.approx(kl, abs=4 * error)
    inverse = (-ratio).exp()
    assert float(inverse.mean()) <= 1 + 4 * float(inverse.std()) / math.sqrt(DRAWS)


@pytest.mark.parametrize("name", LEAST)
def test_a_mismatch_is_defined_from_its_least_dimension_on(name):
    world = MISMATCH_WORLDS[name][0](LEAST[name], 0.04)
    assert world.draw(3, stream("kinds", 1)).shape == (3, LEAST[name])


@pytest.mark.parametrize("kind", MATCHES, ids=lambda kind: kind.name)
def test_a_match_has_the_law_of_its_prior(kind):
    given = kind.of(3, 0.0)(DRAWS, 40, stream("kinds", 2))
    z = given.played.z
    assert z.shape == (DRAWS, 3)
    if isinstance(given.prior, Mixture):
        other = given.prior.sample(DRAWS, stream("kinds", 3)).double()
        assert (torch.cov(z.T) - torch.cov(other.T)).abs().max() < 0.05
        assert (z.mean(0) - other.mean(0)).abs().max() < 0.05
        assert float(given.prior.log_prob(z).mean()) == pytest.approx(
            float(given.prior.log_prob(other).mean()), abs=0.05
        )
        return
    z = given.prior.to_normal(z) if has_map(given.prior) else z
    eye = torch.eye(3, dtype=torch.float64)
    assert (z.T @ z / DRAWS - eye).abs().max() < 0.06
    assert z.mean(0).abs().max() < 0.05
    assert float(z.pow(4).mean()) == pytest.approx(3, abs=0.15)
    assert float(z.square().sum(1).var()) == pytest.approx(6, rel=0.06)


def test_the_scale_by_place_stays_a_match_at_large_d():
    """Both kinds of posteriors are there, and the radius has the prior's law."""
    kind = next(kind for kind in MATCHES if kind.name == "scale by place")
    played = kind.of(64, 0.0)(4000, 20, stream("kinds", 4)).played
    wide = played.posterior.scale[:, 0] > 0.5
    assert 0.2 < float(wide.double().mean()) < 0.6
    radius = played.z.square().sum(1)
    assert float(radius.mean()) == pytest.approx(64, abs=0.8)
    assert float(radius.var()) == pytest.approx(128, rel=0.1)


def test_two_z_of_an_input_are_one_group():
    kind = next(kind for kind in MATCHES if "grouped" in kind.name)
    played = kind.of(2, 0.0)(10, 20, stream("kinds", 5)).played
    assert played.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert torch.equal(played.posterior.mean[::2], played.posterior.mean[1::2])
    assert not torch.equal(played.z[::2], played.z[1::2])


def test_names_tell_kinds_apart():
    names = [kind.name for kind in [*MATCHES, *MISMATCHES]]
    assert len(set(names)) == len(names)
    assert {kind.family for kind in MATCHES} == {"match"}
    assert {kind.family for kind in MISMATCHES} == {"gaussian", "other", "rare"}
    assert not {f"world: {world.name}" for world in [*WORLDS, *OWN_WORLDS]} & set(names)


def test_bare_z_have_nothing_else():
    given = in_sequence(WORLDS[0])(30, 60, stream("kinds", 6))
    assert given.fitted is None and given.played.posterior is None
