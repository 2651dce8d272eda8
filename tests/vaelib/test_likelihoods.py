import pytest
import torch
from scipy import stats

from vaelib.likelihoods import LIKELIHOODS, Bernoulli, Gaussian

SHAPE = (2, 3)


def test_bernoulli_is_the_log_probability_of_binary_data():
    logits = torch.randn(4, *SHAPE, dtype=torch.float64)
    x = (torch.rand(4, *SHAPE) < 0.5).double()
    expected = stats.bernoulli.logpmf(x.numpy(), logits.sigmoid().numpy()).sum((1, 2))
    assert Bernoulli(SHAPE).log_prob(logits, x).numpy() == pytest.approx(expected, abs=1e-10)


def test_gaussian_is_the_normal_log_density():
    mean, x = torch.randn(2, 4, *SHAPE, dtype=torch.float64)
    expected = stats.norm.logpdf(x.numpy(), mean.numpy(), 0.3).sum((1, 2))
    value = Gaussian(SHAPE, scale=0.3).log_prob(mean, x)
    assert value.numpy() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_samples_have_the_stated_mean(name):
    likelihood = LIKELIHOODS[name](SHAPE)
    output = torch.randn(SHAPE).expand(20_000, *SHAPE)
    draws = likelihood.sample(output, torch.Generator().manual_seed(0))
    error = draws.std(0) / 20_000**0.5
    assert ((draws.mean(0) - likelihood.mean(output)[0]).abs() < 5 * error).all()


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_a_replicate_axis_passes_through(name):
    likelihood = LIKELIHOODS[name](SHAPE)
    output, x = torch.randn(5, 4, *SHAPE), torch.rand(5, 4, *SHAPE)
    together = likelihood.log_prob(output, x)
    assert together.shape == (5, 4)
    assert torch.allclose(together[2], likelihood.log_prob(output[2], x[2]))


def test_a_scale_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="scale must be positive, got 0"):
        Gaussian(SHAPE, scale=0.0)
