import io

import pytest
import torch
from scipy import integrate, stats

from vaelib.posterior import AggregatePosterior
from vaelib.priors import PRIORS, Normal, Uniform
from vaelib.priors.base import has_map
from vaelib.seeding import global_stream, stream

ENCODER = torch.randn(6, 4, generator=stream("encoder", 0), dtype=torch.float64)
CLOSED = [name for name, prior in PRIORS.items() if prior.closed_form]
LEARNED = [name for name, prior in PRIORS.items() if prior.learned]


def encode(x):
    """Any map from data of shape (..., 4) to posteriors of up to three dimensions."""
    mean, log_scale = (x @ ENCODER.to(x).T).chunk(2, -1)
    return mean, (0.3 * log_scale - 0.5).exp()


def make(name, latent_dim=2, seed=0):
    """A prior of default options in float64, on data of shape (4,)."""
    with global_stream("initialisation", seed):
        prior = PRIORS[name](latent_dim)
        prior.bind((4,))
    return prior.double()


def resolved(prior):
    def cut(x):
        return tuple(part[..., : prior.latent_dim] for part in encode(x))

    return prior.resolve(cut)


def axis(prior, points):
    """A grid that covers the prior and ends where its support ends."""
    low, high = (prior.low, prior.high) if isinstance(prior, Uniform) else (-12, 12)
    return torch.linspace(low, high, points, dtype=torch.float64)


def posteriors(prior, count=3, seed=0):
    output = torch.randn(count, 2 * prior.latent_dim, generator=stream("encoder", seed)).double()
    return prior.family.parameters(output)


@pytest.mark.parametrize("name", PRIORS)
def test_density_integrates_to_one_in_one_dimension(name):
    prior = resolved(make(name, 1))
    grid = axis(prior, 10_001)
    density = prior.log_prob(grid.unsqueeze(1)).exp().detach().numpy()
    assert integrate.simpson(density, x=grid.numpy()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", PRIORS)
def test_density_integrates_to_one_in_two_dimensions(name):
    prior = resolved(make(name, 2))
    grid = axis(prior, 401)
    z = torch.cartesian_prod(grid, grid)
    density = prior.log_prob(z).exp().detach().view(401, 401).numpy()
    total = integrate.simpson(integrate.simpson(density, x=grid.numpy()), x=grid.numpy())
    assert total == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", CLOSED)
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
    prior = resolved(make(name))
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
def test_the_rate_is_the_kl_or_its_unbiased_estimate(name):
    prior = resolved(make(name))
    mean, scale = posteriors(prior)
    noise = torch.randn(5000, *mean.shape, generator=stream("noise", 1)).double()
    z = prior.family.draw(mean, scale, noise)
    rate = prior.rate(mean, scale, z)
    if prior.closed_form:
        assert torch.equal(rate, prior.kl(mean, scale))
        return
    rate = rate.detach()
    estimate, error = rate.mean(0), rate.std(0) / 5000**0.5
    other = torch.distributions.Normal(mean, scale)
    fresh = other.sample((5000,))
    expected = (other.log_prob(fresh).sum(-1) - prior.log_prob(fresh)).mean(0)
    assert ((estimate - expected).abs() < 5 * 2**0.5 * error).all()


@pytest.mark.parametrize("name", PRIORS)
def test_gradients_match_finite_differences(name):
    prior = resolved(make(name))
    mean, scale = (v.clone().requires_grad_() for v in posteriors(prior))
    noise = torch.randn(mean.shape, generator=stream("noise", 0)).double()

    def rate(mean, scale):
        return prior.rate(mean, scale, prior.family.draw(mean, scale, noise))

    assert torch.autograd.gradcheck(rate, (mean, scale))


@pytest.mark.parametrize("name", LEARNED)
def test_every_parameter_has_a_gradient(name):
    prior = make(name)
    z = torch.randn(20, 2, generator=stream("z", 0)).double()
    resolved(prior).log_prob(z).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in prior.parameters())


