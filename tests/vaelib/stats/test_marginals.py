import math

import pytest
import torch
from scipy import integrate, stats

from tests.vaelib.stats.test_divergences import brute_force, exact_null, mixture
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.seeding import stream
from vaelib.stats import divergences, holes, marginals, moments
from vaelib.stats.binned import MANY


def test_kl_per_dimension_of_gaussians_is_the_closed_form():
    mean = torch.tensor([[0.0, 1.0, -2.0]], dtype=torch.float64)
    scale = torch.tensor([[2**0.5, 1.0, 0.01]], dtype=torch.float64)
    values, errors = marginals.kl_per_dimension(AggregatePosterior(mean, scale))
    expected = 0.5 * (scale.square() + mean.square() - 1 - 2 * scale.log())[0]
    assert (values - expected).abs().max() < 1e-9
    assert errors.max() < 1e-8


@pytest.mark.parametrize("scale", [0.02, 0.3, 1.5])
def test_kl_per_dimension_against_adaptive_quadrature(scale):
    q = mixture(7, 1, scale)

    def integrand(z):
        log_q = float(q.log_prob(torch.tensor([[z]], dtype=torch.float64)))
        return math.exp(log_q) * (log_q - stats.norm.logpdf(z))

    low, high = float(q.mean.min() - 9 * scale), float(q.mean.max() + 9 * scale)
    peaks = q.mean.flatten().tolist()
    expected, _ = integrate.quad(integrand, low, high, points=peaks, limit=400, epsabs=1e-11)
    values, errors = marginals.kl_per_dimension(q)
    assert float(values[0]) == pytest.approx(expected, abs=1e-8)
    assert float(errors[0]) < 1e-6


def test_one_dimension_is_its_own_joint():
    q = mixture(200, 1, 0.2)
    decomposition = divergences.decompose(q, Normal(1), stream("z", 0), draws=50)
    values, _ = marginals.kl_per_dimension(q)
    assert abs(float(values[0]) - decomposition.marginal_kl) < 5 * decomposition.standard_error
    expected, error = brute_force(q, draws=500)
    assert abs(float(values[0]) - expected) < 5 * error


@pytest.mark.parametrize("narrow", [1e-7, 1e-12, 1e-30])
def test_components_too_narrow_for_a_grid_have_their_own_quadrature(narrow):
    """Half of the mass in a spike of differential entropy log(s √(2πe)), half in N(0, 1)."""
    mean = torch.tensor([[0.0], [0.0]], dtype=torch.float64)
    q = AggregatePosterior(mean, torch.tensor([[narrow], [1.0]], dtype=torch.float64))
    value, error = marginals.kl_per_dimension(q)
    expected = -math.log(2) - (math.log(narrow) + 0.5) / 2
    assert float(value) == pytest.approx(expected, abs=1e-5)
    assert error < 1e-5


def test_narrow_components_apart_carry_log_n():
    mean = torch.linspace(-1, 1, 50, dtype=torch.float64)[:, None]
    q = AggregatePosterior(mean, torch.full_like(mean, 1e-9))
    rate = float(Normal(1).kl(q.mean, q.scale).mean())
    assert float(marginals.kl_per_dimension(q)[0]) == pytest.approx(rate - math.log(50), abs=1e-7)


def test_independent_dimensions_have_no_total_correlation_and_dependent_ones_have():
    grid = torch.linspace(-1, 1, 15, dtype=torch.float64)
    product = torch.cartesian_prod(grid, grid)
    line = grid.unsqueeze(1).expand(-1, 2)
    for mean, related in ((product, False), (line, True)):
        q = AggregatePosterior(mean, torch.full_like(mean, 0.2))
        decomposition = divergences.decompose(q, Normal(2), stream("z", 0), draws=50)
        total = marginals.total_correlation(
            decomposition.marginal_kl, marginals.kl_per_dimension(q)[0]
        )
        assert (total > 0.5) == related
        assert total > -5 * decomposition.standard_error
        if not related:
            assert abs(total) < 5 * decomposition.standard_error


def test_kurtosis_of_known_mixtures():
    assert marginals.excess_kurtosis(mixture(1, 3, 0.7)).abs().max() < 1e-12
    two = AggregatePosterior(torch.tensor([[-1.0], [1.0]]), torch.full((2, 1), 1e-6))
    assert float(marginals.excess_kurtosis(two)[0]) == pytest.approx(-2, abs=1e-5)
    q = mixture(30, 2, 0.5)
    z = q.sample(stream("z", 0), 20_000).flatten(0, 1).numpy()
    assert marginals.excess_kurtosis(q).numpy() == pytest.approx(stats.kurtosis(z), abs=0.05)


