"""Ranks of simulation-based calibration: distribution functions in their simultaneous band."""

from collections.abc import Mapping
from textwrap import fill

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from bench.report.figures.style import STYLE, WIDTH, as_it_is
from vaelib.stats.sbc import GRID, band

__all__ = ["rank_ecdf_plot"]

_COLUMNS = 4
_TITLE = 100  # characters of 8.5 points in the width of the figure
_HEIGHT = 3.0  # half heights of the band that every panel shows at least


def rank_ecdf_plot(counts: Mapping[str, np.ndarray]) -> Figure:
    """Draw distribution functions of ranks less the uniform one, one line per dimension.

    Args:
        counts: Label -> ranks up to 1/GRID, ..., 1 of every dimension and, last, of the joint
            statistic, shape (D + 1, GRID).

    Returns:
        The figure, one panel per label: the simultaneous 95 % band in grey, dimensions in blue,
        the joint rank in orange.
    """
    across = min(_COLUMNS, len(counts))
    down = -(-len(counts) // across)
    places = np.arange(GRID + 1) / GRID
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.7 + 1.75 * down), layout="constrained")
        panels = figure.subplots(down, across, sharex=True, squeeze=False).ravel()
        for axes, (label, table) in zip(panels, counts.items(), strict=False):
            n = int(table[0, -1])
            low, high = (np.concatenate([[0.0], ends, [1.0]]) - places for ends in band(n))
            lines = np.column_stack([np.zeros(len(table)), table / n]) - places
            shade = max(0.25, min(0.9, 2 / (len(lines) - 1)))
            axes.fill_between(places, low, high, color="#e4e4e4", lw=0)
            axes.axhline(0, c="#555555", lw=0.9, ls=":")
            axes.plot(places, lines[:-1].T, c="#0072B2", lw=1.2, alpha=shade)
            axes.plot(places, lines[-1], c="#D55E00", lw=1.4)
            most = max(_HEIGHT * high.max(), float(np.abs(lines).max()) * 1.05)
            axes.set_ylim(-most, most)
            axes.set_title(
                as_it_is(fill(f"{label}  (n\u00a0=\u00a0{n:,})", _TITLE // across)), fontsize=8.5
            )
        for axes in panels[len(counts) :]:
            axes.set_axis_off()
        figure.supxlabel("rank under q(z|x), from 0 to 1", fontsize=9)
        figure.supylabel("share of ranks below, less that", fontsize=9)
    return figure
