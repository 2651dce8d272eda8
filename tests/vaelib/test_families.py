import math

import pytest
import torch

from vaelib import networks
from vaelib.box_posterior import aggregate
from vaelib.families import BoxFamily, GaussianFamily, PointFamily
from vaelib.likelihoods import Bernoulli
from vaelib.models import VAE
from vaelib.priors import Normal, Uniform
from vaelib.seeding import stream

FAMILIES = [GaussianFamily(), BoxFamily(0.0, 10.0), BoxFamily(-3.0, -1.0)]


def parameters(family, count=4, dimensions=2, spread=1.0):
    output = torch.randn(count, 2 * dimensions, generator=stream("encoder", 0)).double()
    return family.parameters(spread * output)


@pytest.mark.parametrize("family", FAMILIES)
def test_density_integrates_to_one_and_its_moments_are_mean_and_scale(family):
    mean, scale = parameters(family, 1, 1)
    low, high = (-40, 40) if isinstance(family, GaussianFamily) else (family.low, family.high)
    cells = 1_000_001  # midpoints: a box has edges
    z = low + (high - low) * (torch.arange(cells, dtype=torch.float64) + 0.5).unsqueeze(1) / cells
    weight = family.log_prob(z, mean, scale).exp() * (high - low) / cells
    assert float(weight.sum()) == pytest.approx(1, abs=1e-5)
    first = float((weight * z[:, 0]).sum())
    second = float((weight * (z[:, 0] - first).square()).sum())
    assert (first, second) == pytest.approx((float(mean), float(scale) ** 2), rel=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("spread", [1.0, 30.0])
def test_draws_have_the_stated_moments_and_a_density(family, spread):
    mean, scale = (v.float() for v in parameters(family, spread=spread))
    noise = torch.randn(50_000, *mean.shape, generator=stream("noise", 0))
    z = family.draw(mean, scale, noise)
    assert family.log_prob(z, mean, scale).isfinite().all()
    if spread == 1.0:
        error = scale / 50_000**0.5
        assert ((z.mean(0) - mean).abs() < 5 * error).all()
        assert (z.std(0) / scale - 1).abs().max() < 0.02


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_of_draws_match_finite_differences(family):
    output = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(3, 2, dtype=torch.float64)

    def draw(output):
        return family.draw(*family.parameters(output), noise)

    def density(output):
        mean, scale = family.parameters(output)
        return family.log_prob(family.draw(mean, scale, noise), mean, scale)

    assert torch.autograd.gradcheck(draw, output)
    assert torch.autograd.gradcheck(density, output)


def test_no_box_leaves_the_support():
    family = BoxFamily(-3.0, -1.0)
    mean, scale = parameters(family, count=1000, spread=5.0)
    reach = math.sqrt(3) * scale
    assert ((mean - reach) >= -3 - 1e-12).all()
    assert ((mean + reach) <= -1 + 1e-12).all()


def test_a_point_is_where_its_mean_is_and_has_no_density():
    family = PointFamily()
    mean, scale = parameters(family)
    noise = torch.randn(4, 2, dtype=torch.float64)
    assert torch.equal(family.draw(mean, scale, noise), mean)
    for undefined in (
        lambda: family.log_prob(mean, mean, scale),
        lambda: aggregate(family, mean, scale).log_prob(mean),
    ):
        with pytest.raises(ValueError, match="no (posterior )?density"):
            undefined()


def test_a_family_that_does_not_go_with_the_prior_is_refused():
    def model(prior, family):
        parts = networks.MLPEncoder((3,), 4), networks.MLPDecoder(2, (3,)), Bernoulli((3,))
        return VAE(parts[0], prior, *parts[1:], family)

    assert model(Uniform(2), None).family == BoxFamily(0.0, 10.0)
    assert model(Normal(2), PointFamily()).family == PointFamily()
    for prior, family in [
        (Normal(2), BoxFamily(0.0, 1.0)),
        (Uniform(2), GaussianFamily()),
        (Uniform(2), BoxFamily(0.0, 5.0)),
    ]:
        with pytest.raises(ValueError, match="goes with posteriors"):
            model(prior, family)
