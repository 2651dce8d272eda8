"""Laws of z with known KL, fixed before the suite's estimator was written, and not tuned to.

They show how an estimator does where nobody looked.
"""

from math import lgamma, log, pi, sqrt

import torch
from torch import Tensor

from vaelib.worlds.families import gaussian, on_axes, radial
from vaelib.worlds.world import (
    World,
    kl_line,
    kl_plane,
    log_normal,
    normal,
    rotation,
)

__all__ = ["OWN_WORLDS", "funnel", "sign_chain"]


def _spiral(noise: float = 0.15) -> World:
    """Two turns in the plane, 120 equal Gaussians along it, standardised."""
    t = torch.linspace(0.15, 1, 120, dtype=torch.float64).sqrt() * 4 * pi
    centres = torch.stack([t * t.cos(), t * t.sin()], 1) / (4 * pi)
    centres = (centres - centres.mean(0)) / centres.std(0, correction=0) * sqrt(1 - noise**2)

    def log_density(z: Tensor) -> Tensor:
        logs = log_normal(z[:, None], centres, noise**2).sum(-1)
        return logs.logsumexp(1) - log(len(centres))

    def points(n: int, generator: torch.Generator) -> Tensor:
        label = torch.randint(len(centres), (n,), generator=generator)
        return centres[label] + noise * normal(n, 2, generator)

    def log_ratio(z: Tensor) -> Tensor:
        return log_density(z) - log_normal(z).sum(1)

    return World(
        "spiral",
        2,
        lambda: kl_plane(log_density, 4),
        log_ratio,
        points,
        known_by="quadrature",
        breaks="mixtures of few components: two thin turns, mean 0 and variance 1",
    )


def _student_copula(dimensions: int = 6, degrees: int = 3, rho: float = 0.2) -> World:
    """Normal marginals, tail dependence: KL = D h(t_1) - h(t_D), both entropies closed forms."""
    shape = torch.full((dimensions, dimensions), rho, dtype=torch.float64).fill_diagonal_(1)
    factor = torch.linalg.cholesky(shape)

    def entropy(d: int, log_determinant: float) -> float:
        from scipy import special

        half = (degrees + d) / 2
        logs = lgamma(degrees / 2) - lgamma(half) + d / 2 * log(degrees * pi)
        slope = half * float(special.digamma(half) - special.digamma(degrees / 2))
        return 0.5 * log_determinant + logs + slope

    def exact() -> float:
        joint = entropy(dimensions, float(torch.logdet(shape)))
        return dimensions * entropy(1, 0.0) - joint

    def points(n: int, generator: torch.Generator) -> Tensor:
        from scipy import stats

        chi = normal(n, degrees, generator).square().sum(1, keepdim=True) / degrees
        x = normal(n, dimensions, generator) @ factor.T / chi.sqrt()
        tail = stats.t.sf(x.abs().numpy(), degrees)
        size: Tensor = torch.tensor(stats.norm.isf(tail))
        drawn: Tensor = size * x.sign()
        return drawn

    def log_ratio(z: Tensor) -> Tensor:
        from scipy import stats

        x = torch.tensor(stats.t.isf(stats.norm.sf(z.abs().numpy()), degrees)) * z.sign()
        joint = stats.multivariate_t(shape=shape.numpy(), df=degrees).logpdf(x.numpy())
        return torch.tensor(joint - stats.t.logpdf(x.numpy(), degrees).sum(1))

    breaks = "marginals: each is N(0, 1), and tails come together"
    return World("student copula", dimensions, exact, log_ratio, points, breaks=breaks)


def _comb() -> World:
    """Two rotated dimensions of four nearly on a lattice: teeth of width .1 at steps of .6."""
    teeth = 0.6 * torch.arange(-7, 8, dtype=torch.float64)
    weights = torch.softmax(-0.5 * teeth**2, 0)

    def log_density(z: Tensor) -> Tensor:
        return (log_normal(z[..., None], teeth, 0.01) + weights.log()).logsumexp(-1)

    def line(n: int, generator: torch.Generator) -> Tensor:
        label = torch.multinomial(weights, n, replacement=True, generator=generator)
        return teeth[label] + 0.1 * normal(n, 1, generator)[:, 0]

    breaks = "smooth densities: teeth of width .1 at steps of .6, in directions of no axis"
    return on_axes("comb", 4, 2, log_density, line, turn=rotation(4, 21), breaks=breaks)


