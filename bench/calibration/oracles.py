"""Values that the estimators must reproduce: closed forms and quadrature, in NumPy and SciPy alone.

Nothing here is shared with the estimators.
"""

from math import erf, exp, lgamma, log, pi, sqrt

import numpy as np
from scipy import integrate, stats

from vaelib.numerics.arrays import Floats

__all__ = [
    "energy_distance_scaled_normal",
    "hole_mass_scaled_normal",
    "information_of_two",
    "kl_normal",
    "kl_of_mixture",
    "kl_on_plane",
    "kl_scaled_normal",
    "ksd_squared_scaled_normal",
    "leave_one_out_of_mixture",
    "mean_distance_from",
    "mean_norm",
    "mixture_on_grid",
    "mmd_squared_scaled_normal",
    "null_of_two",
    "ppca_log_likelihood",
]


_REACH = 12.0  # scales beyond the outermost means
_POINTS = 40_001


def kl_scaled_normal(v: float, dimensions: int) -> float:
    """KL(N(0, vI) || N(0, I)) in nats."""
    return dimensions / 2 * (v - 1 - log(v))


def kl_normal(mean: Floats, scale: Floats) -> float:
    """KL(N(mean, diag scale²) || N(0, I)) in nats."""
    return float(0.5 * (scale**2 + mean**2 - 1 - np.log(scale**2)).sum())


def mixture_on_grid(mean: Floats, scale: Floats) -> tuple[Floats, Floats, Floats]:
    """A grid, the densities of all components on it, shape (N, points), and log p."""
    low, high = (mean - _REACH * scale).min(), (mean + _REACH * scale).max()
    x = np.linspace(low, high, _POINTS)
    return x, stats.norm.pdf(x, mean[:, None], scale[:, None]), stats.norm.logpdf(x)


def kl_of_mixture(mean: Floats, scale: Floats) -> float:
    """KL of a one-dimensional mixture of equal weights to N(0, 1), nats, by the trapezoidal rule.

    Args:
        mean: Shape (N,).
        scale: Shape (N,).

    Returns:
        The divergence.
    """
    x, densities, log_p = mixture_on_grid(mean, scale)
    q = densities.mean(0)
    integrand = np.where(q > 0, q * (np.log(np.maximum(q, 1e-300)) - log_p), 0.0)
    return float(np.trapezoid(integrand, x))


def leave_one_out_of_mixture(mean: Floats, scale: Floats) -> float:
    """Mean over n of E log(q_{-n} / p) under q_n, one dimension, nats, by the trapezoidal rule.

    Args:
        mean: Shape (N,).
        scale: Shape (N,).

    Returns:
        The lower end of the bracket of the marginal KL.
    """
    x, densities, log_p = mixture_on_grid(mean, scale)
    total, values = densities.sum(0), []
    for density in densities:
        others = np.maximum((total - density) / (len(mean) - 1), 1e-300)
        values.append(np.trapezoid(density * (np.log(others) - log_p), x))
    return float(np.mean(values))


def kl_on_plane(mean: Floats, scale: Floats, points: int = 801) -> float:
    """KL of a two-dimensional mixture of equal weights to N(0, I), nats, on a square grid.

    Args:
        mean: Shape (N, 2).
        scale: Shape (N, 2).
        points: Along each axis.

    Returns:
        The divergence.
    """
    axes = [
        np.linspace((m - 9 * s).min(), (m + 9 * s).max(), points)
        for m, s in zip(mean.T, scale.T, strict=True)
    ]
    first, second = (
        stats.norm.pdf(x, m[:, None], s[:, None])
        for x, m, s in zip(axes, mean.T, scale.T, strict=True)
    )
    q = first.T @ second / len(mean)
    log_p = stats.norm.logpdf(axes[0])[:, None] + stats.norm.logpdf(axes[1])
    integrand = q * (np.log(np.maximum(q, 1e-300)) - log_p)
    return float(np.trapezoid(np.trapezoid(integrand, axes[1]), axes[0]))


