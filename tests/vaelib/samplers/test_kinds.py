"""Candidates as plain tensors and back: the same density, and the same draws of a seed."""

import math

import pytest
import torch

from vaelib.priors import Uniform
from vaelib.samplers.candidates import low_rank_gaussian, repair_candidates, standard_normal
from vaelib.samplers.kinds import as_read, candidate_of, is_mixture, tensors_of
from vaelib.samplers.sampler import Box, Sampler
from vaelib.stats.stack.candidates import (
    Posteriors,
    PriorCandidate,
    StandardNormal,
    normal_candidates,
)
from vaelib.stats.stack.fitted import fit_candidates
from vaelib.stats.stack.line import CopulaCandidate, RadiusCandidate
from vaelib.worlds.specified import clusters
from vaelib.worlds.world import normal


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def points(n, dimensions):
    z = clusters(dimensions).draw(n, seeded()) if dimensions > 1 else normal(n, 1, seeded()).sign()
    return 1.3 * z + 0.1 * normal(n, dimensions, seeded(1))


@pytest.mark.parametrize("dimensions", [1, 2, 5, 70])
@pytest.mark.parametrize("scale", [0.0, 0.3])
def test_every_candidate_comes_back(dimensions, scale):
    z = points(400, dimensions)
    data = Posteriors(z, torch.full_like(z, scale))
    candidates = repair_candidates(data, seeded()) | {"normal": StandardNormal(dimensions)}
    at = torch.cat([points(200, dimensions), 4 * normal(100, dimensions, seeded(2))])
    assert {tensors_of(one)[0] for one in candidates.values()} >= {"mixture", "copula"}
    for name, one in candidates.items():
        kind, tensors = tensors_of(one)
        again = candidate_of(kind, {k: v.clone() for k, v in tensors.items()}, dimensions)
        away = (again.log_prob(at) - one.log_prob(at)).abs()
        assert float(away.max()) < 1e-9, name
        drawn = [c.sample(50, seeded(3)) for c in (as_read(one, dimensions), again)]
        assert torch.equal(*drawn), name


def test_a_candidate_without_such_a_form_is_refused_and_left_as_it_is():
    uniform = PriorCandidate(Uniform(2))
    with pytest.raises(
        ValueError, match=r"^a sampler's file holds mixtures, copulas and radii, got"
    ):
        tensors_of(uniform)
    assert as_read(uniform, 2) is uniform and not is_mixture(uniform)


def test_tables_are_told_from_mixtures():
    z = points(300, 3)
    assert not is_mixture(CopulaCandidate(z)) and not is_mixture(RadiusCandidate(z))
    assert is_mixture(standard_normal(3))


@pytest.mark.parametrize(("n", "dimensions"), [(500, 20), (100, 20), (1000, 3)])
def test_the_gaussian_of_few_directions_is_that_of_shrunk_spectrum(n, dimensions):
    z = normal(n, dimensions, seeded()) + 0.4
    z[:, 0] *= 2.5
    z[:, 1] *= 0.3
    white = Posteriors(z, 0 * z)
    known = normal_candidates(white)["shrunk spectrum"]
    found = low_rank_gaussian(z)
    at = normal(50, dimensions, seeded(4))
    torch.testing.assert_close(found.log_prob(at), known.log_prob(at), atol=1e-8, rtol=0)


def test_fewer_points_than_dimensions_give_a_density_with_the_spikes_alone():
    z = normal(60, 200, seeded())
    z[:, 0] *= 8
    found = low_rank_gaussian(z)
    directions = tensors_of(found)[1]["directions"]
    assert directions.shape[1] < 10
    own = found.sample(4000, seeded(1))
    assert float(own[:, 0].var()) > 20 and 0.8 < float(own[:, 7].var()) < 1.3
    fresh = normal(500, 200, seeded(5))
    fresh[:, 0] *= 8
    gain = (found.log_prob(fresh) - standard_normal(200).log_prob(fresh)).mean()
    assert 20 < float(gain) < 0.5 * (64 - 1 - math.log(64))


def test_large_dimensions_have_no_matrix():
    z = 1.2 * normal(150, 600, seeded()) + 0.3
    candidates = repair_candidates(Posteriors(z, 0 * z), seeded())
    assert next(iter(candidates)) == "prior"
    numbers = sum(v.numel() for c in candidates.values() for v in tensors_of(c)[1].values())
    assert numbers < 5 * 600**2
    fresh = 1.2 * normal(100, 600, seeded(9)) + 0.3
    gain = {k: float((c.log_prob(fresh) - candidates["prior"].log_prob(fresh)).mean())
            for k, c in candidates.items()}  # fmt: skip
    exact = 300 * (1.44 + 0.09 - 1 - math.log(1.44))
    assert gain["gauge"] > 0.8 * exact and max(gain.values()) < exact + 10


@pytest.mark.parametrize("dimensions", [1, 2])
def test_a_sampler_on_a_box_is_a_density_there(dimensions):
    z = normal(300, dimensions, seeded()) * 0.5 + 0.7
    candidates = fit_candidates(Posteriors(z, 0 * z), seeded())
    weights = torch.full((len(candidates),), 1 / len(candidates), dtype=torch.float64)
    sampler = Sampler(candidates, weights, dimensions, box=Box(-1.0, 3.0))
    axis = torch.linspace(-1, 3, 201, dtype=torch.float64)
    middle = (axis[1:] + axis[:-1]) / 2
    grid = torch.cartesian_prod(*[middle] * dimensions).reshape(-1, dimensions)
    mass = sampler.log_prob(grid).exp().sum() * 0.02**dimensions
    assert abs(float(mass) - 1) < 0.01
    drawn = sampler.sample(4000, seeded())
    assert float(drawn.min()) >= -1 and float(drawn.max()) <= 3
    entropy = -(sampler.log_prob(grid).exp() * sampler.log_prob(grid)).nansum() * 0.02**dimensions
    assert abs(float(sampler.log_prob(drawn).mean() + entropy)) < 0.1
    outside = torch.full((1, dimensions), 3.1, dtype=torch.float64)
    assert float(sampler.log_prob(outside)) == -math.inf
