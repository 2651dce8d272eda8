"""The rank plot: which ranks the seeds allow for each configuration, by several metrics."""

from collections.abc import Collection, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from bench.metrics.metric import Metric
from bench.report.figures.style import STYLE, VERDICTS, WIDTH

__all__ = ["rank_plot"]

_TIED = "#0072B2"
_BEHIND = 0.45, 0.97  # greys of the first and the last rank
_LABEL = 36  # characters of a name on one line
_MOST = 40  # configurations; of more the first ones are drawn


def rank_plot(
    panels: Sequence[tuple[Metric, str, pd.DataFrame]],
    configurations: Sequence[str],
    collapsed: Collection[str] = (),
) -> Figure:
    """Draw the rank intervals of every configuration as one table, a column for each metric.

    Args:
        panels: A metric with a direction, its latent source, and the ranking by it, see
            `bench.analysis.comparison.ranking`, of one data set.
        configurations: All that have not collapsed, in the order of the rows.
        collapsed: Those that have: they stand last, and nothing ranks them.

    Returns:
        The figure: configurations in the order of the first metric. Each cell says the ranks that
        the seeds allow; its tie group is blue, all others are the paler the later their rank. A
        cell is empty where a configuration is not ranked; a metric that ranks none has no column.
    """
    panels = [panel for panel in panels if len(panel[2])] or panels
    everyone = list(dict.fromkeys([*panels[0][2].index, *configurations]))
    order = [*everyone[:_MOST], *collapsed]
    texts = [name.replace("--", "--\n") if len(name) > _LABEL else name for name in order]
    lines = 1 + max(text.count("\n") for text in texts)
    with mpl.rc_context(STYLE):
        height = 1.15 + max(0.19, 0.125 * lines) * len(order)
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots()
        for column, (_, _, board) in enumerate(panels):
            _cells(axes, column, board, order)
        for name in collapsed:
            place = order.index(name)
            colour, wide = VERDICTS["collapsed"], len(panels)
            cell = Rectangle((-0.47, place - 0.44), wide - 0.06, 0.88, fc="white", ec=colour)
            axes.add_patch(cell).set_hatch("////")
            box = {"fc": "white", "ec": "none", "pad": 1.5}
            middle = (len(panels) - 1) / 2
            axes.text(middle, place, "collapsed", fontsize=7.5, ha="center", va="center", bbox=box)
        heads = [
            f"{metric.symbol}{f' ({source})' if source else ''} {metric.arrow}".replace(" (", "\n(")
            for metric, source, _ in panels
        ]
        axes.set_xticks(range(len(panels)), heads, fontsize=8.5)
        axes.set_yticks(range(len(order)), texts, fontsize=7.5)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.set(xlim=(-0.5, len(panels) - 0.5), ylim=(len(order) - 0.5, -0.5))
        for side in axes.spines.values():
            side.set_visible(False)
        note = f"; {len(everyone) - _MOST} more are in the table" if everyone[_MOST:] else ""
        axes.set_xlabel(f"ranks that the seeds allow, 1 is best{note}", fontsize=9)
        keys = [
            Patch(fc=_TIED, label="nothing is significantly better"),
            Patch(fc=str(_BEHIND[0] + 0.2), label="something is; the paler, the later by the mean"),
        ]
        figure.legend(handles=keys, loc="outside upper left", ncols=2, columnspacing=1.5)
    return figure


def _cells(axes: Axes, column: int, board: pd.DataFrame, order: Sequence[str]) -> None:
    """One metric: a cell for each configuration that it ranks."""
    greys = np.linspace(*_BEHIND, max(len(board), 2))
    for grey, (config, row) in zip(greys, board.iterrows(), strict=False):
        if config not in order:
            continue
        place = order.index(str(config))
        colour = _TIED if row["tie"] else str(float(grey))
        corner = column - 0.47, place - 0.44
        axes.add_patch(Rectangle(corner, 0.94, 0.88, fc=colour, ec="none"))
        low, high = int(row["rank_low"]), int(row["rank_high"])
        text = str(low) if low == high else f"{low}–{high}"
        axes.text(
            column,
            place,
            text,
            ha="center",
            va="center",
            fontsize=7.5,
            weight="bold" if row["tie"] else "normal",
            color="white" if row["tie"] else "black",
        )
