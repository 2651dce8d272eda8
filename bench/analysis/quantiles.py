"""Quantiles of the marginals of the aggregate posterior."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri
from scipy.stats import beta

from vaelib.numerics.arrays import Floats

__all__ = ["SHARES", "marginal_quantiles", "quantile_band"]


SHARES: Floats = np.concatenate(
    [[0.001, 0.003, 0.006], np.arange(1, 100) / 100, [0.994, 0.997, 0.999]]
)
"""The probabilities of the quantiles."""


_GRID = 801
_DRAWS = 4000  # samples by which the level of the band is set


def marginal_quantiles(mean: npt.ArrayLike, scale: npt.ArrayLike) -> Floats:
    """Quantiles of each marginal of the aggregate posterior, a mixture of N normals.

    Args:
        mean: Posterior means, shape (N, D).
        scale: Posterior standard deviations, shape (N, D).

    Returns:
        Quantiles at ``SHARES``, shape (D, len(SHARES)), by linear interpolation of the exact
        distribution function at 801 points; those of the means where all scales are 0.
    """
    centre, width = np.asarray(mean, np.float64), np.asarray(scale, np.float64)
    if not width.any():
        points: Floats = np.quantile(centre, SHARES, axis=0).T
        return points
    out = np.empty((centre.shape[1], len(SHARES)))
    for j, (m, s) in enumerate(zip(centre.T, width.T, strict=True)):
        at = np.linspace((m - 5 * s).min(), (m + 5 * s).max(), _GRID)
        below = np.array([ndtr((t - m) / s).mean() for t in at])
        out[j] = np.interp(SHARES, below, at)
    return out


@lru_cache(32)
def quantile_band(n: int, level: float = 0.95) -> tuple[Floats, Floats]:
    """The simultaneous band of the quantiles of n draws from N(0, 1), less those of N(0, 1).

    A quantile at p is taken to be Beta(p (n + 1), (1 - p) (n + 1)) on the scale of probabilities,
    which the order statistics are; all of them leave the band with one and the same probability,
    set by simulation from a fixed seed. The marginal of a mixture of n posteriors that matches
    scatters less than n draws, most of all where posteriors are wide.

    Args:
        n: draws.
        level: probability that all quantiles stay inside.

    Returns:
        Lower and upper ends at ``SHARES``, each of shape (len(SHARES),); NaN where less than one
        draw lies beyond. Do not edit them.
    """
    low, high = np.full((2, len(SHARES)), np.nan)
    known = np.minimum(SHARES, 1 - SHARES) * (n + 1) >= 1
    if not known.any():
        return low, high
    shares = SHARES[known]
    first, second = shares * (n + 1), (1 - shares) * (n + 1)
    spacings = np.diff(np.concatenate([[0.0], shares, [1.0]])) * (n + 1)
    gaps = np.random.default_rng(0).standard_gamma(spacings, (_DRAWS, len(spacings)))
    places = gaps.cumsum(1)[:, :-1] / gaps.sum(1, keepdims=True)
    below = beta.cdf(places, first, second)
    rarest = np.minimum(below, 1 - below).min(1)
    tail = float(np.quantile(rarest, 1 - level))
    low[known], high[known] = (
        ndtri(beta.ppf(end, first, second)) - ndtri(shares) for end in (tail, 1 - tail)
    )
    return low, high
