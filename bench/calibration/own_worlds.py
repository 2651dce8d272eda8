"""Laws of z with known KL that are not in SCIENCE.md, fixed before the estimator was written.

Nothing of the estimator is tuned to them: they show how it does where nobody looked.
"""

from math import lgamma, log, pi, sqrt

import torch
from scipy import special, stats

from bench.calibration.worlds import (
    World,
    gaussian,
    kl_covariance,
    kl_line,
    kl_plane,
    log_normal,
    normal,
    on_axes,
    radial,
    rotation,
)


def spiral(noise=0.15):
    """Two turns in the plane, 120 equal Gaussians along it, standardised."""
    t = torch.linspace(0.15, 1, 120, dtype=torch.float64).sqrt() * 4 * pi
    centres = torch.stack([t * t.cos(), t * t.sin()], 1) / (4 * pi)
    centres = (centres - centres.mean(0)) / centres.std(0, correction=0) * sqrt(1 - noise**2)

    def log_density(z):
        logs = log_normal(z[:, None], centres, noise**2).sum(-1)
        return logs.logsumexp(1) - log(len(centres))

    def points(n, generator):
        label = torch.randint(len(centres), (n,), generator=generator)
        return centres[label] + noise * normal(n, 2, generator)

    def log_ratio(z):
        return log_density(z) - log_normal(z).sum(1)

    return World("spiral", 2, lambda: kl_plane(log_density, 4), log_ratio, points)


def student_copula(dimensions=6, degrees=3, rho=0.2):
    """Normal marginals, tail dependence: KL = D h(t_1) - h(t_D), both entropies closed forms."""
    shape = torch.full((dimensions, dimensions), rho, dtype=torch.float64).fill_diagonal_(1)
    factor = torch.linalg.cholesky(shape)

    def entropy(d, log_determinant):
        half = (degrees + d) / 2
        logs = lgamma(degrees / 2) - lgamma(half) + d / 2 * log(degrees * pi)
        slope = half * float(special.digamma(half) - special.digamma(degrees / 2))
        return 0.5 * log_determinant + logs + slope

    def exact():
        joint = entropy(dimensions, float(torch.logdet(shape)))
        return dimensions * entropy(1, 0.0) - joint

    def points(n, generator):
        chi = normal(n, degrees, generator).square().sum(1, keepdim=True) / degrees
        x = normal(n, dimensions, generator) @ factor.T / chi.sqrt()
        tail = stats.t.sf(x.abs().numpy(), degrees)
        return torch.tensor(stats.norm.isf(tail)) * x.sign()

    def log_ratio(z):
        x = torch.tensor(stats.t.isf(stats.norm.sf(z.abs().numpy()), degrees)) * z.sign()
        joint = stats.multivariate_t(shape=shape.numpy(), df=degrees).logpdf(x.numpy())
        return torch.tensor(joint - stats.t.logpdf(x.numpy(), degrees).sum(1))

    return World("student copula", dimensions, exact, log_ratio, points)


def comb():
    """Two rotated dimensions of four nearly on a lattice: teeth of width .1 at steps of .6."""
    teeth = 0.6 * torch.arange(-7, 8, dtype=torch.float64)
    weights = torch.softmax(-0.5 * teeth**2, 0)

    def log_density(z):
        return (log_normal(z[..., None], teeth, 0.01) + weights.log()).logsumexp(-1)

    def line(n, generator):
        label = torch.multinomial(weights, n, replacement=True, generator=generator)
        return teeth[label] + 0.1 * normal(n, 1, generator)[:, 0]

    return on_axes("comb", 4, 2, log_density, line, turn=rotation(4, 21))


def funnel(dimensions=10, a=0.6):
    """The first axis sets the variance of the others, of mean 1: KL = (D - 1) a² / 4."""
    turn = rotation(dimensions, 22)

    def points(n, generator):
        z = normal(n, dimensions, generator)
        z[:, 1:] *= (a * z[:, :1] / 2 - a**2 / 4).exp()
        return z @ turn.T

    def log_ratio(z):
        z = z @ turn
        variance = (a * z[:, :1] - a**2 / 2).exp()
        return (log_normal(z[:, 1:], 0, variance) - log_normal(z[:, 1:])).sum(1)

    return World("funnel", dimensions, lambda: (dimensions - 1) * a**2 / 4, log_ratio, points)


def heteroscedastic(dimensions=8):
    """A wave in the second dimension whose noise depends on the first."""

    def law(x):
        return 0.8 * (2.5 * x).sin(), (0.25 + 0.6 * torch.sigmoid(3 * x)) ** 2

    def points(n, generator):
        z = normal(n, dimensions, generator)
        centre, variance = law(z[:, 0])
        z[:, 1] = centre + variance.sqrt() * z[:, 1]
        return z

    def log_ratio(z):
        centre, variance = law(z[:, 0])
        return log_normal(z[:, 1], centre, variance) - log_normal(z[:, 1])

    def exact():
        x = torch.linspace(-10, 10, 100_001, dtype=torch.float64)
        centre, variance = law(x)
        inner = 0.5 * (variance + centre**2 - 1 - variance.log())
        return float(torch.trapezoid(log_normal(x).exp() * inner, x))

    return World("heteroscedastic wave", dimensions, exact, log_ratio, points)