@pytest.mark.parametrize("name", [n for n, prior in PRIORS.items() if prior.replicable])
def test_a_replicate_axis_passes_through(name):
    priors = [make(name, seed=seed) for seed in range(3)]
    z = torch.rand(3, 5, 2, generator=stream("z", 0)).double()
    apart = torch.stack([resolved(p).log_prob(part) for p, part in zip(priors, z, strict=True)])
    state, _ = torch.func.stack_module_state(priors)
    for key, value in state.items():
        del priors[0]._parameters[key]
        setattr(priors[0], key, value)
    assert torch.allclose(resolved(priors[0]).log_prob(z), apart)


@pytest.mark.parametrize("name", PRIORS)
def test_a_saved_prior_is_the_same_again(name):
    prior, again, file = make(name), make(name, seed=1), io.BytesIO()
    torch.save(prior.state_dict(), file)
    file.seek(0)
    again.load_state_dict(torch.load(file, weights_only=True))
    z = axis(prior, 50).unsqueeze(1).expand(50, 2)
    assert torch.equal(resolved(prior).log_prob(z), resolved(again).log_prob(z))


def test_a_mixture_is_the_one_of_torch():
    prior = make("mixture", 3)
    with torch.no_grad():
        prior.logits += torch.randn(10, generator=stream("weights", 0))
        prior.log_scale += torch.randn(10, 3, generator=stream("scales", 0))
    expected = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=prior.logits),
        torch.distributions.Independent(
            torch.distributions.Normal(prior.mean, prior.log_scale.exp()), 1
        ),
    )
    z = 2 * torch.randn(50, 3, generator=stream("z", 0)).double()
    assert torch.allclose(prior.log_prob(z), expected.log_prob(z))


def test_a_vampprior_is_the_aggregate_posterior_of_its_pseudo_inputs():
    prior = make("vampprior", 3)
    x = torch.rand(80, 4, generator=stream("data", 0)).double()
    prior.prepare(x, stream("preparation", 0))
    assert all((row == x).all(1).any() for row in prior.inputs)
    assert len(prior.inputs.unique(dim=0)) == prior.components
    z = torch.randn(30, 3, generator=stream("z", 0)).double()
    aggregate = AggregatePosterior(*encode(prior.inputs))
    assert torch.allclose(resolved(prior).log_prob(z), aggregate.log_prob(z))
    with pytest.raises(ValueError, match="depends on its encoder"):
        prior.log_prob(z)


@pytest.mark.parametrize("name", ["mixture", "vampprior"])
def test_more_components_than_points_are_refused(name):
    prior = make(name)
    points = 9 if name == "mixture" else 49
    prior.prepare(torch.rand(points + 1, 4).double(), stream("preparation", 0))
    with pytest.raises(ValueError, match=f"at most the {points} training points, got {points + 1}"):
        prior.prepare(torch.rand(points, 4).double(), stream("preparation", 0))
    with pytest.raises(ValueError, match="components must be at least 1, got 0"):
        PRIORS[name](2, components=0)


@pytest.mark.parametrize("options", [{"transforms": 0}, {"hidden": [0]}, {"bins": 1}])
def test_bad_options_of_a_flow_are_refused(options):
    with pytest.raises(ValueError, match="expected transforms >= 1"):
        PRIORS["flow"](2, **options)


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


@pytest.mark.parametrize("name", ["uniform", "flow"])
@torch.no_grad()
def test_the_map_to_the_normal_makes_draws_normal(name):
    prior = make(name)
    noise = prior.to_normal(prior.sample(20_000, stream("draws", 0)).double())
    for column in noise.T:
        assert stats.kstest(column.numpy(), "norm").pvalue > 1e-3
    assert abs(float(torch.corrcoef(noise.T)[0, 1])) < 0.03


def test_a_map_counts_for_the_density_that_it_belongs_to():
    class Narrow(Uniform):
        """Another density under the same map."""

        def log_prob(self, z):
            return super().log_prob(2 * z)

    class Bounded(Uniform):
        """The same density with other defaults."""

    kinds = [Normal(2), make("flow"), make("mixture"), Uniform(2), Bounded(2), Narrow(2)]
    assert [has_map(prior) for prior in kinds] == [False, True, False, True, True, False]