def information_of_two(distance: float) -> float:
    """I(n; z) of two equal Gaussians whose means are that many standard deviations apart, nats."""
    x = np.linspace(-_REACH, _REACH, 4001)
    ratio = np.logaddexp(0, -distance * (distance / 2 + x))
    return log(2) - float(np.trapezoid(stats.norm.pdf(x) * ratio, x))


def null_of_two(scale: float, dimensions: int) -> float:
    """Mean marginal KL of N = 2 components with means N(0, 1 - scale²), nats.

    The mean rate is -D log scale, and the squared distance of the means, in units of the scale,
    2 (1 - scale²) / scale² times a chi-squared variable, on which alone the information depends.

    Returns:
        The mean over encoders, nats.
    """
    factor = 2 * (1 - scale**2) / scale**2
    law = stats.chi2(dimensions)
    grid = law.ppf((np.arange(4000) + 0.5) / 4000)
    information = np.mean([information_of_two(sqrt(factor * value)) for value in grid])
    return -dimensions * log(scale) - float(information)


def mmd_squared_scaled_normal(v: float, dimensions: int, bandwidth: float) -> float:
    """Gaussian-kernel MMD² of N(0, vI) to N(0, I); 1/30 at v = 2, D = 2, h = 1."""
    h, half = bandwidth**2, dimensions / 2
    return float((h / (h + 2 * v)) ** half - 2 * (h / (h + 1 + v)) ** half + (h / (h + 2)) ** half)


def mean_norm(dimensions: int) -> float:
    """E|Y| for Y ~ N(0, I)."""
    return sqrt(2) * exp(lgamma((dimensions + 1) / 2) - lgamma(dimensions / 2))


def mean_distance_from(place: float) -> float:
    """E|a - Y| for Y ~ N(0, 1)."""
    return sqrt(2 / pi) * exp(-(place**2) / 2) + place * erf(place / sqrt(2))


def energy_distance_scaled_normal(v: float, dimensions: int) -> float:
    """Energy distance of N(0, vI) and N(0, I)."""
    return mean_norm(dimensions) * (2 * sqrt(1 + v) - sqrt(2 * v) - sqrt(2))


def ksd_squared_scaled_normal(v: float, dimensions: int, bandwidth: float) -> float:
    """Gaussian-kernel KSD² of N(0, vI) to N(0, I)."""
    h = bandwidth**2
    rho = 2 * v * h / (h + 2 * v)
    rate = v / 2 - rho / 4 + 1 / h - (1 / h + 1 / h**2) * rho
    return float((h / (h + 2 * v)) ** (dimensions / 2) * dimensions * rate)


def hole_mass_scaled_normal(v: float, dimensions: int, rows: int) -> float:
    """Mean hole mass at level .01 of q = N(0, vI) against N(0, I), from order statistics.

    The quantile of ``rows`` held-out latents at .01 is their k-th smallest, k = .01 (rows + 1),
    where that is whole; its level is Beta(k, rows + 1 - k), and |z|² / v chi-squared.

    Returns:
        A probability.
    """
    rank = round(0.01 * (rows + 1))
    level = stats.beta(rank, rows + 1 - rank)
    law = stats.chi2(dimensions)

    def integrand(u: float) -> float:
        return float(law.sf(v * law.isf(u)) * level.pdf(u))

    return float(integrate.quad(integrand, 0, 1, points=[0.005, 0.01, 0.02, 0.05], limit=200)[0])


def ppca_log_likelihood(x: Floats, loadings: Floats, noise: float) -> float:
    """Mean log N(x; 0, W Wᵀ + noise² I) over the rows, nats.

    Args:
        x: Data, shape (n, d).
        loadings: W, shape (d, D).
        noise: Standard deviation of a pixel.

    Returns:
        The mean log likelihood.
    """
    covariance = loadings @ loadings.T + noise**2 * np.eye(len(loadings))
    return float(stats.multivariate_normal(np.zeros(len(loadings)), covariance).logpdf(x).mean())