def skew(dimensions=12, slant=4.0):
    """A rotated product of skew normals of mean 0 and variance 1."""
    d = slant / sqrt(1 + slant**2)
    centre, unit = d * sqrt(2 / pi), sqrt(1 - 2 * d**2 / pi)

    def log_density(z):
        x = centre + unit * z
        return log_normal(x) + log(2 * unit) + torch.special.log_ndtr(slant * x)

    def line(n, generator):
        pair = normal(n, 2, generator)
        return (d * pair[:, 0].abs() + sqrt(1 - d**2) * pair[:, 1] - centre) / unit

    turn = rotation(dimensions, 23)
    return on_axes("rotated skew normals", dimensions, dimensions, log_density, line, turn=turn)


def rare_mode(dimensions=8, share=0.03, distance=5.0):
    """A thin far mode that holds 3 % of the mass, in a direction of no axis."""
    axis = rotation(dimensions, 24)[:, :1]

    def log_density(x):
        far = log_normal(x, distance, 0.09) + log(share)
        return torch.logaddexp(log_normal(x) + log(1 - share), far)

    def points(n, generator):
        z = normal(n, dimensions, generator)
        along = z @ axis
        far = torch.rand(n, 1, generator=generator) < share
        return z + torch.where(far, distance - 0.7 * along, 0) @ axis.T

    def log_ratio(z):
        along = (z @ axis)[:, 0]
        return log_density(along) - log_normal(along)

    return World("rare far mode", dimensions, lambda: kl_line(log_density), log_ratio, points)


def sign_chain(dimensions=16, agree=0.65):
    """Independent sizes, signs a Markov chain: no first moment, no marginal shows it."""

    def points(n, generator):
        turns = torch.rand(n, dimensions, generator=generator) < 1 - agree
        turns[:, 0] = torch.rand(n, generator=generator) < 0.5
        signs = 1.0 - 2.0 * (turns.cumsum(1) % 2)
        return normal(n, dimensions, generator).abs() * signs

    def log_ratio(z):
        same = z[:, 1:] * z[:, :-1] > 0
        return torch.where(same, log(2 * agree), log(2 * (1 - agree))).double().sum(1)

    entropy = -agree * log(agree) - (1 - agree) * log(1 - agree)
    kl = (dimensions - 1) * (log(2) - entropy)
    return World("sign chain", dimensions, lambda: kl, log_ratio, points)


def low_rank(dimensions=48):
    """Three strong factors and unequal noise, unit variance in every dimension."""
    loading = rotation(dimensions, 25)[:, :3] * torch.tensor([6.0, 4.0, 2.5]).double()
    noise = torch.linspace(0.5, 1.5, dimensions, dtype=torch.float64)
    covariance = loading @ loading.T + torch.diag(noise)
    unit = covariance.diagonal().rsqrt()
    covariance = covariance * unit * unit[:, None]
    return gaussian("low rank and noise", covariance, lambda: kl_covariance(covariance))


def gamma(dimensions=10, shape=4.0):
    """Standardised gamma marginals: a sharp end at -2."""

    def log_density(z):
        x = (shape + sqrt(shape) * z).clamp_min(0)
        return (shape - 1) * x.log() - x - lgamma(shape) + 0.5 * log(shape)

    def line(n, generator):  # an Erlang variable
        uniform = torch.rand(n, int(shape), generator=generator, dtype=torch.float64)
        return (-uniform.clamp_min(1e-300).log().sum(1) - shape) / sqrt(shape)

    return on_axes("gamma marginals", dimensions, dimensions, log_density, line, edges=(-2, 40))


def patchy_encoder():
    """Posteriors in the plane whose scales differ from patch to patch."""
    centres = torch.tensor([[1.2, 0.3], [-1.0, 0.9], [0.1, -1.3]], dtype=torch.float64)
    weights = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    means = torch.tensor([0.1, 0.3, 0.05], dtype=torch.float64)
    scales = torch.tensor([0.2, 0.6, 0.9], dtype=torch.float64)
    variance = (means + scales**2)[:, None]

    def log_density(z):
        logs = log_normal(z[:, None], centres, variance).sum(-1)
        return (logs + weights.log()).logsumexp(1)

    def encode(n, generator):
        k = torch.multinomial(weights, n, replacement=True, generator=generator)
        mean = centres[k] + means[k, None].sqrt() * normal(n, 2, generator)
        return mean, scales[k, None].repeat(1, 2)

    def log_ratio(z):
        return log_density(z) - log_normal(z).sum(1)

    exact = lambda: kl_plane(log_density, 8)  # noqa: E731
    return World("patchy encoder", 2, exact, log_ratio, encode=encode)


OWN_WORLDS = [
    spiral(),
    student_copula(),
    comb(),
    radial("two shells", 5, [0.5, 0.5], [1.3, 2.9], [0.15, 0.2]),
    funnel(),
    heteroscedastic(),
    skew(),
    rare_mode(),
    sign_chain(),
    low_rank(),
    gamma(),
    patchy_encoder(),
]
