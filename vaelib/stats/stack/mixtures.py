"""Gaussian mixtures fitted to posteriors, in the whole space or a subspace of it.

The M step adds diag(scale²) to the scatter and the E step subtracts half the trace of the precision
with it: EM for the mean over n of E log f(z), z from posterior n. scikit-learn's mixture takes
points alone, so that it would need several draws per input, at as many times the cost.
"""

from __future__ import annotations

import math
import warnings

import torch
from sklearn.cluster import KMeans
from torch import Tensor

from vaelib.stats.stack.candidates import Candidate, Posteriors, log_standard_normal

__all__ = ["MixtureCandidate", "SubspaceCandidate", "fit_mixture", "interesting_planes"]

_MOST = 20_000  # inputs that a mixture is fitted to
_CHANGE = 1e-3  # nats per step below which EM stops
_STARTS = 24
_LOG_COSH = 0.374567  # mean of log cosh of N(0, 1)
_SEED_RANGE = 2**31 - 1


class MixtureCandidate:
    """Σ_k π_k N(μ_k, C_k).

    Args:
        shares: π, shape (K,).
        means: μ, shape (K, D).
        factors: Cholesky factors of C, lower, shape (K, D, D).
    """

    def __init__(self, shares: Tensor, means: Tensor, factors: Tensor) -> None:
        self._shares, self._means, self._factors = shares, means, factors

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""
        inverse = torch.linalg.inv(self._factors)
        logs = torch.empty(len(z), len(self._means), dtype=torch.float64)
        for k, whiten in enumerate(inverse):
            white = (z - self._means[k]) @ whiten.T
            logs[:, k] = log_standard_normal(white) + whiten.diagonal().log().sum()
        return (logs + self._shares.log()).logsumexp(1)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D)."""
        k = torch.multinomial(self._shares, n, replacement=True, generator=generator)
        noise = torch.randn(n, self._means.shape[1], generator=generator, dtype=torch.float64)
        out = self._means[k]
        for j, factor in enumerate(self._factors):
            own = k == j
            out[own] += noise[own] @ factor.T
        return out


class SubspaceCandidate:
    """p(z) f(U'z)/φ(U'z): a density on some orthonormal directions, the prior's on the rest.

    Args:
        directions: U, orthonormal columns, shape (D, d).
        inner: f, a density on R^d.
    """

    def __init__(self, directions: Tensor, inner: Candidate) -> None:
        self._directions, self._inner = directions, inner

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""
        inside = z @ self._directions
        ratio = self._inner.log_prob(inside) - log_standard_normal(inside)
        return log_standard_normal(z) + ratio

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D)."""
        z = torch.randn(n, len(self._directions), generator=generator, dtype=torch.float64)
        moved = self._inner.sample(n, generator) - z @ self._directions
        return z + moved @ self._directions.T


