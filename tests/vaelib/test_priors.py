import pytest
import torch
from scipy import integrate

from vaelib.priors import PRIORS, Normal
from vaelib.seeding import stream


@pytest.mark.parametrize("name", PRIORS)
def test_density_integrates_to_one_in_one_dimension(name):
    grid = torch.linspace(-12, 12, 4001, dtype=torch.float64).unsqueeze(1)
    density = PRIORS[name](1).double().log_prob(grid).exp().detach().numpy()
    assert integrate.simpson(density, x=grid[:, 0].numpy()) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", PRIORS)
def test_kl_matches_monte_carlo(name):
    prior = PRIORS[name](3).double()
    mean = torch.tensor([0.3, -1.0, 0.0], dtype=torch.float64)
    scale = torch.tensor([0.5, 0.9, 1.3], dtype=torch.float64)
    noise = torch.randn(200_000, 3, generator=stream("noise", 0), dtype=torch.float64)
    q = torch.distributions.Normal(mean, scale)
    z = mean + scale * noise
    ratio = q.log_prob(z).sum(-1) - prior.log_prob(z)
    error = float(ratio.std()) / 200_000**0.5
    assert abs(float(prior.kl(mean, scale)) - float(ratio.mean())) < 5 * error


def test_normal_moments_of_the_sample():
    z = Normal(2).sample(100_000, stream("prior", 0))
    assert z.mean(0).abs().max() < 5 / 100_000**0.5
    assert (z.T.cov() - torch.eye(2)).abs().max() < 5 * (2 / 100_000) ** 0.5


def test_a_latent_dimension_below_one_is_refused():
    with pytest.raises(ValueError, match="latent_dim must be at least 1, got 0"):
        Normal(0)
