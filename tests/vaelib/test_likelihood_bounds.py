"""The importance-weighted bound against the linear VAE, whose log-likelihood is known."""

import math

import pytest
import torch
from torch import nn

from vaelib import likelihood_bounds
from vaelib.likelihoods import Gaussian
from vaelib.models import BATCH, VAE
from vaelib.networks import MLPDecoder, MLPEncoder
from vaelib.priors import Normal
from vaelib.seeding import stream
from vaelib.stats.jackknife import Estimate

D, PIXELS, NOISE = 2, 6, 0.5


def linear_vae(shift=0.0, stretch=1.0):
    """x = W z + noise with orthogonal columns, so that the exact posterior is diagonal.

    The encoder is exact but for a shift and a factor of its scale, in posterior deviations.
    """
    model = VAE(
        MLPEncoder((PIXELS,), 2 * D, hidden=()),
        Normal(D),
        MLPDecoder(D, (PIXELS,), hidden=()),
        Gaussian((PIXELS,), scale=NOISE),
    )
    generator = torch.Generator().manual_seed(0)
    weight = torch.linalg.qr(torch.randn(PIXELS, D, generator=generator))[0]
    weight = weight * torch.tensor([2.0, 0.7])
    precision = weight.square().sum(0) / NOISE**2 + 1
    scale = precision.rsqrt()
    encoder, decoder = model.encoder.layers[0], model.decoder.layers[0]
    with torch.no_grad():
        decoder.weight.copy_(weight)
        decoder.bias.fill_(0.3)
        rows = weight.T / NOISE**2 / precision.unsqueeze(1)
        encoder.weight.copy_(torch.cat([rows, torch.zeros_like(rows)]))
        mean_bias = -rows @ torch.full((PIXELS,), 0.3) + shift * scale
        encoder.bias.copy_(torch.cat([mean_bias, (stretch * scale).log()]))
    covariance = weight @ weight.T + NOISE**2 * torch.eye(PIXELS)
    law = torch.distributions.MultivariateNormal(torch.full((PIXELS,), 0.3), covariance)
    return model, law


@pytest.fixture(scope="module")
def x():
    _, law = linear_vae()
    return law.loc + torch.randn(40, PIXELS, generator=stream("x", 0)) @ law.scale_tril.T


def test_with_the_exact_posterior_every_weight_is_the_likelihood(x):
    model, law = linear_vae()
    weights = likelihood_bounds.importance_weights(model, x, stream("z", 0), draws=7)
    expected = law.log_prob(x).double().detach().unsqueeze(1).expand(-1, 7)
    torch.testing.assert_close(weights, expected, atol=1e-4, rtol=0)
    gap = likelihood_bounds.bound_gap(weights)
    assert gap.value == pytest.approx(0, abs=1e-4) and gap.standard_error < 1e-4


@pytest.mark.parametrize(("points", "draws"), [(3000, 8), (10_000, 4), (50_000, 2)])
def test_with_the_exact_posterior_the_bound_is_the_likelihood_for_data_of_any_size(points, draws):
    model, law = linear_vae()
    x = law.loc + torch.randn(points, PIXELS, generator=stream("x", 1)) @ law.scale_tril.T
    bound = likelihood_bounds.evidence_lower_bound(model, x, stream("z", 0))
    assert abs(bound.elbo - float(law.log_prob(x).mean())) < 5 * bound.standard_error
    again = likelihood_bounds.evidence_lower_bound(model, x, stream("z", 0), draws=draws)
    assert again == bound


def test_the_gap_approaches_the_divergence_of_the_encoder_from_the_posterior(x):
    shift, stretch = 0.5, 1.3
    model, law = linear_vae(shift, stretch)
    truth = D * 0.5 * (stretch**2 + shift**2 - 1 - 2 * math.log(stretch))
    weights = likelihood_bounds.importance_weights(model, x, stream("z", 0), draws=1000)
    gap = likelihood_bounds.bound_gap(weights)
    assert gap.value == pytest.approx(truth, abs=4 * gap.standard_error + 0.005)
    bound = torch.logsumexp(weights, 1) - math.log(1000)
    assert float((bound - law.log_prob(x)).abs().max()) < 0.2
    assert float((bound - law.log_prob(x)).mean()) == pytest.approx(0, abs=0.02)


def test_more_draws_give_a_tighter_bound(x):
    model, _ = linear_vae(1.0, 0.6)
    gaps = [
        likelihood_bounds.bound_gap(
            likelihood_bounds.importance_weights(model, x, stream("z", 0), draws)
        ).value
        for draws in (2, 20, 2000)
    ]
    assert 0 < gaps[0] < gaps[1] < gaps[2]