def fit_mixture(
    data: Posteriors,
    components: int,
    generator: torch.Generator,
    *,
    diagonal: bool = False,
    steps: int = 40,
) -> MixtureCandidate:
    """Fit a mixture by EM from k-means; covariances are shrunk to the pooled one.

    The pooled covariance counts for D + 2 points in each component. More than 20,000 posteriors
    are thinned to so many at random.

    Args:
        data: posteriors, or points.
        components: K, at most a fifth of N.
        generator: random stream.
        diagonal: whether the covariances are.
        steps: the most steps of EM.

    Returns:
        The mixture.
    """
    if len(data.mean) > _MOST:
        data = data.part(torch.randperm(len(data.mean), generator=generator)[:_MOST])
    count, dimensions = data.mean.shape
    components = max(1, min(components, count // 5))
    centre, unit = data.mean.mean(0), data.moments()[1].diagonal().sqrt()
    mean, variance = (data.mean - centre) / unit, (data.scale / unit).square()
    pairs = torch.tril_indices(dimensions, dimensions)
    if diagonal:
        pairs = torch.arange(dimensions).repeat(2, 1)
    on = pairs[0] == pairs[1]
    products = mean[:, pairs[0]] * mean[:, pairs[1]]
    products[:, on] += variance
    features = torch.cat([products, mean, torch.ones(count, 1, dtype=torch.float64)], 1)
    resp = _start(mean, components, generator)
    before = -math.inf
    for step in range(steps):
        sums = resp.T @ features
        size = sums[:, -1].clamp_min(1e-9)
        means = sums[:, -dimensions - 1 : -1] / size[:, None]
        flat = sums[:, : len(on)] / size[:, None] - means[:, pairs[0]] * means[:, pairs[1]]
        pooled = (size[:, None] * flat).sum(0) / count
        pooled[on] = pooled[on].clamp_min(1e-6)
        flat = (size[:, None] * flat + (dimensions + 2) * pooled) / (size + dimensions + 2)[:, None]
        factors = torch.linalg.cholesky(_square(flat, pairs, dimensions))
        shares = size / size.sum()
        if step == steps - 1:
            break
        logs = features @ _coefficients(shares, means, factors, pairs).T
        total = logs.logsumexp(1, keepdim=True)
        resp = (logs - total).exp()
        now = float(total.mean())
        if now - before < _CHANGE:
            break
        before = now
    return MixtureCandidate(shares, centre + unit * means, unit[:, None] * factors)


def _start(mean: Tensor, components: int, generator: torch.Generator) -> Tensor:
    """Memberships by a few steps of k-means, shape (N, K)."""
    seed = int(torch.randint(_SEED_RANGE, (1,), generator=generator))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct points than components
        labels = KMeans(components, n_init=1, max_iter=8, random_state=seed).fit_predict(
            mean.numpy()
        )
    return torch.nn.functional.one_hot(torch.tensor(labels).long(), components).double()


def _square(flat: Tensor, pairs: Tensor, dimensions: int) -> Tensor:
    out = torch.zeros(len(flat), dimensions, dimensions, dtype=torch.float64)
    out[:, pairs[0], pairs[1]] = flat
    out[:, pairs[1], pairs[0]] = flat
    return out


def _coefficients(shares: Tensor, means: Tensor, factors: Tensor, pairs: Tensor) -> Tensor:
    """Of the features [products, mean, 1] in log π_k + E log N(z; μ_k, C_k), shape (K, F)."""
    precision = torch.cholesky_inverse(factors)
    twice = torch.where(pairs[0] == pairs[1], 0.5, 1.0)
    linear = (precision @ means[..., None])[..., 0]
    constant = shares.log() - factors.diagonal(dim1=1, dim2=2).log().sum(1)
    constant = constant - 0.5 * (linear * means).sum(1)
    constant = constant - 0.5 * means.shape[1] * math.log(2 * math.pi)
    return torch.cat([-twice * precision[:, pairs[0], pairs[1]], linear, constant[:, None]], 1)


def interesting_planes(z: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Two planes through the direction in which z is least Gaussian, by FastICA.

    Its partner is the next least Gaussian direction, or the one whose mean and variance depend most
    on it: slices along the first, and the leading eigenvector of Σ (mean mean' + (I - C)²) of the
    slices. (scikit-learn's FastICA drops all but the directions of largest variance before it
    looks, which of whitened latents are any.)

    Args:
        z: points, shape (N, D), D > 2.
        generator: random stream of the starts.

    Returns:
        Orthonormal columns of shape (D, 2) by name.

    References:
        Hyvärinen (1999), Fast and robust fixed-point algorithms for independent component
        analysis, IEEE Transactions on Neural Networks 10.
        Cook and Weisberg (1991), Sliced inverse regression for dimension reduction: comment,
        Journal of the American Statistical Association 86.
    """
    z = z[:_MOST]
    dimensions = z.shape[1]
    values, vectors = torch.linalg.eigh(torch.cov(z.T).reshape(dimensions, dimensions))
    whiten = vectors / values.clamp_min(1e-9).sqrt()
    white = (z - z.mean(0)) @ whiten
    none = torch.zeros(dimensions, 0, dtype=torch.float64)
    first = _least_gaussian(white, none, generator)
    partners = {
        "2 directions": _least_gaussian(white, first, generator),
        "a direction and its partner": _most_dependent(white, first),
    }
    return {
        name: torch.linalg.qr(whiten @ torch.cat([first, second], 1)).Q
        for name, second in partners.items()
    }


def _least_gaussian(white: Tensor, found: Tensor, generator: torch.Generator) -> Tensor:
    """The best of 24 starts of FastICA, orthogonal to those found, shape (D, 1)."""
    w = torch.randn(white.shape[1], _STARTS, generator=generator, dtype=torch.float64)
    for _ in range(15):
        w = w - found @ (found.T @ w)
        w = w / w.norm(dim=0).clamp_min(1e-12)
        bent = (white @ w).tanh()
        w = white.T @ bent / len(white) - (1 - bent.square()).mean(0) * w
    w = w - found @ (found.T @ w)
    w = w / w.norm(dim=0).clamp_min(1e-12)
    contrast = ((white @ w).cosh().log().mean(0) - _LOG_COSH).abs()
    return w[:, contrast.argmax()][:, None]


def _most_dependent(white: Tensor, first: Tensor) -> Tensor:
    """The direction orthogonal to the first whose law depends most on it, shape (D, 1)."""
    eye = torch.eye(white.shape[1], dtype=torch.float64)
    beside = eye - first @ first.T
    total = torch.zeros_like(eye)
    for rows in (white @ first)[:, 0].argsort().chunk(10):
        mean = white[rows].mean(0)
        away = torch.cov(white[rows].T, correction=0) - eye
        total += torch.outer(mean, mean) + away @ beside @ away
    vector: Tensor = torch.linalg.eigh(beside @ total @ beside)[1][:, -1:]
    return vector
