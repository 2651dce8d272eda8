"""The mixture of posteriors against scikit-learn's, closed forms and many draws."""

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture
from torch.distributions import MultivariateNormal

from vaelib.seeding import stream
from vaelib.stats.stack import mixtures
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.mixtures import fit_mixture


def posteriors(count, dimensions, seed=0):
    """Four clusters of means, scales that differ by input and dimension."""
    generator = stream("mixtures", seed)
    centres = 2 * torch.randn(4, dimensions, generator=stream("centres", 0), dtype=torch.float64)
    mean = torch.randn(count, dimensions, generator=generator, dtype=torch.float64)
    mean = 0.6 * mean + centres[torch.randint(4, (count,), generator=generator)]
    scale = 0.2 + 0.4 * torch.rand(count, dimensions, generator=generator, dtype=torch.float64)
    return Posteriors(mean, scale)


def points(count, dimensions, seed=0):
    z = posteriors(count, dimensions, seed).draw(stream("mixtures", 1))
    return Posteriors(z, torch.zeros_like(z))


def covariances(mixture):
    if mixture.factors.dim() == 2:
        return torch.diag_embed(mixture.factors.square())
    return mixture.factors @ mixture.factors.mT


@pytest.mark.parametrize("diagonal", [False, True])
def test_on_points_it_is_scikit_learn_s(diagonal):
    """From the same first step, six further ones of both."""
    data = points(800, 3)
    first, last = (
        fit_mixture(data, 6, stream("mixtures", 2), diagonal=diagonal, pseudo=0, steps=steps)
        for steps in (1, 7)
    )
    precision = torch.linalg.inv(covariances(first))
    peer = GaussianMixture(
        6,
        covariance_type="diag" if diagonal else "full",
        tol=0,
        reg_covar=0,
        max_iter=6,
        weights_init=first.shares.numpy(),
        means_init=first.means.numpy(),
        precisions_init=(precision.diagonal(dim1=1, dim2=2) if diagonal else precision).numpy(),
    )
    with pytest.warns(UserWarning, match="did not converge"):
        peer.fit(data.mean.numpy())
    np.testing.assert_allclose(last.means, peer.means_, atol=1e-8)
    np.testing.assert_allclose(last.shares, peer.weights_, atol=1e-8)
    scores = peer.score_samples(data.mean.numpy())
    np.testing.assert_allclose(last.log_prob(data.mean), scores, atol=1e-8)


def objective(mixture, data):
    """The mean of log Σ π exp(E log N), component by component, by torch's own Gaussians."""
    terms = []
    for share, mean, covariance in zip(
        mixture.shares, mixture.means, covariances(mixture), strict=True
    ):
        trace = data.scale.square() @ torch.linalg.inv(covariance).diagonal()
        terms.append(share.log() + MultivariateNormal(mean, covariance).log_prob(data.mean))
        terms[-1] = terms[-1] - trace / 2
    return float(torch.stack(terms).logsumexp(0).mean())


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("make", [posteriors, points])
def test_its_likelihood_never_falls(make, diagonal):
    data = make(400, 3)
    heights = []
    for steps in range(1, 13):
        mixture = fit_mixture(
            data, 6, stream("mixtures", 2), diagonal=diagonal, pseudo=0, steps=steps
        )
        heights.append(objective(mixture, data))
    assert bool((np.diff(heights) > -1e-10).all()) and heights[-1] > heights[0] + 0.02


def test_it_is_the_fit_to_many_draws(monkeypatch):
    """40 draws of each posterior, both from the same labels: shares, means and covariances."""
    monkeypatch.setattr(mixtures, "_EARLY", 12_000)
    data = posteriors(300, 2)
    generator = stream("mixtures", 3)
    drawn = torch.cat([data.draw(generator) for _ in range(40)])
    many = Posteriors(drawn, torch.zeros_like(drawn))
    ours = fit_mixture(data, 4, stream("mixtures", 4), pseudo=0)
    peer = fit_mixture(many, 4, stream("mixtures", 4), pseudo=0)
    new = posteriors(4000, 2, seed=5).draw(generator)
    gap = ours.log_prob(new) - peer.log_prob(new)
    assert abs(float(gap.mean())) < 0.01 and float(gap.square().mean().sqrt()) < 0.1


@pytest.mark.parametrize("diagonal", [False, True])
def test_beginning_with_a_part_of_many_costs_nothing(diagonal, monkeypatch):
    data, new = posteriors(12_000, 2), posteriors(4000, 2, seed=5).draw(stream("mixtures", 9))
    options = {"diagonal": diagonal}
    part = fit_mixture(data, 30, stream("mixtures", 10), **options)
    monkeypatch.setattr(mixtures, "_EARLY", 12_000)
    whole = fit_mixture(data, 30, stream("mixtures", 10), **options)
    gap = float((part.log_prob(new) - whole.log_prob(new)).mean())
    assert gap != 0 and abs(gap) < 0.005


def test_it_is_better_than_the_fit_to_one_draw():
    data = posteriors(600, 4)
    new = posteriors(3000, 4, seed=9).draw(stream("mixtures", 6))
    gains = [
        float(fit_mixture(d, 30, stream("mixtures", 7)).log_prob(new).mean())
        for d in (data, points(600, 4))
    ]
    assert gains[0] > gains[1] + 0.02


@pytest.mark.parametrize("diagonal", [False, True])
def test_one_component_is_the_moments(diagonal):
    data = posteriors(500, 3)
    mixture = fit_mixture(data, 1, stream("mixtures", 8), pseudo=0, diagonal=diagonal)
    mean, covariance = data.moments()
    gaussian = MultivariateNormal(mean, covariance.diagonal().diag() if diagonal else covariance)
    z = data.draw(stream("mixtures", 9))
    torch.testing.assert_close(mixture.log_prob(z), gaussian.log_prob(z))


def test_pseudo_points_pull_to_the_pooled_covariance():
    data = points(400, 3)
    many = fit_mixture(data, 4, stream("mixtures", 2), pseudo=10**9)
    own = covariances(many)
    torch.testing.assert_close(own, own[:1].expand(4, 3, 3), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(own[0], own[0].diagonal().diag(), rtol=1e-5, atol=1e-5)
