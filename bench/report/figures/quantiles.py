"""The marginals of the aggregate posterior against N(0, 1), quantile by quantile."""

from collections.abc import Mapping
from textwrap import fill

import matplotlib as mpl
from matplotlib.figure import Figure
from scipy.special import ndtri

from bench.analysis.quantiles import SHARES
from bench.report.figures.style import STYLE, WIDTH, as_it_is
from vaelib.numerics.arrays import Floats

__all__ = ["quantile_plot"]


_COLUMNS = 4
_TITLE = 100  # characters of 8.5 points in the width of the figure


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
            axes.set_title(
                as_it_is(fill(f"{label}  (D = {len(values)})", _TITLE // across)), fontsize=8.5
            )
            axes.grid(axis="y")
        for axes in panels[len(quantiles) :]:
            axes.set_axis_off()
        figure.supxlabel("quantile of N(0, 1)", fontsize=9)
        figure.supylabel("quantile of $q_j$ less that", fontsize=9)
    return figure
