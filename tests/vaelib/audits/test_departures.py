import math

import pytest
import torch
from scipy import special, stats

from vaelib.audits.departures import DEPARTURES
from vaelib.seeding import stream

N = 200_000
MOMENTS_ALONE = ("scale", "correlation")
KLS = (0.05, 0.2)


def normal(z):
    return stats.norm.logpdf(z)


def scale(z, v):
    return stats.norm.logpdf(z, scale=math.sqrt(v)).sum(1) - normal(z).sum(1)


def correlation(z, rho):
    law = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    return law.logpdf(z[:, :2]) - normal(z[:, :2]).sum(1)


def clusters(z, a):
    modes = [stats.norm.logpdf(z[:, 0], mean, math.sqrt(1 - a**2)) for mean in (a, -a)]
    return special.logsumexp(modes, axis=0) - math.log(2) - normal(z[:, 0])


def ring(z, noise):
    """The radius follows a Rice law, the angle none."""
    radius = (z[:, :2] ** 2).sum(1) ** 0.5
    circle = math.sqrt(2 * (1 - noise**2))
    law = stats.rice.logpdf(radius, circle / noise, scale=noise)
    return law - stats.rayleigh.logpdf(radius)


def heavy_tails(z, freedom):
    spread = math.sqrt((freedom - 2) / freedom)
    return stats.t.logpdf(z[:, 0], freedom, scale=spread) - normal(z[:, 0])


def parity(z, positive):
    even = z[:, :4].prod(1) > 0
    return math.log(2) + special.xlogy(1, (positive * even) + (1 - positive) * (~even))


RATIOS = {
    "scale": scale,
    "correlation": correlation,
    "clusters": clusters,
    "ring": ring,
    "heavy tails": heavy_tails,
    "parity": parity,
}


def drawn(name, kl, dimensions=4, n=N, rotated=False):
    generator = stream(f"{name} {kl}", 0)
    return DEPARTURES[name].draw(n, dimensions, kl, generator, rotated=rotated)


@pytest.mark.parametrize("kl", KLS)
@pytest.mark.parametrize("name", DEPARTURES)
def test_the_kl_is_the_mean_log_ratio(name, kl):
    """Where the variance is 1, ½ (z² - 1) of mean 0 is taken off: t has no fourth moment."""
    z = drawn(name, kl).numpy()
    terms = RATIOS[name](z, DEPARTURES[name].parameter(kl, 4))
    if name == "heavy tails":
        terms = terms - 0.5 * (z[:, 0] ** 2 - 1)
    assert terms.mean() == pytest.approx(kl, abs=4 * terms.std() / math.sqrt(N))
    assert terms.std() / math.sqrt(N) < 0.01 * kl + 0.003


@pytest.mark.parametrize("name", DEPARTURES)
def test_moments_are_those_of_the_prior_where_they_are_said_to_be(name):
    z = drawn(name, 0.2)
    covariance = torch.cov(z.T)
    assert z.mean(0).abs().max() < 0.01
    matched = (covariance - torch.eye(4)).abs().max() < (0.1 if name == "heavy tails" else 0.02)
    assert matched == (name not in MOMENTS_ALONE)


def test_heavy_tails_are_those_of_student():
    z = drawn("heavy tails", 0.1)[:20_000, 0]
    freedom = DEPARTURES["heavy tails"].parameter(0.1, 1)
    law = stats.t(freedom, scale=math.sqrt((freedom - 2) / freedom))
    assert stats.kstest(z.numpy(), law.cdf).pvalue > 0.01


def test_a_rotation_keeps_the_lengths_and_moves_the_directions():
    there, turned = drawn("clusters", 0.2, 8, 2000), drawn("clusters", 0.2, 8, 2000, rotated=True)
    assert torch.allclose(there.norm(dim=1), turned.norm(dim=1))
    assert stats.kurtosis(there[:, 0]) < -0.8 < stats.kurtosis(turned[:, 0])
    scaled = [drawn("scale", 0.2, 8, 20, rotated=rotated) for rotated in (False, True)]
    assert torch.equal(*scaled)


@pytest.mark.parametrize(
    ("name", "dimensions", "kl", "message"),
    [
        ("parity", 3, 0.1, "parity needs 4 dimensions or more, got 3"),
        ("parity", 4, 0.7, "the KL of parity must be positive and below 0.693 nats, got 0.7"),
        ("ring", 2, 0.0, "the KL of ring must be positive"),
    ],
)
def test_what_cannot_be_planted_is_refused(name, dimensions, kl, message):
    with pytest.raises(ValueError, match=message):
        DEPARTURES[name].draw(10, dimensions, kl, torch.Generator())
