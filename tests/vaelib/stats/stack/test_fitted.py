"""Every candidate in one sweep: unit mass, draws of its own law, finite logs; bad input."""

import math

import pytest
import torch

from vaelib.priors import Mixture, Normal
from vaelib.priors.base import Prior
from vaelib.seeding import global_stream, stream
from vaelib.stats.stack.candidates import Posteriors, StandardNormal, log_standard_normal
from vaelib.stats.stack.fitted import SmoothedCandidate, fit_candidates, log_ratios
from vaelib.stats.stack.weights import cross_fitted_gains


def posteriors(count, dimensions, seed=0):
    """Means of two clusters along the first axis, scales that differ by dimension."""
    generator = stream("candidates", seed)
    mean = 0.7 * torch.randn(count, dimensions, generator=generator, dtype=torch.float64)
    mean[:, 0] += 1.5 * (torch.randint(2, (count,), generator=generator) * 2 - 1)
    scale = torch.linspace(0.2, 0.6, dimensions, dtype=torch.float64).repeat(count, 1)
    return Posteriors(mean, scale)


def points(count, dimensions):
    z = posteriors(count, dimensions).draw(stream("candidates", 1))
    return Posteriors(z, torch.zeros_like(z))


def fitted(data, prior=None):
    return fit_candidates(data, stream("candidates", 2), prior=prior)


def mixture_prior(dimensions):
    with global_stream("candidates", 0):
        return Mixture(dimensions, components=3)


def plane(edge, step):
    axis = torch.arange(-edge, edge + step / 2, step, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis)


@pytest.mark.parametrize("data", [posteriors(500, 1), points(20, 1)], ids=["500", "20 points"])
def test_each_integrates_to_one_on_the_line(data):
    z = torch.linspace(-12, 12, 12_001, dtype=torch.float64)
    for name, candidate in fitted(data).items():
        mass = float(torch.trapezoid(candidate.log_prob(z[:, None]).exp(), z))
        assert mass == pytest.approx(1, abs=2e-4), name


@pytest.mark.parametrize(
    ("data", "step", "prior"),
    [
        (posteriors(500, 2), 0.08, None),
        (posteriors(500, 2), 0.08, mixture_prior(2)),
        (points(20, 2), 0.04, None),
    ],
    ids=["500", "500, mixture prior", "20 points"],
)
def test_each_integrates_to_one_on_the_plane(data, step, prior):
    z = plane(8, step)
    for name, candidate in fitted(data, prior).items():
        mass = float(candidate.log_prob(z).exp().sum()) * step**2
        assert mass == pytest.approx(1, abs=0.01), name


@pytest.mark.parametrize("dimensions", [3, 16])
def test_each_has_unit_mass_where_the_prior_covers_it(dimensions):
    """The mean of r/p over draws of (r + p)/2 against the prior's half: importance sampling."""
    prior = StandardNormal(dimensions)
    for name, candidate in fitted(posteriors(500, dimensions)).items():
        z = torch.cat([g.sample(5000, stream("candidates", 3)) for g in (prior, candidate)])
        logs, base = candidate.log_prob(z), log_standard_normal(z)
        weight = (logs - torch.logaddexp(logs, base) + math.log(2)).exp()
        error = float(weight.std()) / math.sqrt(len(z))
        assert float(weight.mean()) == pytest.approx(1, abs=4.5 * error + 1e-9), name


@pytest.mark.parametrize("prior", [None, mixture_prior(2)], ids=["normal", "mixture prior"])
def test_draws_have_the_density_s_moments(prior):
    """The mean of z², of cos z and of the log density itself, against a sum over the plane."""
    grid = plane(8, 0.1)
    for name, candidate in fitted(posteriors(500, 2), prior).items():
        z = candidate.sample(10_000, stream("candidates", 5))
        logs = candidate.log_prob(grid)
        weight = logs.softmax(0)
        pairs = [(z.square(), grid.square()), (z.cos(), grid.cos())]
        pairs += [(candidate.log_prob(z)[:, None], logs[:, None])]
        for drawn, exact in pairs:
            error = drawn.std(0) / 100
            difference = (drawn.mean(0) - (weight[:, None] * exact).sum(0)).abs()
            assert bool((difference < 5 * error).all()), name


