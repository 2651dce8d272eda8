"""Pictures: a metric against the varied factor, and where the KL comes from.

Every function takes numbers and returns a matplotlib figure made for a width of about 800 pixels;
`save` writes it so that equal numbers give equal bytes.
"""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from bench.analysis.levels import levels
from bench.analysis.replicates import replicates, saturated, summarise, varied_keys
from bench.metrics.metric import Metric
from bench.report.figures.scales import unsqueeze
from bench.report.figures.style import SPLITS, STYLE, WIDTH, as_it_is
from vaelib.numerics.arrays import Floats

__all__ = ["kl_parts", "metric_panels"]

_LABEL = 28  # characters of a label on one line
_GREY, _EXCESS, _DEFICIT = "#c8c8c8", "#D55E00", "#56B4E9"


def _positions(labels: Sequence[str]) -> tuple[Floats, str]:
    """Where the levels stand on the axis, and what to say of its scale."""
    try:
        values = np.array([float(label) for label in labels])
    except ValueError:
        return np.arange(len(labels), dtype=float), ""
    if len(values) < 3 or len(np.unique(values)) < len(values):
        return np.arange(len(labels), dtype=float), ""
    if (values > 0).all():
        uneven, geometric = (np.diff(v).std() / np.diff(v).mean() for v in (values, np.log(values)))
        if geometric < uneven:
            return np.log(values), " (log scale)"
    return values, ""


def metric_panels(frame: pd.DataFrame, metrics: Sequence[Metric]) -> Figure:
    """Metrics against the varied factor: mean, t interval and the single seeds.

    Args:
        frame: Tidy rows of one study and data set.
        metrics: At most about six, one panel each.

    Returns:
        The figure; train and test side by side, saturated configurations hollow.
    """
    names = levels(frame)
    where, scale = _positions(list(names.values()))
    gap = float(np.diff(np.sort(where)).min()) if len(where) > 1 else 1.0
    wide = min(2, len(metrics))
    tall = -(-len(metrics) // wide)
    texts = [as_it_is(textwrap.fill(name, _LABEL)) for name in names.values()]
    longest = max(len(line) for text in texts for line in text.splitlines())
    angle = 0 if longest * len(names) <= 34 else 25 if len(names) <= 7 else 60
    with mpl.rc_context(STYLE):
        height = 0.6 + tall * (2.2 + 0.06 * longest * math.sin(math.radians(angle)))
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panels = figure.subplots(tall, wide, squeeze=False, sharex=True).ravel()
        for axes, metric in zip(panels, metrics, strict=False):
            _panel(axes, frame, metric, dict(zip(names, where, strict=True)), gap)
            axes.set_xticks(where, texts)
            axes.tick_params(labelbottom=True)
            if angle:
                for text in axes.get_xticklabels():
                    text.set(rotation=angle, ha="right", rotation_mode="anchor")
        for axes in panels[len(metrics) :]:
            axes.set_axis_off()
        key = ", ".join(varied_keys(frame)) or "configuration"
        figure.supxlabel(f"{key}{scale}; bars: mean and 95 % t interval over seeds", fontsize=9)
        hollow = any(metric.needs_unsaturated for metric in metrics) and any(
            set(saturated(frame, split)) & set(names) for split in SPLITS
        )
        figure.legend(handles=_keys(hollow), loc="outside upper left", ncols=5, columnspacing=1.5)
    return figure


def _keys(hollow: bool) -> list[Line2D]:
    def key(label: str, c: str = "#555555", ls: str = "", **style: Any) -> Line2D:  # noqa: ANN401
        return Line2D([], [], label=label, c=c, ls=ls, **style)

    return [
        *(key(split, c=colour, marker="os"[i]) for i, (split, colour) in enumerate(SPLITS.items())),
        key("one seed", marker=".", alpha=0.6, mew=0),
        *([key("saturated: not comparable", marker="o", mfc="white")] if hollow else []),
        key("where q = p", ls=":", lw=0.9),
    ]


def _panel(
    axes: Axes, frame: pd.DataFrame, metric: Metric, where: dict[str, float], gap: float
) -> None:
    boards = {split: summarise(frame, metric.name, split).loc[list(where)] for split in SPLITS}
    for place, (split, colour) in enumerate(SPLITS.items()):
        board, side = boards[split], (2 * place - 1) * gap
        if not board["S"].any():
            continue
        x = np.array(list(where.values()))
        seeds = replicates(frame, metric.name, split)[list(where)].to_numpy()
        beside = np.broadcast_to(x + 0.27 * side, seeds.shape)
        axes.plot(beside.ravel(), seeds.ravel(), ".", c=colour, ms=4.5, alpha=0.45, mew=0)
        hollow = board.index.isin(saturated(frame, split)) & metric.needs_unsaturated
        for chosen, fill in ((~hollow, colour), (hollow, "white")):
            axes.errorbar(
                x[chosen] + 0.12 * side,
                board["mean"][chosen],
                board["half_width"][chosen],
                fmt="os"[place],
                mfc=fill,
                c=colour,
                ms=4.5,
                lw=1.4,
                capsize=2.5,
            )
    if metric.matched is not None:
        axes.axhline(metric.matched, c="#555555", lw=0.9, ls=":")
    unit = "" if metric.unit in ("1", metric.symbol.split()[-1]) else f" ({metric.unit})"
    drawn = np.concatenate([boards[split]["mean"].to_numpy(float) for split in SPLITS])
    axes.set_title(metric.symbol + unit + unsqueeze(axes, "y", drawn))
    axes.grid(axis="y")


def kl_parts(frame: pd.DataFrame) -> Figure:
    """Raw KL, its finite-N null and the excess of each configuration, with the floor.

    Args:
        frame: Tidy rows of one study and data set, with marginal_kl, its null, excess and floor.

    Returns:
        The figure: one panel per split, one bar per configuration.
    """
    names = levels(frame)
    splits = [s for s in SPLITS if replicates(frame, "marginal_kl_null", s).notna().any(axis=None)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.3 + 0.3 * len(names)), layout="constrained")
        panels = figure.subplots(1, len(splits), sharex=True, sharey=True, squeeze=False).ravel()
        for axes, split in zip(panels, splits, strict=True):
            _bars(axes, frame, split, list(names))
            axes.set_title(f"{split} inputs")
            axes.set_xlabel("nats")
        panels[0].set_yticks(
            np.arange(len(names)), [as_it_is(textwrap.fill(n, _LABEL)) for n in names.values()]
        )
        panels[0].set_ylim(len(names) - 0.4, -0.6)
        panels[0].set_xlim(left=0)
        panels[0].xaxis.set_major_locator(MaxNLocator(5))
        panels[0].set_ylabel(",\n".join(varied_keys(frame)) or "configuration")
        handles = {h.get_label(): h for axes in panels for h in axes.get_legend_handles_labels()[0]}
        shown = [handles[label] for label in _LEGEND if label in handles]
        figure.legend(handles=shown, loc="outside upper left", ncols=3, columnspacing=1.5)
    return figure


