"""Gaussian mixtures fitted to posteriors.

The M step adds diag(scale²) to the scatter and the E step subtracts half the trace of the precision
with it: EM where each posterior belongs to one component, for the mean over n of
log Σ_k π_k exp(E log N(z; μ_k, C_k)), z from posterior n, which is the log likelihood where scales
are 0. scikit-learn's mixture takes points alone, so that it would need several draws per input, at
as many times the cost.
"""

from __future__ import annotations

import math
import warnings

import torch
from sklearn.cluster import KMeans
from torch import Tensor

from vaelib.arguments.plain import as_count, check_flag
from vaelib.numerics.exp2 import BITS, powers_
from vaelib.stats.checks import check_generator
from vaelib.stats.stack.candidates import Posteriors, check_posteriors, log_standard_normal

__all__ = ["MixtureCandidate", "fit_mixture"]

_CHANGE = 1e-3  # nats per step below which EM stops
_EACH = 50  # posteriors per component: with fewer it tells of them, not of their law
_ROWS = 1000  # posteriors at a time whose memberships are found
_EARLY = 5000  # posteriors that EM begins with, where there are more
_Fit = tuple[Tensor, Tensor, Tensor]  # shares, means, factors
_SEED_RANGE = 2**31 - 1


class MixtureCandidate:
    """Σ_k π_k N(μ_k, C_k).

    Args:
        shares: π, shape (K,).
        means: μ, shape (K, D).
        factors: Cholesky factors of C, lower, shape (K, D, D); where the covariances are diagonal
            their roots, shape (K, D).
    """

    def __init__(self, shares: Tensor, means: Tensor, factors: Tensor) -> None:
        self.shares, self.means, self.factors = shares, means, factors

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""
        logs = torch.empty(len(z), len(self.means), dtype=torch.float64)
        diagonal = self.factors.dim() == 2
        inverse = self.factors.reciprocal() if diagonal else torch.linalg.inv(self.factors)
        volume = (inverse if diagonal else inverse.diagonal(dim1=1, dim2=2)).log().sum(1)
        for k, whiten in enumerate(inverse):
            away = z - self.means[k]
            white = away * whiten if diagonal else away @ whiten.T
            logs[:, k] = log_standard_normal(white) + volume[k]
        return (logs + self.shares.log()).logsumexp(1)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D)."""
        k = torch.multinomial(self.shares, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], generator=generator, dtype=torch.float64)
        if self.factors.dim() == 2:
            return self.means[k] + self.factors[k] * noise
        out = self.means[k]
        for j, factor in enumerate(self.factors):
            own = k == j
            out[own] += noise[own] @ factor.T
        return out


def fit_mixture(
    data: Posteriors,
    components: int,
    generator: torch.Generator,
    *,
    diagonal: bool = False,
    pseudo: int | None = None,
    steps: int = 40,
) -> MixtureCandidate:
    """Fit a mixture by EM from k-means; covariances are shrunk to the pooled one.

    Args:
        data: posteriors, or points, in random order: EM begins with the first 5,000.
        components: K, at most a fiftieth of N.
        generator: random stream.
        diagonal: whether the covariances are.
        pseudo: how many points the pooled covariance counts for in each component, and
            independence in the pooled one; D + 2 by default.
        steps: the most steps of EM.

    Returns:
        The mixture.
    """
    check_posteriors(data)
    check_generator(generator)
    check_flag(diagonal, "diagonal")
    as_count(len(data.mean), "rows of data", 2)
    as_count(components, "components")
    as_count(steps, "steps")
    count, dimensions = data.mean.shape
    components = max(1, min(components, count // _EACH))
    pseudo = dimensions + 2 if pseudo is None else as_count(pseudo, "pseudo", 0)
    centre, unit = data.mean.mean(0), data.moments()[1].diagonal().sqrt()
    mean, variance = (data.mean - centre) / unit, (data.scale / unit).square()
    pairs = torch.tril_indices(dimensions, dimensions)
    if diagonal:
        pairs = torch.arange(dimensions).repeat(2, 1)
    products = mean[:, pairs[0]] * mean[:, pairs[1]]
    products[:, pairs[0] == pairs[1]] += variance
    features = torch.cat([products, mean, torch.ones(count, 1, dtype=torch.float64)], 1)
    early = max(_EARLY, _EACH * components)
    resp = _start(mean[:early], components, generator)
    if count > early:
        fit = _em(features[:early], resp, pairs, pseudo, steps)
        resp = _memberships(features, fit, pairs)[0]
    shares, means, factors = _em(features, resp, pairs, pseudo, steps)
    scaled = unit * factors if diagonal else unit[:, None] * factors
    return MixtureCandidate(shares, centre + unit * means, scaled)


def _em(features: Tensor, resp: Tensor, pairs: Tensor, pseudo: int, steps: int) -> _Fit:
    """Steps of EM from memberships, until one gains next to nothing."""
    before, diagonal = -math.inf, bool((pairs[0] == pairs[1]).all())
    for step in range(steps):
        size, means, flat = _maximised(resp.T @ features, pairs, pseudo)
        factors = flat.sqrt() if diagonal else torch.linalg.cholesky(_square(flat, pairs))
        fit = size / size.sum(), means, factors
        if step == steps - 1:
            break
        resp, now = _memberships(features, fit, pairs)
        if now - before < _CHANGE:
            break
        before = now
    return fit


def _memberships(features: Tensor, fit: _Fit, pairs: Tensor) -> tuple[Tensor, float]:
    """The E step: memberships, shape (N, K), and the mean log likelihood."""
    coefficients, memberships, logs = BITS * _coefficients(*fit, pairs), [], 0.0
    for part in torch.split(features, _ROWS):
        bits = part @ coefficients.T
        peak = bits.amax(1, keepdim=True)
        resp = powers_(bits.sub_(peak))
        total = resp.sum(1, keepdim=True)
        memberships.append(resp.div_(total))
        logs += float((peak + total.log2()).sum())
    return torch.cat(memberships), logs / BITS / len(features)


def _start(mean: Tensor, components: int, generator: torch.Generator) -> Tensor:
    """Memberships by a few steps of k-means, shape (N, K)."""
    seed = int(torch.randint(_SEED_RANGE, (1,), generator=generator))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct points than components
        labels = KMeans(components, n_init=1, max_iter=8, random_state=seed).fit_predict(
            mean.numpy()
        )
    return torch.nn.functional.one_hot(torch.tensor(labels).long(), components).double()


def _maximised(sums: Tensor, pairs: Tensor, pseudo: int) -> tuple[Tensor, Tensor, Tensor]:
    """From sums of the features [products, mean, 1]: sizes, means and covariances of pairs."""
    on = pairs[0] == pairs[1]
    size = sums[:, -1:].clamp_min(1e-9)
    means = sums[:, len(on) : -1] / size
    flat = sums[:, : len(on)] / size - means[:, pairs[0]] * means[:, pairs[1]]
    count = size.sum()
    pooled = (size * flat).sum(0) / count
    pooled[on] = pooled[on].clamp_min(1e-6)
    pooled[~on] *= count / (count + pseudo)
    flat = (size * flat + pseudo * pooled) / (size + pseudo)
    return size[:, 0], means, flat


def _square(flat: Tensor, pairs: Tensor) -> Tensor:
    dimensions = int(pairs.max()) + 1
    out = torch.zeros(len(flat), dimensions, dimensions, dtype=torch.float64)
    out[:, pairs[0], pairs[1]] = flat
    out[:, pairs[1], pairs[0]] = flat
    return out


def _coefficients(shares: Tensor, means: Tensor, factors: Tensor, pairs: Tensor) -> Tensor:
    """Of the features [products, mean, 1] in log π_k + E log N(z; μ_k, C_k), shape (K, F)."""
    if factors.dim() == 2:
        inverse = factors.square().reciprocal()
        linear, volume = inverse * means, factors.log().sum(1)
    else:
        precision = torch.cholesky_inverse(factors)
        inverse = precision[:, pairs[0], pairs[1]]
        linear = (precision @ means[..., None])[..., 0]
        volume = factors.diagonal(dim1=1, dim2=2).log().sum(1)
    constant = shares.log() - volume - 0.5 * (linear * means).sum(1)
    constant = constant - 0.5 * means.shape[1] * math.log(2 * math.pi)
    once = torch.where(pairs[0] == pairs[1], 0.5, 1.0)
    return torch.cat([-once * inverse, linear, constant[:, None]], 1)
