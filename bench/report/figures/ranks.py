"""The rank plot: which ranks the seeds allow for each configuration, by several metrics."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.metrics.metric import Metric
from bench.report.figures.style import STYLE, WIDTH

__all__ = ["rank_plot"]

_TIED, _BEHIND = "#0072B2", "#9a9a9a"
_LABEL = 36  # characters of a name on one line


def rank_plot(
    panels: Sequence[tuple[Metric, str, pd.DataFrame]], configurations: Sequence[str]
) -> Figure:
    """Draw the rank intervals of every configuration, one panel for each metric.

    Args:
        panels: A metric with a direction, its latent source, and the ranking by it, see
            `bench.analysis.comparison.ranking`, of one data set.
        configurations: All of them, in the order of the rows.

    Returns:
        The figure: configurations in the order of the first metric, those in its tie group in
        colour; no bar where a configuration is not ranked, no panel where none is.
    """
    panels = [panel for panel in panels if len(panel[2])] or panels
    order = list(dict.fromkeys([*panels[0][2].index, *configurations]))
    texts = [name.replace("--", "--\n") if len(name) > _LABEL else name for name in order]
    lines = 1 + max(text.count("\n") for text in texts)
    with mpl.rc_context(STYLE):
        height = 1.0 + max(0.19, 0.125 * lines) * len(order)
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        drawn = figure.subplots(1, len(panels), sharey=True, squeeze=False).ravel()
        for axes, (metric, source, board) in zip(drawn, panels, strict=True):
            y = np.array([order.index(config) for config in board.index])
            low, high = board["rank_low"].to_numpy(), board["rank_high"].to_numpy()
            place = np.arange(1, len(board) + 1)
            for chosen, colour in ((board["tie"], _TIED), (~board["tie"], _BEHIND)):
                pick = chosen.to_numpy(bool)
                axes.hlines(y[pick], low[pick] - 0.3, high[pick] + 0.3, colour, lw=4.5, alpha=0.55)
                axes.plot(place[pick], y[pick], "o", c=colour, ms=4)
            title = metric.symbol + (f"\n({source})" if source else "")
            axes.set_title(f"{title} {metric.arrow}")
            axes.set_xlim(0.3, max(len(board), 1) + 0.7)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.grid(axis="x")
            axes.tick_params(axis="y", length=0)
        drawn[0].set_yticks(np.arange(len(order)), texts, fontsize=7.5)
        drawn[0].set_ylim(len(order) - 0.5, -0.5)
        figure.supxlabel(
            "rank, 1 is best; dot: by the mean, bar: what the seeds allow, blue: tie group",
            fontsize=9,
        )
    return figure
