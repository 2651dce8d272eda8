"""The floor, the null and the excess of the marginal KL over N inputs."""

import pytest
import torch

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
        assert null.exact
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


def test_the_null_keeps_the_scales_and_says_when_it_is_not_exact():
    q = mixture(50, 2, 1.2)
    assert torch.equal(draw_null(q, stream("null", 0)).scale, q.scale)
    assert torch.equal(draw_null(q, stream("null", 0)).mean, torch.zeros(50, 2).double())
    assert not marginal_kl_null(q, stream("null", 0), draws=2).exact
    with pytest.raises(ValueError, match="draws must be at least 2, got 1"):
        marginal_kl_null(q, stream("null", 0), draws=1)
