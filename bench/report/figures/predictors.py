"""What predicts the quality of samples: rank correlations with their intervals."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.analysis.prediction import TARGETS, TRIVIAL, Prediction
from bench.report.figures.style import STYLE, WIDTH, as_it_is

__all__ = ["predictors"]

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")  # Okabe & Ito
_MARKERS = "osD^vP"


def predictors(predicted: Sequence[Prediction]) -> Figure:
    """Draw the correlation of every predictor with each target, a mark for each matrix.

    Args:
        predicted: Those with configurations enough.

    Returns:
        The figure: trivial predictors shaded; filled where the interval excludes 0 with all
        predictors asked at once.
    """
    symbols = {
        found.predictor: one.symbols[found.predictor]
        for one in predicted
        for found in one.correlations
        if found.enough
    }
    names = sorted(symbols, key=lambda name: name in TRIVIAL)
    places = list(dict.fromkeys(one.place for one in predicted))
    looks = {
        place: (_COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)])
        for i, place in enumerate(places)
    }
    height = 1.2 + len(names) * (0.18 + 0.1 * len(places))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panels = figure.subplots(1, len(TARGETS), sharey=True)
        for axes, (target, title) in zip(panels, TARGETS.items(), strict=True):
            _panel(axes, [one for one in predicted if one.target == target], names, looks)
            axes.set_title(title)
        panels[0].set_yticks(range(len(names)), [symbols[name] for name in names])
        panels[0].set_ylim(len(names) - 0.5, -0.5)
        figure.supxlabel(
            "Spearman's ρ over configurations, 95 % interval; "
            "filled: not 0 with all asked at once; shaded: trivial",
            fontsize=9,
        )
        keys = [
            Line2D([], [], lw=1.2, ms=5, label=as_it_is(place), color=colour, marker=marker)
            for place, (colour, marker) in looks.items()
        ]
        figure.legend(handles=keys, loc="outside upper left", ncols=6, columnspacing=1.5)
    return figure


def _panel(
    axes: Axes,
    predicted: Sequence[Prediction],
    names: Sequence[str],
    looks: dict[str, tuple[str, str]],
) -> None:
    axes.axvline(0, c="#999999", lw=0.8)
    trivial = sum(name in TRIVIAL for name in names)
    axes.axhspan(len(names) - trivial - 0.5, len(names) - 0.5, color="#f3f3f3", zorder=0)
    step = 0.72 / max(len(looks), 1)
    for one in predicted:
        shift = (list(looks).index(one.place) - (len(looks) - 1) / 2) * step
        colour, marker = looks[one.place]
        for found in one.correlations:
            if found.enough:
                place = names.index(found.predictor) + shift
                face = colour if found.shown else "white"
                axes.plot([found.low, found.high], [place] * 2, c=colour, lw=1.2)
                axes.plot(found.value, place, marker, c=colour, mfc=face, ms=4.5)
    axes.set_xlim(-1.05, 1.05)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