@pytest.mark.parametrize(
    "data",
    [
        points(2, 1),
        posteriors(20, 8),
        points(20, 24),
        points(20, 64),
        posteriors(3000, 2),
        points(300, 40),
        Posteriors(1e6 * points(50, 3).mean, torch.zeros(50, 3).double()),
        Posteriors(1e-6 * points(50, 3).mean, torch.full((50, 3), 1e-9).double()),
        Posteriors(points(50, 1).mean.repeat(1, 3), torch.zeros(50, 3).double()),
        Posteriors(torch.zeros(50, 3).double(), torch.ones(50, 3).double()),
    ],
    ids=[
        "2 points",
        "20x8",
        "20x24 points",
        "20x64 points",
        "3000x2",
        "300x40 points",
        "of spread a million",
        "of spread a millionth",
        "one number three times",
        "collapsed",
    ],
)
def test_each_is_finite_far_out_and_at_its_own_draws(data):
    dimensions = data.mean.shape[1]
    far = torch.stack([torch.full((dimensions,), x) for x in (-1e4, -40.0, 0.0, 40.0, 1e4)])
    for prior in (None, mixture_prior(dimensions)):
        candidates = fitted(data, prior)
        for name, candidate in candidates.items():
            z = candidate.sample(20, stream("candidates", 4))
            assert z.shape == (20, dimensions) and z.dtype == torch.float64, name
            assert bool(candidate.log_prob(z).isfinite().all()), name
            assert bool(candidate.log_prob(far.double()).isfinite().all()), name
        ratios = log_ratios(candidates, far.double())
        assert ratios.shape == (5, len(candidates)) and bool(ratios.isfinite().all())
        assert bool((ratios[:, 0] == 0).all()) and next(iter(candidates)) == "prior"


def test_smoothing_keeps_the_variance_of_each_dimension():
    data = posteriors(2000, 3)
    z = SmoothedCandidate(data, 0.4).sample(20_000, stream("smooth", 0))
    assert torch.allclose(z.var(0), data.moments()[1].diagonal(), rtol=0.05)


def test_of_more_inputs_than_the_most_a_random_choice_is_used():
    data = posteriors(400, 1)
    few = fit_candidates(data, stream("candidates", 2), most=100)
    index = torch.randperm(400, generator=stream("candidates", 2))[:100]
    z = data.draw(stream("candidates", 3))
    exact = SmoothedCandidate(data.part(index), 0.2).log_prob(z)
    torch.testing.assert_close(few["smoothed 0.2"].log_prob(z), exact)


def test_a_comb_needs_the_finer_mixture_of_ten_thousand_inputs():
    """60 equal teeth on the line: 30 components cannot tell them apart, 100 can."""
    generator = stream("comb", 0)
    teeth = torch.randint(60, (12_000, 1), generator=generator).double() / 10 - 3
    z = teeth + 0.01 * torch.randn(12_000, 1, generator=generator, dtype=torch.float64)
    gains = []
    for count in (9_999, 10_000):
        data = Posteriors(z[:count], torch.zeros(count, 1, dtype=torch.float64))
        mixture = fitted(data)["mixture"].log_prob(z[10_000:])
        gains.append(float(mixture.mean()))
    assert gains[1] > gains[0] + 0.2


def test_the_order_of_the_inputs_does_not_matter_to_the_law_that_is_fitted():
    """Sorted inputs: halves and prefixes of them are other laws, a random choice is not."""
    data = points(1000, 2)
    ordered = data.part(data.mean[:, 0].argsort())
    new = posteriors(1000, 2, seed=9).draw(stream("candidates", 1))
    means = [log_ratios(fitted(d), new).mean(0) for d in (data, ordered)]
    torch.testing.assert_close(*means, atol=0.04, rtol=0)


def test_where_numbers_overflow_nothing_is_claimed():
    z = torch.tensor([[1e200, 0.0], [0.0, -1e160], [0.0, 0.0]], dtype=torch.float64)
    ratios = log_ratios(fitted(points(100, 2)), z)
    assert not bool(ratios.isnan().any() or ratios.isposinf().any())
    assert bool((ratios[:, 0] == 0).all()) and bool(ratios[2].isfinite().all())


