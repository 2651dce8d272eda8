"""The floor, the null and the excess of the marginal KL over N inputs."""

import math

import pytest
import torch

from tests.oracles import WORLDS
from tests.vaelib.stats.test_divergences import exact_null, mixture
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.seeding import stream
from vaelib.stats import finite_sample
from vaelib.stats.divergences import decompose
from vaelib.stats.finite_sample import draw_null, marginal_kl_null


def test_floor_and_saturation():
    assert finite_sample.marginal_kl_floor(16, 5000) == pytest.approx(7.483, abs=1e-3)
    assert finite_sample.marginal_kl_floor(1.0, 5000) == 0
    assert finite_sample.is_saturated(7.6, 5000)
    assert not finite_sample.is_saturated(7.4, 5000)


@pytest.mark.parametrize(("components", "dimensions"), [(200, 2), (200, 16)])
def test_the_exact_null_encoder_has_no_excess_however_large_its_raw_kl(components, dimensions):
    excesses = []
    for seed in range(20):
        q = exact_null(components, dimensions, seed)
        observed = decompose(q, Normal(dimensions), stream("z", seed), draws=4)
        null = marginal_kl_null(q, stream("null", seed), draws=30)
        excesses.append(null.excess(observed)[0])
        if dimensions == 16:
            assert observed.marginal_kl > 5
    values = torch.tensor(excesses)
    assert abs(float(values.mean())) < 4 * float(values.std()) / 20**0.5  # 6 in 10^5 by chance


def test_p_values_of_the_exact_null_encoder_are_uniform_and_never_zero():
    ranks = []
    for seed in range(200):
        q = exact_null(40, 2, seed)
        null = marginal_kl_null(q, stream("null", seed), draws=19)
        ranks.append(null.p_value(decompose(q, Normal(2), stream("z", seed))) * 20)
    counts = torch.bincount(torch.tensor(ranks).round().long(), minlength=21)
    assert counts[0] == 0
    assert counts[1] <= 23  # binomial(200, 1/20): above with probability 2e-4
    chi_squared = float((counts[1:] - 10).square().sum() / 10)
    assert chi_squared < 46  # 19 degrees of freedom: above with probability 5e-4


def test_a_mismatch_is_found():
    wide = AggregatePosterior(2 * exact_null(300, 2, 0).mean, exact_null(300, 2, 0).scale)
    null = marginal_kl_null(wide, stream("null", 0), draws=39)
    observed = decompose(wide, Normal(2), stream("z", 0))
    assert null.p_value(observed) == pytest.approx(1 / 40)
    assert null.excess(observed)[0] > 0.1


def test_the_null_keeps_the_scales():
    q = mixture(50, 2, 0.7)
    assert torch.equal(draw_null(q, stream("null", 0)).scale, q.scale)
    with pytest.raises(ValueError, match="draws must be at least 2, got 1"):
        marginal_kl_null(q, stream("null", 0), draws=1)


def test_there_is_no_null_where_a_scale_of_an_active_dimension_exceeds_1():
    scale = torch.full((50, 2), 0.5, dtype=torch.float64)
    scale[3, 1] = 1.2
    active = AggregatePosterior(mixture(50, 2, 0.5).mean, scale)
    with pytest.raises(ValueError, match="active dimensions must not exceed 1, got 1.2"):
        marginal_kl_null(active, stream("null", 0), draws=2)
    still = AggregatePosterior(active.mean * torch.tensor([1.0, 0.01]), scale)
    assert torch.equal(draw_null(still, stream("null", 0)).scale, scale.clamp_max(1))


def test_a_collapse_that_is_too_wide_has_its_kl_as_its_excess():
    """All posteriors N(0, 1.2 I), D = 8: KL .0707, which a null of the same scales would hide."""
    world = next(w for w in WORLDS if w.name == "posteriors N(0, 1.2 I)")
    q = AggregatePosterior(*world.encode(200, stream("world", 0)))
    null = marginal_kl_null(q, stream("null", 0), draws=5)
    observed = decompose(q, Normal(8), stream("z", 0))
    assert null.excess(observed)[0] == pytest.approx(world.kl, abs=1e-6)


# Whether the scale depends on the place


def correlation_of(dimensions, wide, narrow):
    """Of `place_dependent`: a share w at 0 with log scale log a, the others with moments known."""
    a, b = wide**2 - narrow**2, 1 - narrow**2
    w = 0.99 * (a / b) ** (dimensions / 2)
    mean = dimensions * (b - w * a)
    square = dimensions * (dimensions + 2) * (b**2 - w * a**2)
    return -w * mean / math.sqrt(w * (1 - w) * (square - mean**2))


@pytest.mark.parametrize("dimensions", [2, 4, 8])
def test_scale_by_place_of_an_exact_match_whose_scale_depends_on_the_place(dimensions):
    world = next(w for w in WORLDS if w.name == f"scale by place, D = {dimensions}")
    q = AggregatePosterior(*world.encode(4000, stream("place", dimensions)))
    value, error = finite_sample.scale_by_place(q)
    assert value == pytest.approx(correlation_of(dimensions, 0.9, 0.3), abs=4 * error)
    assert value < -6 * error


def test_the_error_of_scale_by_place_is_its_spread():
    found = []
    for seed in range(200):
        generator = stream("grows", seed)
        mean = torch.randn(300, 3, generator=generator).double()
        noise = torch.randn(300, 1, generator=generator)
        scale = (0.1 * mean.square().sum(1, keepdim=True) + 0.3 * noise - 2).exp().expand(300, 3)
        found.append(finite_sample.scale_by_place(AggregatePosterior(mean, scale)))
    values, errors = torch.tensor(found, dtype=torch.float64).T
    assert 0.85 < float(errors.mean()) / float(values.std()) < 1.15
    assert float(values.mean()) > 0.5


def test_scale_by_place_is_about_the_active_dimensions():
    generator = stream("inactive", 0)
    mean = torch.randn(500, 2, generator=generator).double()
    scale = torch.stack(
        [0.3 + 0.1 * mean[:, 0].abs(), 0.1 + torch.rand(500, generator=generator).double()], 1
    )
    mean[:, 1] *= 0.001
    both = finite_sample.scale_by_place(AggregatePosterior(mean, scale))
    first = finite_sample.scale_by_place(AggregatePosterior(mean[:, :1], scale[:, :1]))
    assert both == first
    none = finite_sample.scale_by_place(AggregatePosterior(0.001 * mean, scale))
    assert none != first, "where none is active all are looked at"


def test_constant_scales_have_no_correlation():
    with pytest.raises(ValueError, match="must vary over the inputs"):
        finite_sample.scale_by_place(mixture(100, 2, 0.3))
    with pytest.raises(ValueError, match="components must be at least 3"):
        finite_sample.scale_by_place(mixture(2, 2, 0.3))
