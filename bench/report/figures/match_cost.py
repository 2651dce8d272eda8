"""Match of the latents against what sampling from the prior costs in the images."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.cluster.hierarchy import fclusterdata

from bench.analysis.replicates import between_sources, collapses, replicates, t_interval
from bench.metrics.metric import Metric
from bench.report.figures.placing import beside
from bench.report.figures.scales import unsqueeze
from bench.report.figures.style import STYLE, WIDTH
from vaelib.numerics.arrays import Floats

__all__ = ["match_against_cost"]

_NEAR = 0.07  # inches between points that have labels of their own
_BAR = 1.5  # pixels: half of what an interval takes
_NAMED = 8  # configurations up to which names stand beside the points


def match_against_cost(frame: pd.DataFrame, metric: Metric) -> Figure:
    """Match of the latents against the cost in the images, over all configurations.

    Args:
        frame: Tidy rows of one data set, with the metric and the Fréchet distance of prior and
            aggregate.
        metric: Says how well the latents match.

    Returns:
        The figure: across, the metric on test inputs; up, the Fréchet distance of samples of the
        prior less that of samples of the aggregate posterior, paired within each model. Few
        configurations are named beside their points; many are numbered from the lowest value up,
        and those that nobody can tell apart share a number. An axis that few large values would
        squeeze is logarithmic away from 0.
    """
    match = replicates(frame, metric.name, "test")
    cost = between_sources(frame, "frechet", "prior", "aggregate")
    names = [
        name for name in cost.columns if cost[name].notna().any() and match[name].notna().any()
    ]
    names.sort(key=lambda name: np.nanmean(match[name]))
    dead = [bool(collapses(frame, "test")["apart"][name]) for name in names]
    texts = [
        f"{name} (collapsed)" if gone else name for name, gone in zip(names, dead, strict=True)
    ]
    x, y = (t_interval(table[names].to_numpy()) for table in (match, cost))
    if len(names) <= _NAMED:
        figure, axes, taken = _points(x, y, dead, metric, [])
        if beside(axes, np.stack([x[0], y[0]], 1), texts, 8, taken):
            return figure
    keys = [f"{place} {text}" for place, text in enumerate(texts, 1)]
    figure, axes, taken = _points(x, y, dead, metric, keys)
    _number(axes, np.stack([x[0], y[0]], 1), figure.dpi, taken)
    return figure


def _points(
    x: tuple[Floats, Floats],
    y: tuple[Floats, Floats],
    dead: list[bool],
    metric: Metric,
    keys: list[str],
) -> tuple[Figure, Axes, Floats]:
    """The points with their intervals, the key beside them, and where intervals are drawn."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, max(3.4, 0.9 + 0.16 * len(keys))), layout="constrained")
        axes = figure.subplots()
        wide, high = (np.nan_to_num(half) for _, half in (x, y))
        for place, gone in enumerate(dead):
            axes.errorbar(
                x[0][place],
                y[0][place],
                xerr=wide[place],
                yerr=high[place],
                fmt="o",
                c="#0072B2",
                mfc="white" if gone else "#0072B2",
                ms=4.5,
                lw=1.1,
                capsize=2,
            )
        across, up = unsqueeze(axes, "x", x[0]), unsqueeze(axes, "y", y[0])
        axes.axhline(0, c="#555555", lw=0.9, ls=":")
        if metric.matched is not None:
            axes.axvline(metric.matched, c="#555555", lw=0.9, ls=":")
        hint = " (hollow: collapsed)" if any(dead) else ""
        unit = "" if metric.unit in ("1", metric.symbol.split()[-1]) else f", {metric.unit}"
        axes.set_xlabel(f"{metric.symbol}{unit}, test inputs{hint}{across}")
        axes.set_ylabel(f"Fréchet: prior less aggregate{up}")
        axes.grid()
        if keys:
            figure.legend(
                handles=[Line2D([], [], ls="", label=key) for key in keys],
                loc="outside right upper",
                fontsize=7.5,
                handlelength=0,
                handletextpad=0,
            )
        figure.draw_without_rendering()
        axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    centres, halves = np.stack([x[0], y[0]], 1), np.stack([wide, high], 1)
    bars = [
        np.stack([centres - along * halves, centres + along * halves], 1) for along in np.eye(2)
    ]
    ends = axes.transData.transform(np.concatenate(bars).reshape(-1, 2))
    return figure, axes, ends.reshape(-1, 4) + _BAR * np.array([-1, -1, 1, 1])


def _number(axes: Axes, points: Floats, dpi: float, taken: Floats) -> None:
    """Number points, those too close for a label of their own together."""
    inches = axes.transData.transform(points) / dpi
    groups = fclusterdata(inches, _NEAR, "distance") if len(points) > 1 else np.ones(len(points))
    texts, places = [], []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        runs = np.split(members + 1, np.flatnonzero(np.diff(members) > 1) + 1)
        texts.append(
            ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
        )
        places.append(points[members[points[members, 1].argmax()]])
    marks, half = 72 * inches, 3.0
    boxes = np.concatenate([marks - half, marks + half], 1) * dpi / 72
    beside(axes, np.array(places), texts, 8, np.concatenate([taken, boxes]))
