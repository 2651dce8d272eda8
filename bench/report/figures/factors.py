"""Brackets of KL(q‖p) against every factor that a matrix varies, one panel for each study."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullFormatter

from bench.analysis.match import Match, Matched
from bench.report.figures.brackets import LEAST, colour_of, highest, lowest, span
from bench.report.figures.style import STYLE, VERDICTS, WIDTH, as_it_is

__all__ = ["factors"]

_WIDE = 3  # panels beside each other
_LINE, _LONG = 20, 28  # characters: of a label on one line, and of all labels that stand level
_MANY = 7  # labels from which on they are turned steeply
_BASE = "#f3ecd2"


def factors(
    panels: Sequence[tuple[str, Mapping[str, str]]], match: Match, base: str = ""
) -> Figure:
    """Draw the bracket of each configuration above its value of the factor.

    Args:
        panels: the title of each study, and a label for each of its configurations, in order.
        match: the brackets, of one data set; what has none is left empty.
        base: the configuration that all others change something of; it is marked.

    Returns:
        The figure, on one logarithmic axis: a bar from the mean proved end to the mean upper end, a
        dot at the mean gain, a dashed line at the margin; a thin line where the upper end is
        saturated or there is none; a band behind the base.
    """
    known = {one.config: one for one in match.configurations}
    drawn = [known[name] for _, labels in panels for name in labels if name in known]
    top = highest(drawn, match.margin)
    wide = min(_WIDE, len(panels))
    tall = -(-len(panels) // wide)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.9 + 2.2 * tall), layout="constrained")
        grid = figure.subplots(tall, wide, squeeze=False, sharey=True).ravel()
        for axes, (title, labels) in zip(grid, panels, strict=False):
            for place, name in enumerate(labels):
                if name == base:
                    axes.axvspan(place - 0.42, place + 0.42, color=_BASE, lw=0, zorder=0)
                if one := known.get(name):
                    _bracket(axes, place, one, top)
            axes.axhline(match.margin, c="#333333", lw=0.9, ls="--")
            axes.set_yscale("log")
            axes.set(ylim=(lowest(drawn, match.margin), top), xlim=(-0.6, len(labels) - 0.4))
            axes.set_title(as_it_is(textwrap.fill(title, 34)), fontsize=8.5)
            _ticks(axes, labels, base)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        for axes in grid[::wide]:
            axes.set_ylabel("KL(q‖p), nats")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        keys = _keys(drawn, base if any(base in labels for _, labels in panels) else "")
        figure.legend(handles=keys, loc="outside upper left", ncols=5, columnspacing=1.4)
    return figure


def _keys(drawn: Sequence[Matched], base: str) -> list[Artist]:
    """What bars, dots, lines and colours mean, as far as they are drawn."""
    grey: dict[str, Any] = {"color": "#555555"}
    answers = {"no": "no match", "yes": "match", "undecided": "undecided", "flagged": "flagged"}
    found = {colour_of(one) for one in drawn}
    keys: list[Artist] = [
        Line2D([], [], **grey, lw=5, alpha=0.75, label="proved to upper end"),
        Line2D([], [], **grey, ls="", marker="o", ms=4, label="gain"),
        Line2D([], [], color="#333333", lw=0.9, ls="--", label="margin"),
    ]
    if any(one.saturated or math.isnan(one.upper.mean) for one in drawn):
        keys.insert(1, Line2D([], [], **grey, lw=1.2, label="no upper end that says anything"))
    if base:
        keys.append(Patch(fc=_BASE, label=as_it_is(base)))
    keys += [
        Patch(fc=VERDICTS[name], label=text)
        for name, text in {**answers, "collapsed": "collapsed"}.items()
        if VERDICTS[name] in found
    ]
    return keys


def _bracket(axes: Axes, place: int, one: Matched, top: float) -> None:
    if math.isnan(one.lower.mean):
        return
    colour = colour_of(one)
    low, high, closed = span(one, top)
    width = 5 if closed else 1.2
    axes.plot([place] * 2, [low, high], c=colour, lw=width, alpha=0.75, solid_capstyle="butt")
    axes.plot([place - 0.22, place + 0.22], [low] * 2, c=colour, lw=1.5)
    axes.plot(place, max(one.gain.mean, LEAST), "o", c=colour, ms=4, mec="white", mew=0.6)


def _ticks(axes: Axes, labels: Mapping[str, str], base: str) -> None:
    folded = [
        as_it_is(textwrap.fill(text, _LINE, break_long_words=False)) for text in labels.values()
    ]
    axes.set_xticks(np.arange(len(folded)), folded)
    axes.tick_params(axis="x", labelsize=7.5)
    widest = max(len(line) for text in folded for line in text.splitlines())
    turned = widest * len(folded) > _LONG
    for name, text in zip(labels, axes.get_xticklabels(), strict=True):
        text.set_fontweight("bold" if name == base else "normal")
        if turned:
            angle = 60 if len(folded) > _MANY else 30
            text.set(rotation=angle, ha="right", rotation_mode="anchor")
    axes.grid(axis="y")
