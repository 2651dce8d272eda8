import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from vaelib import posterior
from vaelib.numerics import log_sum_exp
from vaelib.posterior import AggregatePosterior
from vaelib.seeding import stream


def mixture(components, dimensions, scale=(0.1, 0.9), offset=0.0, seed=0):
    generator = stream("mixture", seed)
    shape = (components, dimensions)
    low, high = scale
    mean = offset + torch.randn(shape, generator=generator, dtype=torch.float64)
    spread = low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)
    return AggregatePosterior(mean, spread)


def broadcast(q, z, leave_one_out=False):
    logs = -0.5 * ((z[:, None] - q.mean) / q.scale).square().sum(-1) - q.scale.log().sum(-1)
    logs -= 0.5 * q.latent_dim * math.log(2 * math.pi)
    if leave_one_out:
        logs.fill_diagonal_(-math.inf)
    return torch.logsumexp(logs, 1) - math.log(q.components - leave_one_out)


def test_density_against_scipy():
    q = mixture(20, 3)
    z = q.sample(stream("z", 0))[0]
    parts = [
        stats.multivariate_normal(m, np.diag(s**2)).pdf(z.numpy())
        for m, s in zip(q.mean.numpy(), q.scale.numpy(), strict=True)
    ]
    assert q.log_prob(z).numpy() == pytest.approx(np.log(np.mean(parts, 0)), abs=1e-10)
    own = stats.norm.logpdf(z.numpy(), q.mean.numpy(), q.scale.numpy()).sum(1)
    assert q.component_log_prob(z).numpy() == pytest.approx(own, abs=1e-10)


def test_density_integrates_to_one_in_two_dimensions():
    q = mixture(15, 2)
    axis = torch.linspace(-8, 8, 801, dtype=torch.float64)
    density = q.log_prob(torch.cartesian_prod(axis, axis)).exp().view(801, 801).numpy()
    total = integrate.simpson(integrate.simpson(density, x=axis.numpy()), x=axis.numpy())
    assert total == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"scale": (0.01, 0.011)}, {"offset": 100.0}, {"scale": (0.01, 2.0), "offset": -5.0}],
    ids=["benign", "narrow", "offset", "mixed"],
)
@pytest.mark.parametrize(("components", "dimensions"), [(2, 1), (300, 2), (700, 16)])
def test_density_against_broadcasting(components, dimensions, options, leave_one_out, monkeypatch):
    monkeypatch.setattr(log_sum_exp, "_TILE", 1000)  # many tiles, uneven ones
    monkeypatch.setattr(log_sum_exp, "_HEIGHT", 37)
    q = mixture(components, dimensions, **options)
    z = q.sample(stream("z", 0))[0]
    error = q.log_prob(z, leave_one_out=leave_one_out) - broadcast(q, z, leave_one_out)
    assert error.abs().max() <= 1e-9


def test_density_far_from_all_components_is_finite_and_right():
    q = mixture(50, 2)
    z = torch.full((1, 2), 500.0, dtype=torch.float64)
    assert float(q.log_prob(z)) == pytest.approx(float(broadcast(q, z)), rel=1e-12)


def test_several_column_blocks_agree_with_one(monkeypatch):
    q = mixture(10_000, 2)
    z = q.sample(stream("z", 0))[0, :50]
    assert (q.log_prob(z) - broadcast(q, z)).abs().max() <= 1e-9


@pytest.mark.parametrize("leave_one_out", [False, True])
def test_coefficients_made_as_they_are_needed_give_the_same(leave_one_out, monkeypatch):
    q = mixture(1500, 3, offset=20.0)
    z = q.sample(stream("z", 0))[0, :700]
    expected = q.log_prob(z, leave_one_out=leave_one_out)
    monkeypatch.setattr(posterior, "_HELD", 1)  # coefficients as they are needed
    found = q.log_prob(z, leave_one_out=leave_one_out)
    assert (found - expected).abs().max() <= 1e-11


