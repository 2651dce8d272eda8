"""Every candidate in one sweep; what each is for, in a world that it sees."""

import math

import pytest
import torch

from vaelib.seeding import stream
from vaelib.stats.stack.candidates import (
    Posteriors,
    StandardNormal,
    log_standard_normal,
    shrunk_covariance,
)
from vaelib.stats.stack.fitted import SmoothedCandidate, fit_candidates, log_ratios
from vaelib.stats.stack.line import CopulaCandidate, LineDensity, RadiusCandidate
from vaelib.stats.stack.mixtures import fit_mixture, interesting_planes


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


def fitted(data):
    return fit_candidates(data, stream("candidates", 2))


@pytest.mark.parametrize("data", [posteriors(3000, 1), points(20, 1)], ids=["3000", "20 points"])
def test_each_integrates_to_one_on_the_line(data):
    z = torch.linspace(-12, 12, 48_001, dtype=torch.float64)
    for name, candidate in fitted(data).items():
        mass = float(torch.trapezoid(candidate.log_prob(z[:, None]).exp(), z))
        assert mass == pytest.approx(1, abs=2e-4), name


@pytest.mark.parametrize("data", [posteriors(3000, 2), points(20, 2)], ids=["3000", "20 points"])
def test_each_integrates_to_one_on_the_plane(data):
    axis = torch.linspace(-9, 9, 721, dtype=torch.float64)
    z = torch.cartesian_prod(axis, axis)
    for name, candidate in fitted(data).items():
        mass = float(candidate.log_prob(z).exp().sum()) * float(axis[1] - axis[0]) ** 2
        assert mass == pytest.approx(1, abs=0.01), name


@pytest.mark.parametrize("dimensions", [3, 8, 16])
def test_each_has_unit_mass_where_the_prior_covers_it(dimensions):
    """The mean of r/p over draws of (r + p)/2 against the prior's half: importance sampling."""
    prior = StandardNormal(dimensions)
    for name, candidate in fitted(posteriors(1000, dimensions)).items():
        z = torch.cat([g.sample(20_000, stream("candidates", 3)) for g in (prior, candidate)])
        logs, base = candidate.log_prob(z), log_standard_normal(z)
        weight = (logs - torch.logaddexp(logs, base) + math.log(2)).exp()
        error = float(weight.std()) / math.sqrt(len(z))
        assert float(weight.mean()) == pytest.approx(1, abs=4.5 * error + 1e-9), name


@pytest.mark.parametrize(
    "data",
    [posteriors(20, 1), posteriors(20, 8), points(20, 64), posteriors(3000, 2), points(300, 40)],
    ids=["20x1", "20x8", "20x64 points", "3000x2", "300x40 points"],
)
def test_each_is_finite_far_out_and_at_its_own_draws(data):
    dimensions = data.mean.shape[1]
    far = torch.stack([torch.full((dimensions,), x) for x in (-1e4, -40.0, 0.0, 40.0, 1e4)])
    candidates = fitted(data)
    for name, candidate in candidates.items():
        z = candidate.sample(100, stream("candidates", 4))
        assert z.shape == (100, dimensions) and z.dtype == torch.float64, name
        assert bool(candidate.log_prob(z).isfinite().all()), name
        assert bool(candidate.log_prob(far.double()).isfinite().all()), name
    ratios = log_ratios(candidates, far.double())
    assert ratios.shape == (5, len(candidates)) and bool(ratios.isfinite().all())
    assert bool((ratios[:, 0] == 0).all()) and next(iter(candidates)) == "prior"


