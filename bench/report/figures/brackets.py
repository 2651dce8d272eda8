"""Brackets of KL(q‖p): from what is proved to the upper end, one line per configuration."""

import math

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.analysis.match import Match
from bench.report.figures.style import STYLE, VERDICTS, WIDTH

__all__ = ["brackets"]

_LEAST = 0.005  # nats: what is less is drawn at the edge


def brackets(match: Match) -> Figure:
    """Draw the bracket of every configuration on a logarithmic axis.

    Args:
        match: Of one data set.

    Returns:
        The figure: a bar from the mean proved end to the mean upper end, a dot at the mean gain,
        the margin as a line; an open bar where there is no upper end or it is saturated.
    """
    rows = match.configurations
    most = max(
        [match.margin * 2, *(end for one in rows for end in (one.upper.mean, one.gain.mean) if end)]
    )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.6 + 0.24 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for place, one in enumerate(rows):
            colour = VERDICTS["collapsed" if one.collapsed else one.verdict]
            if math.isnan(one.lower.mean):
                continue
            low = max(one.lower.mean, _LEAST)
            closed = not math.isnan(one.upper.mean) and not one.saturated
            high = max(one.upper.mean, _LEAST) if closed else most * 1.5
            axes.plot([low, high], [place] * 2, c=colour, lw=4 if closed else 1.2, alpha=0.75)
            axes.plot([low] * 2, [place - 0.3, place + 0.3], c=colour, lw=1.5)
            axes.plot(max(one.gain.mean, _LEAST), place, "o", c=colour, ms=4, mec="white", mew=0.6)
        axes.axvline(match.margin, c="#333333", lw=0.9, ls="--")
        axes.set_xscale("log")
        axes.set_xlim(_LEAST * 0.9, most * 1.5)
        axes.set_yticks(range(len(rows)), [one.config for one in rows])
        axes.invert_yaxis()
        axes.set_xlabel("KL(q‖p), nats; dashed: the margin")
        axes.grid(axis="x")
    return figure
