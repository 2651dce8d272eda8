"""The Gaussian candidates, and the shrinkage of a spectrum."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from vaelib.seeding import stream
from vaelib.stats.stack.candidates import Posteriors, fitted_gaussian, shrunk_covariance


def normal(rows, columns, seed):
    return torch.randn(rows, columns, generator=stream("spectrum", seed), dtype=torch.float64)


def test_the_moments_are_those_of_the_mixture():
    data = Posteriors(normal(50, 3, 2), normal(50, 3, 3).abs())
    drawn = torch.cat([data.draw(stream("spectrum", k)) for k in range(2000)])
    mean, covariance = data.moments()
    torch.testing.assert_close(mean, drawn.mean(0), atol=0.02, rtol=0)
    torch.testing.assert_close(covariance, torch.cov(drawn.T), atol=0.03, rtol=0)


def test_the_gaussian_is_that_of_the_moments_with_correlations_shrunk():
    z = normal(200, 3, 4) @ normal(3, 3, 5)
    covariance = torch.cov(z.T, correction=0)
    shrunk = covariance * 200 / 205
    shrunk.diagonal().copy_(covariance.diagonal())
    exact = MultivariateNormal(z.mean(0), shrunk).log_prob(z)
    torch.testing.assert_close(fitted_gaussian(Posteriors(z, 0 * z)).log_prob(z), exact)


def test_the_spectrum_of_noise_becomes_the_identity():
    z = normal(600, 150, 0)
    torch.testing.assert_close(shrunk_covariance(z.T @ z / 600, 600), torch.eye(150).double())


@pytest.mark.parametrize("variance", [5.0, 0.05])
def test_one_strong_direction_is_kept_and_debiased(variance):
    """Its variance along the sample's direction, by the law of the spiked model."""
    found, expected, noise = [], [], 0
    for seed in range(8):
        z = normal(600, 150, 10 + seed)
        z[:, 0] *= math.sqrt(variance)
        values, vectors = torch.linalg.eigh(shrunk_covariance(z.T @ z / 600, 600))
        own = vectors[0, (values - 1).abs().argmax()] ** 2
        found.append(values[(values - 1).abs().argmax()])
        expected.append(own * variance + 1 - own)
        noise += int(((values - 1).abs() > 1e-9).sum()) - 1
    assert noise <= 2  # of 1,192 directions
    ratio = float(torch.stack(found).mean() / torch.stack(expected).mean())
    assert ratio == pytest.approx(1, abs=0.08)
