"""The rank plot: which ranks the seeds allow for each configuration, by several metrics."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.metrics.registry import metric_named
from bench.report.figures.style import STYLE, WIDTH
from bench.report.markdown import rankings

__all__ = ["rank_plot"]

_TIED, _BEHIND = "#0072B2", "#9a9a9a"
_LABEL = 36  # characters of a name on one line


def rank_plot(rows: pd.DataFrame, metrics: Sequence[tuple[str, str]], split: str) -> Figure:
    """Draw the rank intervals of every configuration, one panel for each metric.

    Args:
        rows: Tidy rows of one data set.
        metrics: Names of metrics with a direction, each with its latent source.
        split: The split they were measured on.

    Returns:
        The figure: configurations in the order of the first metric, those in its tie group in
        colour; no bar where a configuration is not ranked, no panel where none is.
    """
    boards = [rankings(rows, name, split, source) for name, source in metrics]
    if ranked := [place for place, board in enumerate(boards) if len(board)]:
        boards, metrics = [boards[i] for i in ranked], [metrics[i] for i in ranked]
    order = list(dict.fromkeys([*boards[0].index, *rows["config"].unique()]))
    texts = [name.replace("--", "--\n") if len(name) > _LABEL else name for name in order]
    lines = 1 + max(text.count("\n") for text in texts)
    with mpl.rc_context(STYLE):
        height = 1.0 + max(0.19, 0.125 * lines) * len(order)
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False).ravel()
        for axes, board, (name, source) in zip(panels, boards, metrics, strict=True):
            known = board[board.index.isin(order)]
            y = np.array([order.index(config) for config in known.index])
            low, high = known["rank_low"].to_numpy(), known["rank_high"].to_numpy()
            place = np.arange(1, len(known) + 1)
            for chosen, colour in ((known["tie"], _TIED), (~known["tie"], _BEHIND)):
                pick = chosen.to_numpy(bool)
                axes.hlines(y[pick], low[pick] - 0.3, high[pick] + 0.3, colour, lw=4.5, alpha=0.55)
                axes.plot(place[pick], y[pick], "o", c=colour, ms=4)
            metric = metric_named(name)
            title = metric.symbol + (f"\n({source})" if source else "")
            axes.set_title(f"{title} {'↓' if metric.better == 'lower' else '↑'}")
            axes.set_xlim(0.3, max(len(known), 1) + 0.7)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.grid(axis="x")
            axes.tick_params(axis="y", length=0)
        panels[0].set_yticks(np.arange(len(order)), texts, fontsize=7.5)
        panels[0].set_ylim(len(order) - 0.5, -0.5)
        figure.supxlabel(
            "rank, 1 is best; dot: by the mean, bar: what the seeds allow, blue: tie group",
            fontsize=9,
        )
    return figure
