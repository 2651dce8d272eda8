"""Brackets of KL(q‖p) against every factor that a matrix varies, one panel for each study."""

import math
import textwrap
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from bench.analysis.match import Match, Matched
from bench.report.figures.brackets import LEAST, colour_of, highest, lowest, span
from bench.report.figures.style import STYLE, WIDTH, as_it_is

__all__ = ["factors"]

_WIDE = 3  # panels beside each other
_LINE, _LONG = 16, 6  # characters of a label: on one line, and from which it is turned


def factors(panels: Sequence[tuple[str, Mapping[str, str]]], match: Match) -> Figure:
    """Draw the bracket of each configuration above its value of the factor.

    Args:
        panels: the title of each study, and a label for each of its configurations, in order.
        match: the brackets, of one data set; what has none is left empty.

    Returns:
        The figure, on one logarithmic axis: a bar from the mean proved end to the mean upper end, a
        dot at the mean gain, a dashed line at the margin; a thin line where the upper end is
        saturated or there is none.
    """
    known = {one.config: one for one in match.configurations}
    drawn = [known[name] for _, labels in panels for name in labels if name in known]
    top = highest(drawn, match.margin)
    wide = min(_WIDE, len(panels))
    tall = -(-len(panels) // wide)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.5 + 2.2 * tall), layout="constrained")
        grid = figure.subplots(tall, wide, squeeze=False, sharey=True).ravel()
        for axes, (title, labels) in zip(grid, panels, strict=False):
            for place, name in enumerate(labels):
                if one := known.get(name):
                    _bracket(axes, place, one, top)
            axes.axhline(match.margin, c="#333333", lw=0.9, ls="--")
            axes.set_yscale("log")
            axes.set(ylim=(lowest(drawn, match.margin), top), xlim=(-0.6, len(labels) - 0.4))
            axes.set_title(as_it_is(textwrap.fill(title, 34)), fontsize=8.5)
            _ticks(axes, list(labels.values()))
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        for axes in grid[::wide]:
            axes.set_ylabel("KL(q‖p), nats")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
    return figure


def _bracket(axes: Axes, place: int, one: Matched, top: float) -> None:
    if math.isnan(one.lower.mean):
        return
    colour = colour_of(one)
    low, high, closed = span(one, top)
    width = 5 if closed else 1.2
    axes.plot([place] * 2, [low, high], c=colour, lw=width, alpha=0.75, solid_capstyle="butt")
    axes.plot([place - 0.22, place + 0.22], [low] * 2, c=colour, lw=1.5)
    axes.plot(place, max(one.gain.mean, LEAST), "o", c=colour, ms=4, mec="white", mew=0.6)


def _ticks(axes: Axes, labels: Sequence[str]) -> None:
    texts = [as_it_is(textwrap.shorten(label, 2 * _LINE, placeholder="…")) for label in labels]
    folded = [textwrap.fill(text, _LINE, break_long_words=False) for text in texts]
    axes.set_xticks(np.arange(len(texts)), folded)
    axes.tick_params(axis="x", labelsize=7.5)
    if max(map(len, texts)) > _LONG:
        for text in axes.get_xticklabels():
            text.set(rotation=30, ha="right", rotation_mode="anchor")
    axes.grid(axis="y")