def test_the_error_is_that_of_repetition(x):
    """40 repetitions on fresh data: the ratio leaves (.7, 1.45) with chance below .002."""
    model, law = linear_vae(0.5, 0.7)
    gaps = []
    for seed in range(40):
        fresh = law.loc + torch.randn(30, PIXELS, generator=stream("x", seed)) @ law.scale_tril.T
        weights = likelihood_bounds.importance_weights(model, fresh, stream("z", seed), draws=20)
        gaps.append(likelihood_bounds.bound_gap(weights))
    values, errors = torch.tensor(gaps).T
    assert 0.7 < float(errors.square().mean().sqrt() / values.std()) < 1.45


class Images(nn.Module):
    """A decoder that takes one leading axis alone, and counts its rows."""

    largest = 0

    def forward(self, z):
        assert z.dim() == 2
        Images.largest = max(Images.largest, len(z))
        return z.repeat(1, PIXELS // D)


def test_memory_is_bounded_and_decoders_without_a_replicate_axis_will_do(x):
    model, _ = linear_vae()
    model.decoder = Images()
    assert likelihood_bounds.importance_weights(model, x, stream("z", 0), draws=1000).shape == (
        40,
        1000,
    )
    assert Images.largest <= BATCH
    many = x.repeat(100, 1)
    likelihood_bounds.evidence_lower_bound(model, many, stream("z", 0))
    likelihood_bounds.point_reconstruction(model, many)
    assert Images.largest == BATCH
    with pytest.raises(ValueError, match="draws must be at least 2, got 1"):
        likelihood_bounds.importance_weights(model, x, stream("z", 0), draws=1)


def test_the_ladder_averages_the_bounds_of_fewer_draws():
    weights = torch.randn(5, 30, dtype=torch.float64, generator=stream("w", 0))
    blocks = [likelihood_bounds.bound_gap(weights[:, i : i + 10]) for i in (0, 10, 20)]
    elbos = weights.view(5, 3, 10).mean(2) - weights.mean(1, keepdim=True)
    expected = sum(gap.value for gap in blocks) / 3 + float(elbos.mean())
    assert likelihood_bounds.bound_gap(weights, 10).value == pytest.approx(expected, abs=1e-12)
    assert likelihood_bounds.bound_gap(weights, 30) == likelihood_bounds.bound_gap(weights)
    with pytest.raises(ValueError, match="must be from 1 to the 30 there are, got 31"):
        likelihood_bounds.bound_gap(weights, 31)


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ([0.5, 0.59, 0.6], 0.61),
        ([0.5, 0.55, 0.575], 0.6),
        ([0.5, 0.55, 0.58], None),
        ([0.5, 0.5, 0.6], None),
        ([0.5, 0.6, 0.59], 0.59),
        ([0.0, 0.0, 1e-9], 0.0),
    ],
)
def test_a_ladder_bounds_the_gap_where_it_flattens(gaps, expected):
    ladder = [Estimate(gap, 0.1) for gap in gaps]
    bound = likelihood_bounds.at_most(ladder)
    assert (bound is None) == (expected is None)
    assert bound is None or bound == pytest.approx((expected, 0.1), abs=1e-8)


@pytest.mark.parametrize("stretch", [0.5, 0.7, 1.3])
def test_the_divergence_lies_between_the_rungs_and_what_bounds_them(x, stretch):
    """Also where the weights have no variance: an encoder half as wide as the posterior."""
    model, _ = linear_vae(0.5, stretch)
    truth = D * 0.5 * (stretch**2 + 0.25 - 1 - 2 * math.log(stretch))
    bound = likelihood_bounds.evidence_lower_bound(model, x, stream("z", 1))
    found = {
        row.metric: row
        for row in likelihood_bounds.tighter_bound(model, x, bound, seed=0, inputs=40)
    }
    names = ("bound_gap_100", "bound_gap_1000", "bound_gap", "bound_gap_upper")
    rungs = [found[name].value for name in names if found[name].value is not None]
    assert rungs == sorted(rungs)
    noise = 4 * found["bound_gap"].standard_error
    assert found["bound_gap"].value < truth + noise
    if len(rungs) == 4:
        assert found["bound_gap_upper"].value > truth - noise
    else:
        assert stretch == 0.5 and "still rises: " in found["bound_gap_upper"].message


def test_a_ladder_that_rises_by_the_same_again_bounds_nothing():
    """A posterior of which the encoder misses nearly everything: each K finds a bit more."""
    heavy = 4 * torch.randn(20, 10_000, dtype=torch.float64, generator=stream("w", 1))
    gaps = [likelihood_bounds.bound_gap(heavy, draws) for draws in likelihood_bounds.LADDER]
    assert likelihood_bounds.at_most(gaps) is None