def funnel(dimensions: int = 10, a: float = 0.6) -> World:
    """The first axis sets the variance of the others, of mean 1: KL = (D - 1) a² / 4."""
    turn = rotation(dimensions, 22)

    def points(n: int, generator: torch.Generator) -> Tensor:
        z = normal(n, dimensions, generator)
        z[:, 1:] *= (a * z[:, :1] / 2 - a**2 / 4).exp()
        return z @ turn.T

    def log_ratio(z: Tensor) -> Tensor:
        z = z @ turn
        variance = (a * z[:, :1] - a**2 / 2).exp()
        return (log_normal(z[:, 1:], 0, variance) - log_normal(z[:, 1:])).sum(1)

    kl = (dimensions - 1) * a**2 / 4
    breaks = "marginals and covariance: one direction sets the scale of nine others"
    return World("funnel", dimensions, lambda: kl, log_ratio, points, breaks=breaks)


def _heteroscedastic(dimensions: int = 8) -> World:
    """A wave in the second dimension whose noise depends on the first."""

    def law(x: Tensor) -> tuple[Tensor, Tensor]:
        return 0.8 * (2.5 * x).sin(), (0.25 + 0.6 * torch.sigmoid(3 * x)) ** 2

    def points(n: int, generator: torch.Generator) -> Tensor:
        z = normal(n, dimensions, generator)
        centre, variance = law(z[:, 0])
        z[:, 1] = centre + variance.sqrt() * z[:, 1]
        return z

    def log_ratio(z: Tensor) -> Tensor:
        centre, variance = law(z[:, 0])
        return log_normal(z[:, 1], centre, variance) - log_normal(z[:, 1])

    def exact() -> float:
        x = torch.linspace(-10, 10, 100_001, dtype=torch.float64)
        centre, variance = law(x)
        inner = 0.5 * (variance + centre**2 - 1 - variance.log())
        return float(torch.trapezoid(log_normal(x).exp() * inner, x))

    return World(
        "heteroscedastic wave",
        dimensions,
        exact,
        log_ratio,
        points,
        known_by="quadrature",
        breaks="a Gaussian fit: a wave of changing width in one pair of dimensions",
    )


def _skew(dimensions: int = 12, slant: float = 4.0) -> World:
    """A rotated product of skew normals of mean 0 and variance 1."""
    d = slant / sqrt(1 + slant**2)
    centre, unit = d * sqrt(2 / pi), sqrt(1 - 2 * d**2 / pi)

    def log_density(z: Tensor) -> Tensor:
        x = centre + unit * z
        below: Tensor = torch.special.log_ndtr(slant * x)
        return log_normal(x) + log(2 * unit) + below

    def line(n: int, generator: torch.Generator) -> Tensor:
        pair = normal(n, 2, generator)
        return (d * pair[:, 0].abs() + sqrt(1 - d**2) * pair[:, 1] - centre) / unit

    return on_axes(
        "rotated skew normals",
        dimensions,
        dimensions,
        log_density,
        line,
        turn=rotation(dimensions, 23),
        breaks="marginals and covariance: rotated, each dimension is nearly normal",
    )


def _rare_mode(dimensions: int = 8, share: float = 0.03, distance: float = 5.0) -> World:
    """A thin far mode that holds 3 % of the mass, in a direction of no axis."""
    axis = rotation(dimensions, 24)[:, :1]

    def log_density(x: Tensor) -> Tensor:
        far = log_normal(x, distance, 0.09) + log(share)
        return torch.logaddexp(log_normal(x) + log(1 - share), far)

    def points(n: int, generator: torch.Generator) -> Tensor:
        z = normal(n, dimensions, generator)
        along = z @ axis
        far = torch.rand(n, 1, generator=generator) < share
        return z + torch.where(far, distance - 0.7 * along, 0) @ axis.T

    def log_ratio(z: Tensor) -> Tensor:
        along = (z @ axis)[:, 0]
        return log_density(along) - log_normal(along)

    return World(
        "rare far mode",
        dimensions,
        lambda: kl_line(log_density),
        log_ratio,
        points,
        known_by="quadrature",
        breaks="small samples: 3 % of z carry the KL",
    )