def test_the_gauge_fix_lowers_the_rate_by_its_gain_and_keeps_the_information():
    q = mixture(100, 3, 0.4, spread=2.0)
    fixed = marginals.gauge_fix(q)
    mean, covariance = fixed.moments()
    assert mean.abs().max() < 1e-12
    assert (covariance.diagonal() - 1).abs().max() < 1e-12
    before = divergences.decompose(q, Normal(3), stream("z", 0), 4)
    after = divergences.decompose(fixed, Normal(3), stream("z", 0), 4)
    assert before.rate - after.rate == pytest.approx(marginals.gauge_gain(q), abs=1e-9)
    slack = 5 * math.hypot(before.standard_error, after.standard_error)
    assert abs(before.mutual_information - after.mutual_information) < slack
    assert marginals.gauge_gain(fixed) == pytest.approx(0, abs=1e-12)
    assert moments.variance_law(fixed) < 1e-12


@pytest.mark.parametrize(("dimensions", "scale"), [(1, 0.05), (2, 0.3), (8, 1.0)])
def test_information_lies_within_its_pairwise_bounds(dimensions, scale):
    q = mixture(80, dimensions, scale)
    low, high = divergences.information_bounds(q)
    decomposition = divergences.decompose(q, Normal(dimensions), stream("z", 0), draws=50)
    slack = 5 * decomposition.standard_error + 1e-9
    assert low - slack <= decomposition.mutual_information <= high + slack
    assert 0 <= low <= high <= math.log(80) + 1e-9


def test_pairwise_bounds_of_two_gaussians_are_the_textbook_distances():
    q = AggregatePosterior(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [2.0]]))
    bhattacharyya = 1 / 8 / 2.5 + 0.5 * math.log(2.5 / 2)
    forward = math.log(2) + (1 + 1) / 8 - 0.5
    backward = -math.log(2) + (4 + 1) / 2 - 0.5
    low = -math.log((1 + math.exp(-bhattacharyya)) / 2)
    high = -sum(math.log((1 + math.exp(-d)) / 2) for d in (forward, backward)) / 2
    assert divergences.information_bounds(q) == pytest.approx((low, high), abs=1e-12)


def test_the_bracket_holds_around_a_known_population():
    """Population exactly N(0, I): its KL is 0, between the two ends in expectation."""
    lows, highs = [], []
    for seed in range(15):
        q = exact_null(150, 2, seed)
        lows.append(divergences.leave_one_out_kl(q, Normal(2), stream("z", seed))[0])
        highs.append(divergences.decompose(q, Normal(2), stream("z", seed), 4).marginal_kl)
    assert sum(lows) / 15 < 0 < sum(highs) / 15
    assert all(low < high for low, high in zip(lows, highs, strict=True))


@pytest.mark.parametrize("many", [300, MANY])
@pytest.mark.parametrize("narrow", [1e-7, 1e-10])
def test_what_a_grid_cannot_see_is_an_error_and_no_small_kl(monkeypatch, many, narrow):
    """Apart, 300 components of scale s have -log s - ½ - log 300 + ½ E mean², binned or not."""
    monkeypatch.setattr(marginals, "MANY", many)
    mean = torch.randn(300, 1, generator=stream("narrow", 0), dtype=torch.float64)
    value, error = marginals.kl_per_dimension(
        AggregatePosterior(mean, torch.full_like(mean, narrow))
    )
    expected = -math.log(narrow) - 0.5 - math.log(300) + 0.5 * float(mean.square().mean())
    if many == MANY:
        assert float(value) == pytest.approx(expected, abs=0.001) and float(error) < 0.001
    else:
        assert float(error) > 0.5, "the bins of many components see next to nothing here"


def test_holes_are_rare_when_matched_and_large_when_the_posterior_is_small():
    q, held = exact_null(2000, 2, 0), exact_null(1000, 2, 1)
    z = held.sample(stream("z", 0))[0]
    matched, error = holes.hole_mass(q, z, Normal(2), stream("prior", 0))
    assert matched < 0.03
    prior_draws = math.sqrt(matched * (1 - matched) / 10_000)
    assert error > 2 * prior_draws  # the quantile over held-out latents is the less certain
    small = AggregatePosterior(0.5 * q.mean, 0.5 * q.scale)
    assert holes.hole_mass(small, 0.5 * z, Normal(2), stream("prior", 0))[0] > 0.25
    with pytest.raises(ValueError, match="at least 100 rows for a quantile of 0.01, got 50"):
        holes.hole_mass(q, z[:50], Normal(2), stream("prior", 0))
