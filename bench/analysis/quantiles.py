"""Quantiles of the marginals of the aggregate posterior."""

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from vaelib.numerics.arrays import Floats

__all__ = ["SHARES", "marginal_quantiles"]


SHARES: Floats = np.concatenate(
    [[0.001, 0.003, 0.006], np.arange(1, 100) / 100, [0.994, 0.997, 0.999]]
)
"""The probabilities of the quantiles."""


_GRID = 801


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
