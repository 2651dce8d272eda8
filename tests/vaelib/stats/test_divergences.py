import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal, Prior
from vaelib.seeding import stream
from vaelib.stats import divergences, finite_sample, moments
from vaelib.stats.divergences import decompose
from vaelib.stats.finite_sample import draw_null


def mixture(components, dimensions, scale, seed=0, spread=1.0):
    generator = stream("mixture", seed)
    shape = (components, dimensions)
    mean = spread * torch.randn(shape, generator=generator, dtype=torch.float64)
    return AggregatePosterior(mean, torch.full(shape, scale, dtype=torch.float64))


def exact_null(components, dimensions, seed):
    """An encoder whose population is exactly N(0, I)."""
    generator = stream("encoder", seed)
    scale = 0.05 + 0.9 * torch.rand(components, dimensions, generator=generator).double()
    return draw_null(AggregatePosterior(torch.zeros_like(scale), scale), generator)


def brute_force(q, draws=20_000, seed=9):
    """Marginal KL in the direct form, z drawn from the mixture."""
    z = q.sample(stream("brute", seed), draws).flatten(0, 1)
    ratio = q.log_prob(z) - Normal(q.latent_dim).log_prob(z)
    return float(ratio.mean()), float(ratio.std()) / math.sqrt(len(ratio))


def test_one_component_has_the_gaussian_closed_form():
    q = AggregatePosterior(torch.zeros(1, 3), torch.full((1, 3), 2**0.5))
    decomposition = decompose(q, Normal(3), stream("z", 0), draws=10)
    expected = 1.5 * (2 - 1 - math.log(2))
    assert expected == pytest.approx(0.1534 * 3, abs=1e-4)
    assert decomposition.rate == pytest.approx(expected, rel=1e-6)
    assert decomposition.mutual_information == pytest.approx(0, abs=1e-12)
    assert decomposition.marginal_kl == pytest.approx(expected, rel=1e-6)
    assert moments.moment_kl(q) == pytest.approx(expected, rel=1e-6)
    assert moments.second_moment(q) == pytest.approx(2, rel=1e-6)


def test_distant_components_have_all_their_information():
    mean = 100 * torch.arange(8.0).unsqueeze(1)
    decomposition = decompose(
        AggregatePosterior(mean, torch.ones(8, 1)), Normal(1), stream("z", 0), 4
    )
    assert decomposition.mutual_information == pytest.approx(math.log(8), abs=1e-9)
    assert decomposition.standard_error == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("dimensions", "scale"), [(1, 0.3), (2, 0.1), (4, 0.8), (8, 1.2)])
