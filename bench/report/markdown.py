"""Markdown tables: how numbers, names and rankings look in a page."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from bench.analysis.comparison import ranking
from bench.analysis.replicates import rejections, saturated, summarise
from bench.metrics.registry import METRICS, metric_named

__all__ = [
    "SPLITS",
    "code",
    "glossary",
    "heading",
    "markdown",
    "measured",
    "metric_column",
    "quantity",
    "rank_text",
    "rankings",
]

SPLITS = ("test", "train")
"""In the order in which they are shown; the first that there is decides."""

_ARROWS = {"lower": " ↓", "higher": " ↑", None: ""}


def quantity(mean: float, half_width: float = math.nan) -> str:
    """Print a value to the precision of its interval.

    Args:
        mean: The value.
        half_width: Half the width of its interval; NaN where there is none.

    Returns:
        Value ± half width, the latter to two significant digits.

    Example:
        >>> quantity(0.24369, 0.02929), quantity(1234.5, 567.8), quantity(2.0, 0.0)
        ('0.244 ± 0.029', '1230 ± 570', '2 ± 0')
        >>> quantity(2.1e-5, 3.34e-6), quantity(0.12345)
        ('(2.10 ± 0.33)e-5', '0.1235')
    """
    if not math.isfinite(mean):
        return "–"
    if not math.isfinite(half_width):
        return f"{mean:.4g}"
    if half_width <= 1e-6 * abs(mean):
        return f"{mean:.4g} ± 0"
    largest = max(abs(mean), half_width)
    if largest < 1e-3 or largest >= 1e6:
        power = math.floor(math.log10(largest))
        return f"({quantity(mean / 10.0**power, half_width / 10.0**power)})e{power}"
    digits = 1 - math.floor(math.log10(float(f"{half_width:.1e}")))
    value, half = round(mean, digits) + 0.0, round(half_width, digits)
    return f"{value:.{max(digits, 0)}f} ± {half:.{max(digits, 0)}f}"


def markdown(heads: Sequence[str], body: Iterable[Sequence[object]], left: int = 1) -> str:
    """Lay out a table; pipes in its cells stay in them, and each cell on its line.

    Args:
        heads: Column headings.
        body: Rows of cells.
        left: How many columns, from the first, hold text; the others align right.

    Returns:
        Markdown.
    """
    cells = [[" ".join(str(cell).split()).replace("|", r"\|") for cell in row] for row in body]
    frame = pd.DataFrame(cells, columns=[head.replace("|", r"\|") for head in heads])
    align = ["left"] * left + ["right"] * (len(heads) - left)
    return str(frame.to_markdown(index=False, disable_numparse=True, colalign=align))


def code(text: str) -> str:
    """Set a name or message as a code span.

    Args:
        text: Any text.

    Returns:
        One line of Markdown, cut at 200 characters.
    """
    plain = re.sub(r"\s+", " ", text.replace("`", "'")).strip()[:200]
    return f"`{plain}`" if plain else ""


def measured(rows: pd.DataFrame) -> set[tuple[str, str, str]]:
    """Find which metrics there are.

    Args:
        rows: Tidy rows.

    Returns:
        Every (metric, split, source) with a value or p-value, of the known metrics.
    """
    there = rows["value"].notna() | rows["p_value"].notna()
    found = rows[(rows["status"] == "ok") & there & rows["metric"].isin(METRICS)]
    names = ["metric", "split", "source"]
    return set(found[names].drop_duplicates().itertuples(index=False, name=None))


def heading(name: str) -> str:
    """Head a column.

    Args:
        name: Of a metric.

    Returns:
        Its symbol with an arrow in the direction of improvement, and its unit in brackets.

    Example:
        >>> heading("marginal_kl_excess"), heading("c2st_auc"), heading("mmd_test")
        ('excess KL ↓ [nats]', 'classifier AUC ↓', 'MMD, p ≤ .05')
    """
    metric = metric_named(name)
    if name.endswith("_test"):
        return f"{metric.symbol}, p ≤ .05"
    plain = metric.unit in ("1", "flag", metric.symbol.split()[-1])
    return metric.symbol + _ARROWS[metric.better] + ("" if plain else f" [{metric.unit}]")


def rankings(rows: pd.DataFrame, metric: str, split: str, source: str = "") -> pd.DataFrame:
    """Rank the configurations of each data set by themselves.

    Args:
        rows: Tidy rows.
        metric: The name of a metric with a direction.
        split: The split it was measured on.
        source: The latent source, for sample quality.

    Returns:
        As `bench.analysis.comparison.ranking`, one data set after the other.
    """
    parts = [part for _, part in rows.groupby("dataset", sort=False)]
    return pd.concat([ranking(part, metric, split, source) for part in parts])


def rank_text(board: pd.DataFrame, config: str) -> str:
    """Print a rank interval.

    Args:
        board: A ranking.
        config: The configuration.

    Returns:
        Such as "2–4", or a dash where it is not ranked.
    """
    if config not in board.index:
        return "–"
    low, high = board["rank_low"][config], board["rank_high"][config]
    return f"{low}" if low == high else f"{low}–{high}"


def metric_column(rows: pd.DataFrame, metric: str, split: str, source: str = "") -> dict[str, str]:
    """Print one metric of every configuration.

    Args:
        rows: Tidy rows.
        metric: Its name.
        split: The split it was measured on.
        source: The latent source, for sample quality.

    Returns:
        config -> text: value ± half width, bold in a tie group that leaves somebody out; counts of
        seeds for tests and flags; in brackets where saturation makes it incomparable.
    """
    texts = _plain(rows, metric, split, source)
    known = metric_named(metric)
    if known.better:
        ranked = rankings(rows, metric, split, source)
        if not ranked["tie"].all():
            texts |= {str(c): f"**{texts[str(c)]}**" for c in ranked.index[ranked["tie"]]}
    if known.needs_unsaturated:
        texts |= {c: f"[{texts[c]}]" for c in saturated(rows, split) if texts[c] != "–"}
    return texts


def _plain(rows: pd.DataFrame, metric: str, split: str, source: str) -> dict[str, str]:
    if metric.endswith("_test"):
        counts = rejections(rows, metric, split)
        found = zip(counts.index, counts["rejected"], counts["S"], strict=True)
        return {str(c): f"{count} of {seeds}" if seeds else "–" for c, count, seeds in found}
    board = summarise(rows, metric, split, source)
    if metric_named(metric).unit == "flag":
        found = zip(board.index, board["mean"] * board["S"], board["S"], strict=True)
        return {str(c): f"{sum_:.0f} of {seeds}" if seeds else "–" for c, sum_, seeds in found}
    found = zip(board.index, board["mean"], board["half_width"], strict=True)
    return {str(c): quantity(mean, half) for c, mean, half in found}


def glossary(names: Iterable[str]) -> str:
    """Explain metrics.

    Args:
        names: Of metrics, in any order.

    Returns:
        A Markdown table in the order of ``METRICS``: symbol, unit, meaning, origin.
    """
    chosen = set(names)
    body: list[list[Any]] = [
        [m.symbol, m.unit, m.summary, m.reference] for m in METRICS.values() if m.name in chosen
    ]
    return markdown(["column", "unit", "what it is", "from"], body, left=4)
