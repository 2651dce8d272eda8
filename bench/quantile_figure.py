"""The marginals of the aggregate posterior against N(0, 1), quantile by quantile."""

from collections.abc import Mapping
from textwrap import fill

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.special import ndtr, ndtri

from bench.figures import STYLE, WIDTH

__all__ = ["SHARES", "marginal_quantiles", "quantile_plot"]

Floats = npt.NDArray[np.float64]

SHARES: Floats = np.concatenate(
    [[0.001, 0.003, 0.006], np.arange(1, 100) / 100, [0.994, 0.997, 0.999]]
)
"""The probabilities of the quantiles."""

_COLUMNS = 4
_GRID = 801
_TITLE = 100  # characters of 8.5 points in the width of the figure


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


def quantile_plot(quantiles: Mapping[str, Floats]) -> Figure:
    """Draw quantiles of q_j less those of N(0, 1), one line per dimension.

    Args:
        quantiles: Label -> quantiles at ``SHARES``, shape (D, len(SHARES)).

    Returns:
        The figure, one panel per label; a level line at 0 is a perfect match, a slope a wrong
        scale, an S a wrong shape.
    """
    across = min(_COLUMNS, len(quantiles))
    down = -(-len(quantiles) // across)
    normal = ndtri(SHARES)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.7 + 1.75 * down), layout="constrained")
        panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, (label, values) in zip(panels, quantiles.items(), strict=False):
            shade = max(0.25, min(0.9, 2 / len(values)))
            axes.axhline(0, c="#555555", lw=0.9, ls=":")
            axes.plot(normal, (values - normal).T, c="#0072B2", lw=1.2, alpha=shade)
            axes.set_title(fill(f"{label}  (D = {len(values)})", _TITLE // across), fontsize=8.5)
            axes.grid(axis="y")
        for axes in panels[len(quantiles) :]:
            axes.set_axis_off()
        figure.supxlabel("quantile of N(0, 1)", fontsize=9)
        figure.supylabel("quantile of $q_j$ less that", fontsize=9)
    return figure