def test_marginal_kl_agrees_with_the_direct_form(dimensions, scale):
    q = mixture(100, dimensions, scale)
    decomposition = decompose(q, Normal(dimensions), stream("z", 0), draws=100)
    expected, error = brute_force(q, draws=1000)
    assert abs(decomposition.marginal_kl - expected) < 5 * math.hypot(
        error, decomposition.standard_error
    )
    assert decomposition.rate == pytest.approx(
        decomposition.mutual_information + decomposition.marginal_kl, abs=1e-12
    )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60), st.integers(1, 5), st.floats(0.01, 3), st.floats(0, 5), st.integers(0, 999)
)
def test_information_lies_between_zero_and_log_n(components, dimensions, scale, spread, seed):
    q = mixture(components, dimensions, scale, seed, spread)
    draws = max(4, 400 // components)  # fewer z give no standard error to speak of
    decomposition = decompose(q, Normal(dimensions), stream("z", seed), draws=draws)
    slack = 6 * decomposition.standard_error + 1e-9
    assert -slack <= decomposition.mutual_information <= math.log(components) + slack
    floor = finite_sample.marginal_kl_floor(decomposition.rate, components)
    assert decomposition.marginal_kl >= floor - slack
    assert decomposition.marginal_kl >= moments.moment_kl(q) - slack  # negentropy is not negative


@pytest.mark.parametrize(
    ("components", "dimensions", "draws"), [(300, 2, 1), (300, 2, 4), (60, 3, 4), (9, 3, 4)]
)
def test_the_estimate_is_unbiased_and_its_error_honest(components, dimensions, draws):
    q = mixture(components, dimensions, 0.3)
    generator = stream("z", 1)
    many = [decompose(q, Normal(dimensions), generator, draws) for _ in range(300)]
    values = torch.tensor([m.marginal_kl for m in many])
    expected, error = brute_force(q, draws=max(200, 60_000 // components))
    assert abs(float(values.mean()) - expected) < 4 * math.hypot(
        error, float(values.std()) / 300**0.5
    )
    claimed = (sum(m.standard_error**2 for m in many) / len(many)) ** 0.5
    actual = float(values.std())
    assert 0.85 * actual < claimed  # never optimistic beyond the noise of 300 repetitions (4 %)
    if draws > 1:
        assert claimed < 1.15 * actual


def test_control_variates_are_worth_having():
    q = mixture(300, 2, 0.3)
    decomposition = decompose(q, Normal(2), stream("z", 0), draws=4)
    z = q.sample(stream("z", 0), 4)
    plain = q.component_log_prob(z).flatten() - q.log_prob(z.flatten(0, 1))
    assert decomposition.standard_error < 0.5 * float(plain.std()) / len(plain) ** 0.5


class Uniform(Prior):
    """U(0, 10); a posterior that is a narrow Gaussian inside it has KL log 10 - entropy."""

    def log_prob(self, z):
        inside = ((z >= 0) & (z <= 10)).all(-1)
        return torch.where(inside, -self.latent_dim * math.log(10), -math.inf)

    def kl(self, mean, scale):
        entropy = (scale.log() + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)
        return self.latent_dim * math.log(10) - entropy


def test_another_prior_has_the_same_identity():
    mean = torch.linspace(0.5, 9.5, 10).unsqueeze(1)
    q = AggregatePosterior(mean, torch.full((10, 1), 0.02))
    decomposition = decompose(q, Uniform(1), stream("z", 0), draws=50)
    assert decomposition.mutual_information == pytest.approx(math.log(10), abs=1e-6)
    entropy = math.log(0.02) + 0.5 * math.log(2 * math.pi * math.e)
    assert decomposition.marginal_kl == pytest.approx(-entropy, abs=1e-6)


@pytest.mark.parametrize(("dimensions", "scale"), [(2, 0.6), (8, 0.3)])
def test_a_random_subset_of_components_is_unbiased_and_its_error_honest(dimensions, scale):
    """Widths and rates differ between components, and the second case is saturated."""
    generator = stream("encoder", 0)
    scales = scale * (0.5 + torch.rand(600, dimensions, generator=generator).double())
    q = AggregatePosterior(torch.randn(600, dimensions, generator=generator), scales)
    exact = decompose(q, Normal(dimensions), stream("z", 0), draws=50)
    subsets = [
        decompose(q, Normal(dimensions), stream("z", seed), points=150) for seed in range(1, 61)
    ]
    values = torch.tensor([subset.marginal_kl for subset in subsets], dtype=torch.float64)
    errors = torch.tensor([subset.standard_error for subset in subsets], dtype=torch.float64)
    spread = float(values.std())
    assert abs(float(values.mean()) - exact.marginal_kl) < 4 * spread / 60**0.5
    assert 0.8 < float(errors.mean()) / spread < 2
    assert all(subset.rate == exact.rate for subset in subsets)
    loo = divergences.leave_one_out_kl(q, Normal(dimensions), stream("z", 0), 20)
    few = torch.tensor(
        [
            divergences.leave_one_out_kl(q, Normal(dimensions), stream("z", seed), 1, 150)
            for seed in range(1, 61)
        ]
    )
    assert abs(float(few[:, 0].mean()) - loo[0]) < 4 * float(few[:, 0].std()) / 60**0.5


def test_all_components_are_used_where_there_are_no_more_than_points():
    q = mixture(50, 2, 0.5)
    alike = [decompose(q, Normal(2), stream("z", 0), points=points) for points in (None, 50, 99)]
    assert alike[0] == alike[1] == alike[2]