_LEGEND = [
    "null: what finite N alone explains",
    "floor R - log N",
    "excess over the null",
    "excess, saturated: not comparable",
    "raw KL below the null",
    "raw KL(q_N‖p), 95 % t interval",
]


def _bars(axes: Axes, frame: pd.DataFrame, split: str, configs: list[str]) -> None:
    null_label, floor_label, over, unknown, under, raw_label = _LEGEND
    raw, null, excess, floor = (
        summarise(frame, f"marginal_kl{part}", split).loc[configs]
        for part in ("", "_null", "_excess", "_floor")
    )
    y = np.arange(len(configs))
    axes.barh(y, null["mean"], 0.62, color=_GREY, label=null_label)
    flagged = raw.index.isin(saturated(frame, split))
    for chosen, label, style in (
        (~flagged & (excess["mean"] > 0), over, {"fc": _EXCESS}),
        (~flagged & (excess["mean"] <= 0), under, {"fc": _DEFICIT}),
        (flagged, unknown, {"fc": "white", "ec": _EXCESS, "hatch": "////", "lw": 0.8}),
    ):
        if chosen.any():
            start, length = null["mean"][chosen], excess["mean"][chosen]
            axes.barh(y[chosen], length, 0.62, left=start, label=label, **style)
    mean, half = raw["mean"], raw["half_width"]
    axes.errorbar(mean, y, xerr=half, fmt="k.", ms=4, lw=1.2, capsize=2.5, label=raw_label)
    if (above := (floor["mean"] > 0).to_numpy()).any():
        lines = floor["mean"][above], y[above] - 0.42, y[above] + 0.42
        axes.vlines(*lines, "k", lw=1.8, label=floor_label)
    axes.grid(axis="x")
