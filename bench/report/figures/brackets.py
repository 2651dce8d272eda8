"""Brackets of KL(q‖p): from what is proved to the upper end, one line per configuration."""

import math
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.analysis.match import Match, Matched
from bench.report.figures.style import STYLE, VERDICTS, WIDTH

__all__ = ["LEAST", "brackets", "colour_of", "highest", "lowest", "span"]

LEAST = 0.005
"""Nats; what is less is drawn at the edge."""
_NOT_KNOWN = 1.5  # times the highest end: where what has no end is drawn to


def brackets(match: Match) -> Figure:
    """Draw the bracket of every configuration on a logarithmic axis.

    Args:
        match: Of one data set.

    Returns:
        The figure: a bar from the mean proved end to the mean upper end, a dot at the mean gain,
        the margin as a line; a thin line where there is no upper end or it is saturated.
    """
    rows = match.configurations
    top = highest(rows, match.margin)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.6 + 0.24 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for place, one in enumerate(rows):
            colour = colour_of(one)
            if math.isnan(one.lower.mean):
                continue
            low, high, closed = span(one, top)
            axes.plot([low, high], [place] * 2, c=colour, lw=4 if closed else 1.2, alpha=0.75)
            axes.plot([low] * 2, [place - 0.3, place + 0.3], c=colour, lw=1.5)
            axes.plot(max(one.gain.mean, LEAST), place, "o", c=colour, ms=4, mec="white", mew=0.6)
        axes.axvline(match.margin, c="#333333", lw=0.9, ls="--")
        axes.set_xscale("log")
        axes.set_xlim(lowest(rows, match.margin), top)
        axes.set_yticks(range(len(rows)), [one.config for one in rows])
        axes.invert_yaxis()
        axes.set_xlabel("KL(q‖p), nats; dashed: the margin")
        axes.grid(axis="x")
    return figure


def highest(configurations: Sequence[Matched], margin: float) -> float:
    """Find where the axis of brackets ends.

    Args:
        configurations: All that are drawn.
        margin: KL, in nats, that still counts as a match.

    Returns:
        Nats, above every end that is known.
    """
    ends = [end for one in configurations for end in (one.upper.mean, one.gain.mean)]
    return _NOT_KNOWN * max([2 * margin, *filter(math.isfinite, ends)])


def lowest(configurations: Sequence[Matched], margin: float) -> float:
    """Find where the axis of brackets begins.

    Args:
        configurations: All that are drawn.
        margin: KL, in nats, that still counts as a match.

    Returns:
        Nats, below the margin and every end that is not drawn at the edge.
    """
    ends = [one.lower.mean for one in configurations if not math.isnan(one.lower.mean)]
    return max(0.9 * LEAST, 0.7 * min([margin, *ends]))


def span(one: Matched, top: float) -> tuple[float, float, bool]:
    """Find from where to where a bracket is drawn.

    Args:
        one: A configuration with a lower end.
        top: Where the axis ends.

    Returns:
        Both ends, in nats, and whether the upper one can give a yes: else it is saturated, or not
        known and drawn to the end of the axis.
    """
    closed = not math.isnan(one.upper.mean) and not one.saturated
    high = top if math.isnan(one.upper.mean) else max(one.upper.mean, LEAST)
    return max(one.lower.mean, LEAST), high, closed


def colour_of(one: Matched) -> str:
    """The colour of a configuration's answer."""
    return VERDICTS["collapsed" if one.collapsed else one.verdict]
