"""What sampling from the prior costs: distances to real images by latent source."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analysis.match import Interval
from bench.report.figures.style import STYLE, WIDTH, as_it_is, source_colour

__all__ = ["SOURCES", "ladder"]

SOURCES = {
    "floor": "other real images",
    "reconstruction": "reconstructions",
    "aggregate": "z of q(z)",
    "repaired": "fitted density",
    "gmm": "fitted mixture",
    "flow": "fitted flow",
    "two_stage": "second VAE",
    "prior": "z of the prior",
}
"""From the floor up: latent sources and what they are called; nobody decodes the first."""

_BLUR = 1.4  # times the longest rung, up to which the distance of blurred images is drawn


def ladder(
    models: Sequence[tuple[str, Mapping[str, Interval]]], blur: float | None, label: str
) -> Figure:
    """Draw the distances of one model or several beside each other.

    Args:
        models: a title and the distance of each latent source, see `SOURCES`.
        blur: the distance of blurred real images; None where it was not measured.
        label: of the axis.

    Returns:
        The figure: one rung for each source, from 0 to its mean, with its 95 % interval.
    """
    order = [name for name in SOURCES if any(name in rungs for _, rungs in models)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.9 + 0.27 * len(order)), layout="constrained")
        panels = figure.subplots(1, len(models), sharey=True, squeeze=False).ravel()
        for axes, (title, rungs) in zip(panels, models, strict=True):
            _rungs(axes, order, rungs, blur)
            axes.set_title(as_it_is(title))
        panels[0].set_yticks(np.arange(len(order)), [SOURCES[name] for name in order])
        panels[0].invert_yaxis()
        note = "; dotted: blurred real images" if blur is not None else ""
        figure.supxlabel(f"{label}, 95 % over seeds{note}", fontsize=9)
    return figure


def _rungs(
    axes: Axes, order: Sequence[str], rungs: Mapping[str, Interval], blur: float | None
) -> None:
    for place, name in enumerate(order):
        if name not in rungs:
            continue
        one, colour = rungs[name], source_colour(name)
        axes.barh(place, one.mean, 0.62, color=colour, alpha=0.55)
        half = np.nan_to_num(one.half_width)
        axes.errorbar(one.mean, place, xerr=half, fmt=".", c=colour, ms=5, lw=1.4, capsize=2.5)
    longest = max((one.mean for one in rungs.values()), default=0.0)
    if blur is not None and blur < _BLUR * longest:
        axes.axvline(blur, c="#333333", lw=1.0, ls=":")
    axes.set_xlim(left=min(0.0, *(one.mean for one in rungs.values())))
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