def sign_chain(dimensions: int = 16, agree: float = 0.65) -> World:
    """Independent sizes, signs a Markov chain: no first moment, no marginal shows it."""

    def points(n: int, generator: torch.Generator) -> Tensor:
        turns = torch.rand(n, dimensions, generator=generator) < 1 - agree
        turns[:, 0] = torch.rand(n, generator=generator) < 0.5
        signs = 1.0 - 2.0 * (turns.cumsum(1) % 2)
        return normal(n, dimensions, generator).abs() * signs

    def log_ratio(z: Tensor) -> Tensor:
        same = z[:, 1:] * z[:, :-1] > 0
        return torch.where(same, log(2 * agree), log(2 * (1 - agree))).double().sum(1)

    entropy = -agree * log(agree) - (1 - agree) * log(1 - agree)
    kl = (dimensions - 1) * (log(2) - entropy)
    breaks = "moments: signs of neighbours agree, sizes are independent, each dimension is N(0, 1)"
    return World("sign chain", dimensions, lambda: kl, log_ratio, points, breaks=breaks)


def _low_rank(dimensions: int = 48) -> World:
    """Three strong factors and unequal noise, unit variance in every dimension."""
    loading = rotation(dimensions, 25)[:, :3] * torch.tensor([6.0, 4.0, 2.5]).double()
    noise = torch.linspace(0.5, 1.5, dimensions, dtype=torch.float64)
    covariance = loading @ loading.T + torch.diag(noise)
    unit = covariance.diagonal().rsqrt()
    covariance = covariance * unit * unit[:, None]
    breaks = "classifiers and distances: the KL is more than they can count to"
    return gaussian("low rank and noise", covariance, breaks=breaks)


def _gamma(dimensions: int = 10, shape: float = 4.0) -> World:
    """Standardised gamma marginals: a sharp end at -2."""

    def log_density(z: Tensor) -> Tensor:
        x = (shape + sqrt(shape) * z).clamp_min(0)
        return (shape - 1) * x.log() - x - lgamma(shape) + 0.5 * log(shape)

    def line(n: int, generator: torch.Generator) -> Tensor:  # an Erlang variable
        uniform = torch.rand(n, int(shape), generator=generator, dtype=torch.float64)
        return (-uniform.clamp_min(1e-300).log().sum(1) - shape) / sqrt(shape)

    breaks = "smooth densities: a sharp end at -2 in each dimension"
    axes, edges = dimensions, (-2, 40)
    return on_axes(
        "gamma marginals", dimensions, axes, log_density, line, edges=edges, breaks=breaks
    )


def _patchy_encoder() -> World:
    """Posteriors in the plane whose scales differ from patch to patch."""
    centres = torch.tensor([[1.2, 0.3], [-1.0, 0.9], [0.1, -1.3]], dtype=torch.float64)
    weights = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    means = torch.tensor([0.1, 0.3, 0.05], dtype=torch.float64)
    scales = torch.tensor([0.2, 0.6, 0.9], dtype=torch.float64)
    variance = (means + scales**2)[:, None]

    def log_density(z: Tensor) -> Tensor:
        logs = log_normal(z[:, None], centres, variance).sum(-1)
        return (logs + weights.log()).logsumexp(1)

    def encode(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        k = torch.multinomial(weights, n, replacement=True, generator=generator)
        mean = centres[k] + means[k, None].sqrt() * normal(n, 2, generator)
        return mean, scales[k, None].repeat(1, 2)

    def log_ratio(z: Tensor) -> Tensor:
        return log_density(z) - log_normal(z).sum(1)

    return World(
        "patchy encoder",
        2,
        lambda: kl_plane(log_density, 8),
        log_ratio,
        encode=encode,
        known_by="quadrature",
        breaks="nulls of one scale: scales differ from patch to patch",
    )


_SHELLS = "a Gaussian fit: the direction is uniform, only the law of |z| differs"

OWN_WORLDS = [
    _spiral(),
    _student_copula(),
    _comb(),
    radial("two shells", 5, [0.5, 0.5], [1.3, 2.9], [0.15, 0.2], _SHELLS),
    funnel(),
    _heteroscedastic(),
    _skew(),
    _rare_mode(),
    sign_chain(),
    _low_rank(),
    _gamma(),
    _patchy_encoder(),
]
"""In the order in which they are reported."""
