import io
import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from vaelib import likelihoods
from vaelib.likelihoods import LIKELIHOODS, Bernoulli, ContinuousBernoulli, Gaussian

SHAPE = (2, 3)
DENSITIES = [name for name in LIKELIHOODS if name != "bernoulli"]


def make(name, shape=SHAPE):
    return LIKELIHOODS[name](shape).eval()


def test_bernoulli_is_the_log_probability_of_binary_data():
    logits = torch.randn(4, *SHAPE, dtype=torch.float64)
    x = (torch.rand(4, *SHAPE) < 0.5).double()
    expected = stats.bernoulli.logpmf(x.numpy(), logits.sigmoid().numpy()).sum((1, 2))
    assert Bernoulli(SHAPE).log_prob(logits, x).numpy() == pytest.approx(expected, abs=1e-10)


def test_bernoulli_has_the_gradient_of_its_definition():
    logits = torch.randn(4, *SHAPE, dtype=torch.float64, requires_grad=True)
    x = torch.rand(4, *SHAPE, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Bernoulli(SHAPE).log_prob, (logits, x))
    assert torch.autograd.gradgradcheck(Bernoulli(SHAPE).log_prob, (logits, x))


@pytest.mark.parametrize("logit", [-200.0, -90.0, -17.0, 0.0, 17.0, 90.0, 200.0])
def test_bernoulli_stays_accurate_at_large_logits(logit):
    output = torch.full((1, 1), logit, requires_grad=True)
    for x in (0.0, 0.25, 1.0):
        value = Bernoulli((1,)).log_prob(output, torch.tensor([[x]]))
        exact = x * logit - np.logaddexp(0, logit)
        assert value.item() == pytest.approx(exact, abs=1e-6, rel=1e-6)
        (slope,) = torch.autograd.grad(value.sum(), output)
        assert float(slope) == pytest.approx(x - 1 / (1 + math.exp(-logit)), abs=1e-6)


def test_bernoulli_is_no_density_of_grey_levels():
    x = torch.linspace(0, 1, 1001, dtype=torch.float64).unsqueeze(1)
    density = Bernoulli((1,)).log_prob(torch.zeros_like(x), x).exp()
    assert integrate.simpson(density.numpy(), x=x[:, 0].numpy()) == pytest.approx(0.5)


@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_gaussian_is_the_normal_log_density(scale):
    mean, x = torch.randn(2, 4, *SHAPE, dtype=torch.float64)
    expected = stats.norm.logpdf(x.numpy(), mean.numpy(), scale).sum((1, 2))
    value = Gaussian(SHAPE, scale=scale).log_prob(mean, x)
    assert value.numpy() == pytest.approx(expected, abs=1e-10)


def test_a_learned_scale_is_the_normal_log_density_and_has_its_gradient():
    likelihood = likelihoods.LearnedGaussian(SHAPE, scale=0.3).double()
    mean, x = torch.randn(2, 4, *SHAPE, dtype=torch.float64)
    value = likelihood.log_prob(mean, x)
    expected = stats.norm.logpdf(x.numpy(), mean.numpy(), 0.3).sum((1, 2))
    assert value.detach().numpy() == pytest.approx(expected, rel=1e-5)
    value.sum().backward()
    slope = float(((x - mean) / 0.3).square().sum()) - x.numel()
    assert float(likelihood.log_scale.grad) == pytest.approx(slope, rel=1e-5)


def test_a_calibrated_scale_maximises_the_likelihood_of_the_batch():
    mean, x = torch.randn(2, 4, *SHAPE, dtype=torch.float64)
    best = float(likelihoods.CalibratedGaussian(SHAPE).log_prob(mean, x).sum())
    root = float((x - mean).square().mean().sqrt())
    fixed = [
        float(Gaussian(SHAPE, scale=root * f).log_prob(mean, x).sum()) for f in (0.99, 1, 1.01)
    ]
    assert best == pytest.approx(fixed[1])
    assert best > max(fixed[0], fixed[2])


def test_a_calibrated_scale_is_frozen_after_training():
    likelihood = likelihoods.CalibratedGaussian(SHAPE)
    likelihood.calibrate(0.09)
    mean, x = torch.randn(2, 4, *SHAPE)
    expected = Gaussian(SHAPE, scale=0.3).log_prob(mean, x)
    assert torch.allclose(likelihood.eval().log_prob(mean, x), expected, rtol=1e-5)
    likelihood.calibrate(0.0)
    assert likelihood.log_prob(x, x).isfinite().all()


