import io

import pytest
import torch
from scipy import integrate

from vaelib.priors import PRIORS, Normal, Uniform
from vaelib.seeding import global_stream, stream


def make(name, latent_dim=2, seed=0):
    """A prior of default options in float64."""
    with global_stream("initialisation", seed):
        return PRIORS[name](latent_dim).double()


def axis(prior, points):
    """A grid that covers the prior and ends where its support ends."""
    low, high = (prior.low, prior.high) if isinstance(prior, Uniform) else (-12, 12)
    return torch.linspace(low, high, points, dtype=torch.float64)


def posteriors(prior, count=3, seed=0):
    output = torch.randn(count, 2 * prior.latent_dim, generator=stream("encoder", seed)).double()
    return prior.family.parameters(output)


@pytest.mark.parametrize("name", PRIORS)
def test_density_integrates_to_one_in_one_dimension(name):
    prior = make(name, 1)
    grid = axis(prior, 4001)
    density = prior.log_prob(grid.unsqueeze(1)).exp().detach().numpy()
    assert integrate.simpson(density, x=grid.numpy()) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", PRIORS)
def test_density_integrates_to_one_in_two_dimensions(name):
    prior = make(name, 2)
    grid = axis(prior, 401)
    z = torch.cartesian_prod(grid, grid)
    density = prior.log_prob(z).exp().detach().view(401, 401).numpy()
    total = integrate.simpson(integrate.simpson(density, x=grid.numpy()), x=grid.numpy())
    assert total == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", PRIORS)
def test_kl_matches_monte_carlo(name):
    prior = make(name, 3)
    mean, scale = (v[0] for v in posteriors(prior))
    noise = torch.randn(200_000, 3, generator=stream("noise", 0), dtype=torch.float64)
    z = prior.family.draw(mean, scale, noise)
    ratio = prior.family.log_prob(z, mean, scale) - prior.log_prob(z)
    error = float(ratio.std()) / 200_000**0.5
    assert abs(float(prior.kl(mean, scale)) - float(ratio.mean())) < 5 * error + 1e-9


@pytest.mark.parametrize("name", PRIORS)
def test_samples_follow_the_density(name):
    prior = make(name)
    z = prior.sample(40_000, stream("prior", 0)).double()
    assert z.shape == (40_000, 2)
    grid = axis(prior, 401)
    points = torch.cartesian_prod(grid, grid)
    weight = prior.log_prob(points).exp().detach()
    weight /= weight.sum()
    for statistic in (lambda z: z, lambda z: z.square(), lambda z: z.abs().prod(-1, keepdim=True)):
        values = statistic(z)
        expected = (weight.unsqueeze(1) * statistic(points)).sum(0)
        assert ((values.mean(0) - expected).abs() < 5 * values.std(0) / 200 + 0.01).all()


@pytest.mark.parametrize("name", PRIORS)
def test_gradients_match_finite_differences(name):
    prior = make(name)
    mean, scale = (v.clone().requires_grad_() for v in posteriors(prior))
    assert torch.autograd.gradcheck(prior.kl, (mean, scale))


@pytest.mark.parametrize("name", PRIORS)
def test_a_saved_prior_is_the_same_again(name):
    prior, again, file = make(name), make(name, seed=1), io.BytesIO()
    torch.save(prior.state_dict(), file)
    file.seek(0)
    again.load_state_dict(torch.load(file, weights_only=True))
    z = axis(prior, 50).unsqueeze(1).expand(50, 2)
    assert torch.equal(prior.log_prob(z), again.log_prob(z))


def test_normal_moments_of_the_sample():
    z = Normal(2).sample(100_000, stream("prior", 0))
    assert z.mean(0).abs().max() < 5 / 100_000**0.5
    assert (z.T.cov() - torch.eye(2)).abs().max() < 5 * (2 / 100_000) ** 0.5


def test_a_latent_dimension_below_one_is_refused():
    with pytest.raises(ValueError, match="latent_dim must be at least 1, got 0"):
        Normal(0)


def test_ends_that_are_not_in_order_are_refused():
    with pytest.raises(ValueError, match="low must be below high, got 10 and 0"):
        Uniform(2, low=10.0, high=0.0)