def test_samples_have_the_density_s_moments():
    """Self-normalised importance weights against the candidate's own draws, D = 2."""
    axis = torch.linspace(-9, 9, 721, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    for name, candidate in fitted(posteriors(1000, 2)).items():
        z = candidate.sample(40_000, stream("candidates", 5))
        weight = candidate.log_prob(grid).softmax(0)
        logs = candidate.log_prob(grid)
        pairs = [(z.square(), grid.square()), (z.cos(), grid.cos())]
        pairs += [(candidate.log_prob(z)[:, None], logs[:, None])]
        for drawn, exact in pairs:
            error = drawn.std(0) / 200
            difference = (drawn.mean(0) - (weight[:, None] * exact).sum(0)).abs()
            assert bool((difference < 5 * error + 0.01).all()), name


def test_the_mixture_of_posteriors_is_as_good_as_one_of_many_draws():
    data = posteriors(600, 4)
    generator = stream("candidates", 6)
    drawn = torch.cat([data.draw(generator) for _ in range(8)])
    new = posteriors(3000, 4, seed=9).draw(generator)
    gains = []
    for fit_to in (data, Posteriors(drawn, 0 * drawn), points(600, 4)):
        mixture = fit_mixture(fit_to, 30, stream("candidates", 7))
        gains.append(float(mixture.log_prob(new).mean()))
    assert gains[0] > gains[2] and gains[0] > gains[1] - 0.1


def test_one_component_is_the_moments():
    data = posteriors(500, 3)
    mixture = fit_mixture(data, 1, stream("candidates", 8))
    mean, covariance = data.moments()
    gaussian = torch.distributions.MultivariateNormal(mean, covariance)
    z = data.draw(stream("candidates", 9))
    torch.testing.assert_close(mixture.log_prob(z), gaussian.log_prob(z))


def test_a_matched_line_keeps_the_prior_exactly():
    kept = 0
    for seed in range(40):
        z = torch.randn(500, generator=stream("line", seed), dtype=torch.float64)
        line = LineDensity(z)
        kept += line.share == 0 and torch.equal(line.score(z), z)
    assert kept >= 36


def test_scores_of_a_line_and_back():
    z = posteriors(2000, 1).draw(stream("line", 0))[:, 0]
    line = LineDensity(z)
    torch.testing.assert_close(line.inverse(line.score(z)), z, atol=1e-6, rtol=0)
    assert float(line.score(z).var()) == pytest.approx(1, abs=0.05)


def test_the_spectrum_of_noise_becomes_the_identity():
    z = torch.randn(600, 150, generator=stream("spectrum", 0), dtype=torch.float64)
    torch.testing.assert_close(shrunk_covariance(z.T @ z / 600, 600), torch.eye(150).double())


def test_one_strong_direction_is_kept_and_debiased():
    z = torch.randn(600, 150, generator=stream("spectrum", 1), dtype=torch.float64)
    z[:, 0] *= math.sqrt(5)
    shrunk = shrunk_covariance(z.T @ z / 600, 600)
    values = torch.linalg.eigvalsh(shrunk)
    ratio = 0.25
    cosine = (1 - ratio / 16) / (1 + ratio / 4)
    assert float(values[-1]) == pytest.approx(cosine * 5 + 1 - cosine, rel=0.15)
    assert float(values[:-1].min()) == pytest.approx(1) == float(values[:-1].max())


def test_a_copula_sees_marginals_and_correlation():
    z = torch.randn(4000, 3, generator=stream("copula", 0), dtype=torch.float64)
    z[:, 1] = 0.8 * z[:, 0] + 0.6 * z[:, 1]
    new = torch.randn(4000, 3, generator=stream("copula", 1), dtype=torch.float64)
    new[:, 1] = 0.8 * new[:, 0] + 0.6 * new[:, 1]
    gain = (CopulaCandidate(z).log_prob(new) - log_standard_normal(new)).mean()
    assert float(gain) == pytest.approx(-math.log(0.6), abs=0.04)


def test_a_radius_sees_a_shell():
    z = torch.randn(4000, 5, generator=stream("radius", 0), dtype=torch.float64)
    z = 2 * z / z.norm(dim=1, keepdim=True) * (1 + 0.05 * z[:, :1])
    radius = RadiusCandidate(z[:2000])
    assert float((radius.log_prob(z[2000:]) - log_standard_normal(z[2000:])).mean()) > 1
    drawn = radius.sample(5000, stream("radius", 1)).norm(dim=1)
    assert float(drawn.mean()) == pytest.approx(2, abs=0.02)


def test_a_plane_is_found_in_twelve_dimensions():
    """Eight clusters on a circle: their second direction shows only beside the first."""
    generator = stream("plane", 0)
    z = torch.randn(3000, 12, generator=generator, dtype=torch.float64)
    angle = torch.randint(8, (3000,), generator=generator) * (math.pi / 4)
    z[:, :2] = 1.35 * torch.stack([angle.cos(), angle.sin()], 1) + 0.3 * z[:, :2]
    plane = interesting_planes(z, generator)["a direction and its partner"]
    assert float(torch.linalg.svdvals(plane[:2]).min()) > 0.98
    torch.testing.assert_close(plane.T @ plane, torch.eye(2, dtype=torch.float64))


def test_smoothing_keeps_the_variance_of_each_dimension():
    data = posteriors(5000, 3)
    z = SmoothedCandidate(data, 0.4).sample(50_000, stream("smooth", 0))
    assert torch.allclose(z.var(0), data.moments()[1].diagonal(), rtol=0.05)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (posteriors(1, 3), "at least 2 rows, got 1"),
        (Posteriors(torch.full((5, 2), math.nan), torch.ones(5, 2)), "must be finite"),
        (Posteriors(torch.ones(30, 2).double(), torch.zeros(30, 2).double()), "all equal"),
        (
            Posteriors(points(30, 2).mean * torch.tensor([1.0, 0.0]), torch.zeros(30, 2).double()),
            r"no dimension may be constant, .*, got \[1\]",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(data, said):
    with pytest.raises(ValueError, match=said):
        fitted(data)