@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.parametrize("output", [-30.0, -4.0, -0.3, -1e-3, 0.0, 1e-7, 0.09, 0.11, 2.0, 15.0])
def test_densities_integrate_to_one_and_have_the_stated_mean(name, output):
    likelihood = make(name, (1,)).double()
    low, high = (0, 1) if name == "continuous_bernoulli" else (output - 12, output + 12)
    x = torch.linspace(low, high, 20_001, dtype=torch.float64).unsqueeze(1)
    logits = torch.full_like(x, output)
    density, grid = likelihood.log_prob(logits, x).exp().detach().numpy(), x[:, 0].numpy()
    assert integrate.simpson(density, x=grid) == pytest.approx(1, abs=1e-8)
    mean = integrate.simpson(density * grid, x=grid)
    assert float(likelihood.mean(logits)[0]) == pytest.approx(mean, abs=1e-8)


def test_the_continuous_bernoulli_is_smooth_in_float32_where_its_formulas_change():
    logits = torch.linspace(-1, 1, 4001).unsqueeze(1).requires_grad_()
    likelihood, x = ContinuousBernoulli((1,)), torch.full((4001, 1), 0.7)
    value = likelihood.log_prob(logits, x)
    exact = likelihood.log_prob(logits.detach().double(), x.double())
    assert (value - exact).abs().max() < 1e-6
    (slope,) = torch.autograd.grad(value.sum(), logits)
    # d log p / d l = x - E[x]
    assert (slope - (x - likelihood.mean(logits.detach().double()))).abs().max() < 5e-6
    means = likelihood.mean(logits.detach())
    assert (means - likelihood.mean(logits.detach().double())).abs().max() < 1e-6


def test_the_continuous_bernoulli_draws_follow_their_distribution_function():
    for logit in (-6.0, 0.0, 1e-4, 3.0):
        draws = ContinuousBernoulli((1,)).sample(
            torch.full((5000, 1), logit), torch.Generator().manual_seed(0)
        )
        rate = logit or 1e-9
        result = stats.kstest(
            draws[:, 0].double().numpy(),
            lambda x, rate=rate: np.expm1(rate * x) / math.expm1(rate),
        )
        assert result.pvalue > 1e-3


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_samples_have_the_stated_mean(name):
    likelihood = make(name)
    output = torch.randn(SHAPE).expand(20_000, *SHAPE)
    with torch.no_grad():
        draws = likelihood.sample(output, torch.Generator().manual_seed(0))
        error = draws.std(0) / 20_000**0.5
        assert ((draws.mean(0) - likelihood.mean(output)[0]).abs() < 5 * error).all()


@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize("training", [False, True])
def test_a_replicate_axis_passes_through(name, training):
    models = [make(name).train(training) for _ in range(5)]
    for number, model in enumerate(models):
        for parameter in model.parameters():
            parameter.data.fill_(0.1 * number)
    state, _ = torch.func.stack_module_state(models)
    output, x = torch.randn(5, 4, *SHAPE), torch.rand(5, 4, *SHAPE)
    with torch.no_grad():
        apart = torch.stack([m.log_prob(o, v) for m, o, v in zip(models, output, x, strict=True)])
        for key, value in state.items():
            del models[0]._parameters[key]
            setattr(models[0], key, value.detach())
        together = models[0].log_prob(output, x)
    assert together.shape == (5, 4)
    assert torch.allclose(together, apart, rtol=1e-5)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_gradients_match_finite_differences(name):
    likelihood = make(name).double()
    x = torch.rand(2, *SHAPE, dtype=torch.float64)
    output = torch.randn(2, *SHAPE, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda o: likelihood.log_prob(o, x), output)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_a_saved_likelihood_is_the_same_again(name):
    likelihood, again, file = make(name), make(name), io.BytesIO()
    for parameter in likelihood.parameters():
        parameter.data += 0.7
    torch.save(likelihood.state_dict(), file)
    file.seek(0)
    again.load_state_dict(torch.load(file, weights_only=True))
    output, x = torch.randn(3, *SHAPE), torch.rand(3, *SHAPE)
    assert torch.equal(likelihood.log_prob(output, x), again.log_prob(output, x))


@pytest.mark.parametrize("name", ["gaussian", "gaussian_learned"])
def test_a_scale_that_is_not_positive_is_refused(name):
    with pytest.raises(ValueError, match="scale must be positive, got 0"):
        LIKELIHOODS[name](SHAPE, scale=0.0)
