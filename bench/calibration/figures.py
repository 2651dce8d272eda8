"""Pictures of the calibration: excess, bias, levels and power."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.calibration.task import clopper_pearson
from bench.calibration.verdicts import LARGEST_Z
from bench.report.figures.style import STYLE, WIDTH

__all__ = ["bias_figure", "excess_figure", "level_figure", "power_figure"]


_BLUE, _ORANGE, _GREEN, _RED, _GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#c8c8c8"


def excess_figure(table: pd.DataFrame) -> Figure:
    """Raw KL, null, excess and lower end against the rate; each panel one D, N.

    Args:
        table: Rows of the excess, judged.

    Returns:
        The figure.
    """
    panels = list(table.groupby(["N", "D"], sort=True))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.7 + 2.4 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for one, ((n, d), part) in zip(axes, panels, strict=False):
            part = part.sort_values("rate")
            _lines(one, part)
            one.set_title(f"D = {d}, N = {n:,}")
            one.set_xscale("log")
            one.set_xticks(part["rate"], [f"{rate:.2g}" for rate in part["rate"]])
            one.minorticks_off()
        for one in axes[len(panels) :]:
            one.set_axis_off()
        figure.supxlabel("rate R, nats (log scale)", fontsize=9)
        figure.supylabel("nats", fontsize=9)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=5, columnspacing=1.2)
    return figure


def _lines(axes: Axes, part: pd.DataFrame) -> None:
    drawn: list[tuple[str, str, dict[str, Any]]] = [
        ("marginal_kl", "raw KL(q_N‖p)", {"c": _RED, "fmt": "s-"}),
        ("null", "its finite-N null", {"c": "#777777", "fmt": "x--"}),
        ("excess", "excess", {"c": _BLUE, "fmt": "o-"}),
    ]
    for name, label, look in drawn:
        error = 1.96 * part[f"{name}_error"]
        axes.errorbar(part["rate"], part[name], error, label=label, ms=5, lw=1.4, **look)
    axes.plot(part["rate"], part["floor"], ":", c="k", lw=1, label="floor R - log N")
    axes.axhline(0, c=_GREEN, lw=0.9, zorder=0, label="true KL of the population: 0")
    axes.grid(axis="y")


def bias_figure(table: pd.DataFrame) -> Figure:
    """Bias of each estimator in standard errors, one dot per setting.

    Args:
        table: Rows of the estimators, judged.

    Returns:
        The figure.
    """
    noisy = table[table["z"].notna()]
    names = list(dict.fromkeys(noisy["estimator"]))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.0 + 0.24 * len(names)), layout="constrained")
        axes = figure.subplots()
        axes.axvspan(-LARGEST_Z, LARGEST_Z, color="#f0f0f0", zorder=0)
        axes.axvline(0, c="#777777", lw=0.8)
        for y, name in enumerate(names):
            part = noisy[noisy["estimator"] == name]
            bound = part["promise"] == "at most"
            for chosen, mark in ((~bound, "o"), (bound, "<")):
                z = part.loc[chosen, "z"].clip(-8, 8)
                far = part.loc[chosen, "outside"]
                colours = np.where(far, _RED, _BLUE)
                axes.scatter(z, np.full(len(z), y), s=26, c=colours, marker=mark, alpha=0.7)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(-8.4, 8.4)
        axes.set_xlabel(
            "(mean - oracle) / standard error; grey: within 3; triangles: bounds, fine on the left"
        )
        axes.grid(axis="x")
    return figure


def level_figure(table: pd.DataFrame) -> Figure:
    """Rejections of true nulls with exact intervals, beside their bands.

    Args:
        table: Rows of the levels, judged, with fresh null draws.

    Returns:
        The figure: one panel per level.
    """
    tests = list(dict.fromkeys(table["test"]))
    settings = sorted(set(zip(table["n"], table["D"], strict=True)))
    colours = [_BLUE, _ORANGE, _GREEN, "#CC79A7", "#56B4E9", "#000000"]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.2 + 0.42 * len(tests)), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, level in zip(panels, (0.05, 0.01), strict=True):
            for place, (n, d) in enumerate(settings):
                part = table[(table["level"] == level) & (table["n"] == n) & (table["D"] == d)]
                y = np.array([tests.index(name) for name in part["test"]], float)
                y += (place - (len(settings) - 1) / 2) * 0.75 / len(settings)
                pairs = list(zip(part["rejections"], part["repetitions"], strict=True))
                ends = np.array([clopper_pearson(*pair) for pair in pairs]).reshape(-1, 2)
                rate = (part["rejections"] / part["repetitions"]).to_numpy()
                low, high = (part[name] / part["repetitions"] for name in ("low", "high"))
                axes.hlines(y, low, high, colors="#dddddd", lw=5, zorder=0)
                spread = np.stack([rate - ends[:, 0], ends[:, 1] - rate])
                label = f"n = {n:,}, D = {d}"
                look = {"fmt": "osD^vP"[place % 6], "c": colours[place % 6], "label": label}
                axes.errorbar(rate, y, xerr=spread, ms=4, lw=1, **look)
            axes.axvline(level, c="k", lw=0.8, ls="--", zorder=0)
            axes.set_title(f"level {level:g}")
            axes.set_xlabel("rejected")
            axes.set_xlim(left=0)
        panels[0].set_yticks(range(len(tests)), tests)
        panels[0].set_ylim(len(tests) - 0.5, -0.5)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, columnspacing=1.5)
    return figure


def power_figure(table: pd.DataFrame) -> Figure:
    """Power at level .05 as annotated heat maps, one per n and D.

    Args:
        table: Rows of the power.

    Returns:
        The figure.
    """
    panels = list(table.groupby(["D", "n"], sort=True))
    tests = list(dict.fromkeys(table["test"]))
    alternatives = list(dict.fromkeys(table["alternative"]))
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    with mpl.rc_context(STYLE):
        height = 0.9 + (0.9 + 0.24 * len(tests)) * rows
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for one, ((d, n), part) in zip(axes, panels, strict=False):
            grid = part.pivot(index="test", columns="alternative", values="power")
            _heat(one, grid.reindex(index=tests, columns=alternatives).to_numpy())
            one.set_title(f"n = {n}, D = {d}")
            places = range(len(alternatives))
            one.set_xticks(places, alternatives, rotation=30, ha="right", rotation_mode="anchor")
            one.set_yticks(range(len(tests)), tests)
            one.tick_params(length=0)
            for side in one.spines.values():
                side.set_visible(False)
        for one in axes[len(panels) :]:
            one.set_axis_off()
    return figure


def _heat(axes: Axes, values: Any) -> None:  # noqa: ANN401
    axes.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = f"{value:.2f}".removeprefix("0") if value < 1 else "1"
            colour = "white" if value < 0.55 else "black"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