def test_moments_and_marginals_against_the_sample_and_the_joint():
    q = mixture(40, 2)
    mean, covariance = q.moments()
    z = q.sample(stream("z", 0), draws=5000).flatten(0, 1)
    assert (z.mean(0) - mean).abs().max() < 0.01
    assert (z.T.cov() - covariance).abs().max() < 0.02
    axis = torch.linspace(-9, 9, 1801, dtype=torch.float64)
    joint = q.log_prob(torch.cartesian_prod(torch.tensor([0.3]).double(), axis)).exp()
    marginal = float(q.marginal(0).log_prob(torch.tensor([[0.3]]).double()).exp())
    assert integrate.simpson(joint.numpy(), x=axis.numpy()) == pytest.approx(marginal, abs=1e-9)


def test_samples_are_stratified():
    mean = torch.arange(5.0).unsqueeze(1) * 100
    z = AggregatePosterior(mean, torch.ones(5, 1)).sample(stream("z", 0), draws=3)
    assert z.shape == (3, 5, 1)
    assert torch.equal((z / 100).round().squeeze(-1), torch.arange(5.0).double().expand(3, 5))


GOOD = torch.ones(4, 2)


@pytest.mark.parametrize(
    ("mean", "scale", "message"),
    [
        (GOOD, torch.ones(4, 3), r"same shape \(N, D\)"),
        (torch.ones(4), torch.ones(4), r"same shape \(N, D\)"),
        (torch.ones(4, 0), torch.ones(4, 0), r"N and D at least 1"),
        (torch.ones(0, 2), torch.ones(0, 2), r"N and D at least 1"),
        (GOOD, GOOD * 0, "scale must be positive, got min 0"),
        (GOOD, -0.3 * GOOD, "scale must be positive, got min -0.3"),
        (GOOD * math.nan, GOOD, "mean must be finite, got 8 values"),
        (GOOD, GOOD * math.inf, "scale must be finite"),
        (GOOD.to(torch.complex64), GOOD, "mean must hold real numbers, got torch.complex64"),
        (GOOD, GOOD > 0, "scale must hold real numbers, got torch.bool"),
        (GOOD * 1e200, GOOD, "mean must be finite"),
        (GOOD.double() * 1e200, GOOD, r"mean must be below 1e\+50 in size, got 1e\+200"),
    ],
)
def test_bad_posteriors_are_refused(mean, scale, message):
    with pytest.raises(ValueError, match=message):
        AggregatePosterior(mean, scale)


@pytest.mark.parametrize(
    "other",
    [lambda x: x.half(), lambda x: x.bfloat16(), lambda x: x.int(), lambda x: x.numpy()],
)
def test_other_numbers_mean_what_they_are(other):
    mean, scale = torch.arange(8.0).view(4, 2), 2 * GOOD
    q = AggregatePosterior(other(mean), other(scale))
    assert torch.equal(q.mean, mean.double()) and torch.equal(q.scale, scale.double())
    assert torch.equal(q.log_prob(other(mean)), AggregatePosterior(mean, scale).log_prob(mean))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda q: q.part(torch.tensor([4])), "index must be below 4, got 4 to 4"),
        (lambda q: q.part(torch.ones(3) > 0), "one truth for each of 4 rows, got 3"),
        (lambda q: q.marginal(2), "dimension must lie between 0 and 1, got 2"),
        (lambda q: q.sample(stream("z", 0), 0), "draws must be at least 1, got 0"),
        (lambda q: q.component_log_prob(torch.ones(3, 2)), r"\(..., 4, 2\), got \(3, 2\)"),
    ],
)
def test_what_a_posterior_has_not_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(AggregatePosterior(GOOD, GOOD))


def test_bad_points_are_refused():
    q = mixture(4, 2)
    with pytest.raises(ValueError, match=r"z must have shape \(M, 2\), got \(4, 3\)"):
        q.log_prob(torch.ones(4, 3))
    with pytest.raises(ValueError, match="one point per component"):
        q.log_prob(torch.ones(5, 2), leave_one_out=True)
