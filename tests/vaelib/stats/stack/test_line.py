"""Kernel densities on the line, and the copula and the radius that are made of them."""

import math

import pytest
import torch
from scipy import stats

from vaelib.seeding import stream
from vaelib.stats.stack.candidates import log_standard_normal
from vaelib.stats.stack.line import CopulaCandidate, LineDensities, RadiusCandidate


def normal(rows, columns, seed):
    return torch.randn(rows, columns, generator=stream("line", seed), dtype=torch.float64)


def bimodal(rows, seed):
    z = 0.7 * normal(rows, 1, seed)
    return z + 1.2 * normal(rows, 1, seed + 100).sign()


def test_matched_lines_keep_the_prior_exactly():
    z = normal(500, 200, 0)
    lines = LineDensities(z)
    kept = lines.share == 0
    assert int(kept.sum()) >= 185
    assert torch.equal(lines.score(z)[:, kept], z[:, kept])
    assert not bool(lines.log_ratio(z)[:, kept].any())


def test_the_kernel_density_is_scipy_s():
    z = bimodal(2000, 1)
    lines = LineDensities(z, torch.ones(1, dtype=torch.float64))
    quartiles = z[:, 0].sort()[0][[500, 1499]].diff()
    spread = min(float(z.std()), float(quartiles) / 1.34)
    width = 0.7 * spread * 2000**-0.2
    kernel = stats.gaussian_kde(z[:, 0].numpy(), width / float(z.std()))
    at = torch.linspace(-2.5, 2.5, 50, dtype=torch.float64)[:, None]
    density = (lines.log_ratio(at)[:, 0] + log_standard_normal(at)).exp()
    torch.testing.assert_close(density, torch.tensor(kernel(at[:, 0].numpy())), atol=1e-3, rtol=0)


def test_the_share_is_the_most_likely_for_points_that_the_kernels_do_not_know():
    """Against a fine search, on a law that is four fifths the prior's."""
    z = torch.cat([normal(1600, 1, 2), 4 + 0.1 * normal(400, 1, 3)])
    z = z[torch.randperm(2000, generator=stream("line", 4))]
    lines = LineDensities(z)
    ones = torch.ones(1, dtype=torch.float64)
    halves = (z[:1000], z[1000:])
    pairs = (halves, halves[::-1])
    ratio = torch.cat([LineDensities(a, ones).log_ratio(b) for a, b in pairs]).exp()
    shares = torch.linspace(0, 0.98, 981, dtype=torch.float64)
    likelihood = (ratio * shares + 1 - shares).log().sum(0)
    assert float(lines.share) == pytest.approx(float(shares[likelihood.argmax()]), abs=0.002)
    assert float(lines.gain) == pytest.approx(float(likelihood.max()), abs=0.05)


def test_columns_do_not_see_one_another():
    z = torch.cat([bimodal(500, 1), normal(500, 1, 5), 3 * bimodal(500, 7)], 1)
    together = LineDensities(z)
    alone = [LineDensities(z[:, j : j + 1]).log_ratio(z[:, j : j + 1]) for j in range(3)]
    torch.testing.assert_close(together.log_ratio(z), torch.cat(alone, 1))


def test_scores_of_a_line_and_back():
    z = bimodal(2000, 1)
    lines = LineDensities(z)
    torch.testing.assert_close(lines.inverse(lines.score(z)), z, atol=1e-6, rtol=0)
    assert float(lines.score(z).var()) == pytest.approx(1, abs=0.05)


def test_a_copula_of_normal_marginals_is_the_gaussian():
    z = normal(4000, 3, 10)
    z[:, 1] = 0.8 * z[:, 0] + 0.6 * z[:, 1]
    copula = CopulaCandidate(z)
    assert not bool(copula.gain.clamp_min(3).sub(3).any())
    correlation = (torch.corrcoef(z.T) * (3999 / 4005)).fill_diagonal_(1)
    gaussian = torch.distributions.MultivariateNormal(torch.zeros(3).double(), correlation)
    new = normal(100, 3, 11)
    torch.testing.assert_close(copula.log_prob(new), gaussian.log_prob(new), atol=1e-9, rtol=0)


def test_a_copula_sees_bent_marginals_and_their_correlation():
    """z³ of correlated normals: the KL of a copula is the marginals' and -½ log(1 - ρ²)."""
    z = normal(8000, 2, 12)
    z[:, 1] = 0.8 * z[:, 0] + 0.6 * z[:, 1]
    bent = z.sign() * z.abs() ** 1.5
    copula = CopulaCandidate(bent[:4000])
    marginal = LineDensities(bent[:4000]).log_ratio(bent[4000:]).sum(1).mean()
    gain = (copula.log_prob(bent[4000:]) - log_standard_normal(bent[4000:])).mean()
    assert float(gain - marginal) == pytest.approx(-math.log(0.6), abs=0.04)


def test_a_radius_sees_a_shell():
    z = normal(4000, 5, 13)
    z = 2 * z / z.norm(dim=1, keepdim=True) * (1 + 0.05 * z[:, :1])
    radius = RadiusCandidate(z[:2000])
    assert float((radius.log_prob(z[2000:]) - log_standard_normal(z[2000:])).mean()) > 1
    drawn = radius.sample(5000, stream("radius", 1)).norm(dim=1)
    assert float(drawn.mean()) == pytest.approx(2, abs=0.02)
    assert float(drawn.std()) == pytest.approx(0.1, abs=0.05)


def test_a_radius_of_normal_points_is_the_prior():
    z = normal(2000, 12, 14)
    assert torch.equal(RadiusCandidate(z).log_prob(z), log_standard_normal(z))