def test_single_precision_is_read_as_double():
    data = points(100, 2)
    single = Posteriors(data.mean.float(), data.scale.float())
    double = Posteriors(single.mean.double(), single.scale.double())
    ratios = [log_ratios(fitted(d), single.mean) for d in (single, double)]
    assert ratios[0].dtype == torch.float64 and torch.equal(*ratios)


def test_with_a_prior_of_its_own_the_ratio_is_to_that_prior():
    prior = mixture_prior(3)
    data = posteriors(500, 3)
    candidates = fitted(data, prior)
    z = data.draw(stream("candidates", 3))
    assert not {"copula", "radius", "shrunk spectrum"} & set(candidates)
    ratios = log_ratios(candidates, z)
    with torch.no_grad():
        exact = candidates["gaussian"].log_prob(z) - prior.log_prob(z)
    torch.testing.assert_close(ratios[:, list(candidates).index("gaussian")], exact)


class _HalfLine(Prior):
    """|N(0, 1)| in each dimension: no mass below 0."""

    def log_prob(self, z):
        inside = (z >= 0).all(-1)
        logs = log_standard_normal(z) + z.shape[-1] * math.log(2)
        return torch.where(inside, logs, -torch.inf)

    def sample(self, count, generator):
        return torch.randn(count, self.latent_dim, generator=generator).abs()


def test_where_a_prior_has_no_mass_the_gain_is_large_and_finite():
    data = Posteriors(points(500, 1).mean, torch.zeros(500, 1).double())
    candidates = fitted(data, _HalfLine(1))
    z = data.mean[:200]
    ratios = log_ratios(candidates, z)
    assert bool(ratios.isfinite().all()) and bool((ratios[:, 0] == 0).all())
    below = z[:, 0] < 0
    assert float(ratios[below, 1:].min()) > 1000 > float(ratios[~below].max())
    assert float(cross_fitted_gains(ratios, stream("candidates", 3)).mean()) > 1000
    inside = log_ratios(candidates, z.abs())
    torch.testing.assert_close(
        inside[:, 1],
        candidates["gaussian"].log_prob(z.abs()) - log_standard_normal(z.abs()) - math.log(2),
    )


class _Undefined(Normal):
    def log_prob(self, z):
        return super().log_prob(z) * math.nan


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (posteriors(1, 3), "at least 2 rows, got 1"),
        (Posteriors(torch.full((5, 2), math.nan), torch.ones(5, 2)), "must be finite"),
        (Posteriors(torch.ones(30, 2).double(), torch.zeros(30, 2).double()), "all equal"),
        (Posteriors(torch.ones(30, 2), torch.ones(30, 3)), r"same shape \(N, D\), got .*, 3\)"),
        (Posteriors(torch.ones(30, 2), -torch.ones(30, 2)), "must not be negative, got min -1"),
        (
            Posteriors(points(30, 2).mean * torch.tensor([1.0, 0.0]), torch.zeros(30, 2).double()),
            r"no dimension may be constant, .*, got \[1\]",
        ),
    ],
)
def test_bad_latents_are_refused_in_one_sentence(data, said):
    with pytest.raises(ValueError, match=said):
        fitted(data)


@pytest.mark.parametrize(
    ("z", "prior", "said"),
    [
        (torch.full((4, 2), math.nan), None, "z must be finite, got 8 values"),
        (torch.zeros(4, 3), None, r"shape \(M, 2\), got \(4, 3\)"),
        (torch.zeros(4, 2), _Undefined(2), "must be below infinity and no NaN, got 4 of 4"),
    ],
)
def test_bad_held_out_z_are_refused_in_one_sentence(z, prior, said):
    candidates = fitted(points(30, 2), prior)
    with pytest.raises(ValueError, match=said):
        log_ratios(candidates, z.double())


def test_a_prior_of_another_dimension_is_refused():
    with pytest.raises(ValueError, match="prior has 3 dimensions, the latents 2"):
        fitted(points(30, 2), mixture_prior(3))
