"""Pictures of the calibration: excess, bias, levels and power."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.calibration.bands import clopper_pearson
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
    settings = list(table.groupby(["N", "D"], sort=True))
    columns = min(3, len(settings))
    rows = -(-len(settings) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.7 + 2.4 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, ((n, d), of_setting) in zip(panels, settings, strict=False):
            by_rate = of_setting.sort_values("rate")
            _lines(axes, by_rate)
            axes.set_title(f"D = {d}, N = {n:,}")
            axes.set_xscale("log")
            axes.set_xticks(by_rate["rate"], [f"{rate:.2g}" for rate in by_rate["rate"]])
            axes.minorticks_off()
        for axes in panels[len(settings) :]:
            axes.set_axis_off()
        figure.supxlabel("rate R, nats (log scale)", fontsize=9)
        figure.supylabel("nats", fontsize=9)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=5, columnspacing=1.2)
    return figure


def _lines(axes: Axes, table: pd.DataFrame) -> None:
    drawn: list[tuple[str, str, dict[str, Any]]] = [
        ("marginal_kl", "raw KL(q_N‖p)", {"c": _RED, "fmt": "s-"}),
        ("null", "its finite-N null", {"c": "#777777", "fmt": "x--"}),
        ("excess", "excess", {"c": _BLUE, "fmt": "o-"}),
    ]
    for name, label, look in drawn:
        error = 1.96 * table[f"{name}_error"]
        axes.errorbar(table["rate"], table[name], error, label=label, ms=5, lw=1.4, **look)
    axes.plot(table["rate"], table["floor"], ":", c="k", lw=1, label="floor R - log N")
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
            cases = noisy[noisy["estimator"] == name]
            bound = cases["promise"] == "at most"
            for chosen, mark in ((~bound, "o"), (bound, "<")):
                z = cases.loc[chosen, "z"].clip(-8, 8)
                far = cases.loc[chosen, "outside"]
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
                rows = table[(table["level"] == level) & (table["n"] == n) & (table["D"] == d)]
                y = np.array([tests.index(name) for name in rows["test"]], float)
                y += (place - (len(settings) - 1) / 2) * 0.75 / len(settings)
                pairs = list(zip(rows["rejections"], rows["repetitions"], strict=True))
                ends = np.array([clopper_pearson(*pair) for pair in pairs]).reshape(-1, 2)
                rate = (rows["rejections"] / rows["repetitions"]).to_numpy()
                low, high = (rows[name] / rows["repetitions"] for name in ("low", "high"))
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
    settings = list(table.groupby(["D", "n"], sort=True))
    tests = list(dict.fromkeys(table["test"]))
    alternatives = list(dict.fromkeys(table["alternative"]))
    columns = min(2, len(settings))
    rows = -(-len(settings) // columns)
    with mpl.rc_context(STYLE):
        height = 0.9 + (0.9 + 0.24 * len(tests)) * rows
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        places = range(len(alternatives))
        for axes, ((d, n), of_setting) in zip(panels, settings, strict=False):
            grid = of_setting.pivot(index="test", columns="alternative", values="power")
            _heat(axes, grid.reindex(index=tests, columns=alternatives).to_numpy())
            axes.set_title(f"n = {n}, D = {d}")
            axes.set_xticks(places, alternatives, rotation=30, ha="right", rotation_mode="anchor")
            axes.set_yticks(range(len(tests)), tests)
            axes.tick_params(length=0)
            for side in axes.spines.values():
                side.set_visible(False)
        for axes in panels[len(settings) :]:
            axes.set_axis_off()
    return figure


def _heat(axes: Axes, values: Any) -> None:  # noqa: ANN401
    axes.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = f"{value:.2f}".removeprefix("0") if value < 1 else "1"
            colour = "white" if value < 0.55 else "black"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
