"""Markdown tables: how numbers, names and rankings look in a page."""

import math
import re
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

import pandas as pd

from bench.analysis.replicates import rejections
from bench.analysis.results import Results
from bench.errors import visible
from bench.metrics.metric import Metric
from bench.metrics.registry import METRICS

__all__ = [
    "code",
    "escaped",
    "fitted",
    "glossary",
    "heading",
    "markdown",
    "metric_column",
    "plain",
    "prose",
    "quantity",
    "rank_text",
    "titled",
]


COLUMNS = 6
"""The most columns of a table that a reader sees whole."""
WIDTH = 120
"""The most characters of its lines."""
_MARKUP = re.compile(r"[\\`*\[\]<>#~$&]|(?<!\w)_|_(?!\w)")


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
    short = f"{mean:,.0f}" if 1e4 <= abs(mean) < 1e6 else f"{mean:.4g}"
    if not math.isfinite(half_width):
        return short
    if half_width <= 1e-6 * abs(mean):
        return f"{short} ± 0"
    largest = max(abs(mean), half_width)
    if largest < 1e-3 or largest >= 1e6:
        power = math.floor(math.log10(largest))
        return f"({quantity(mean / 10.0**power, half_width / 10.0**power)})e{power}"
    digits = 1 - math.floor(math.log10(float(f"{half_width:.1e}")))
    value, half = round(mean, digits) + 0.0, round(half_width, digits)
    return f"{value:.{max(digits, 0)}f} ± {half:.{max(digits, 0)}f}"


def markdown(heads: Sequence[str], lines: Iterable[Sequence[object]], left: int = 1) -> str:
    """Lay out a table; pipes in its cells stay in them, and each cell on its line.

    Args:
        heads: Column headings.
        lines: Rows of cells.
        left: How many columns, from the first, hold text; the others align right.

    Returns:
        Markdown.
    """
    cells = [[_cell(str(cell)) for cell in row] for row in lines]
    frame = pd.DataFrame(cells, columns=list(map(_cell, heads)))
    align = ["left"] * left + ["right"] * (len(heads) - left)
    return str(frame.to_markdown(index=False, disable_numparse=True, colalign=align))


def fitted(heads: Sequence[str], lines: Sequence[Sequence[object]], left: int = 1) -> list[str]:
    """Lay out a table that a page shows whole: as several, one below the other, where it is wide.

    Args:
        heads: Column headings.
        lines: Rows of cells.
        left: How many columns, from the first, say what a row is of; each table has them.

    Returns:
        Tables of Markdown of at most `COLUMNS` columns and `WIDTH` characters, as far as one column
        beside the first ones is not wider; none without lines.

    Example:
        >>> tables = fitted(list("abcdefgh"), [list("12345678")])
        >>> [table.splitlines()[0].split() for table in tables]
        [['|', 'a', '|', 'b', '|', 'c', '|', 'd', '|', 'e', '|'], \
['|', 'a', '|', 'f', '|', 'g', '|', 'h', '|']]
    """
    if not lines:
        return []
    keys, others = list(range(left)), list(range(left, len(heads)))
    tables: list[str] = []
    for count in range(1, max(len(others), 1) + 1):  # parts of nearly one size
        size, larger = divmod(len(others), count)
        ends = [0, *accumulate(size + (place < larger) for place in range(count))]
        parts = [keys + others[start:end] for start, end in pairwise(ends)]
        if max(map(len, parts)) > max(COLUMNS, left + 1):
            continue
        tables = [
            markdown([heads[c] for c in part], [[line[c] for c in part] for line in lines], left)
            for part in parts
        ]
        if all(len(table.partition("\n")[0]) <= WIDTH for table in tables):
            break
    return tables


def _cell(text: str) -> str:
    return " ".join(visible(text).split()).replace("|", r"\|")


def code(text: str) -> str:
    """Set a name or message as a code span.

    Args:
        text: Any text.

    Returns:
        One line of Markdown, cut at 200 characters.
    """
    plain = re.sub(r"\s+", " ", visible(text).replace("`", "'")).strip()[:200]
    return f"`{plain}`" if plain else ""


def prose(text: str) -> str:
    r"""Set a person's text as running text: what would be markup is shown as it is.

    Args:
        text: Any text.

    Returns:
        One line of Markdown without links, HTML, code or emphasis.

    Example:
        >>> prose("a *b* <script> [c](d), latent_dim _e_")
        'a \\*b\\* \\<script\\> \\[c\\](d), latent_dim \\_e\\_'
    """
    return escaped(" ".join(visible(text).split()))


def escaped(text: str) -> str:
    """Returns the text with a backslash before all that would be markup."""
    return _MARKUP.sub(r"\\\g<0>", text)


def plain(text: str) -> str:
    r"""Returns a sentence of Markdown as a terminal shows it: without backslashes and code marks.

    Example:
        >>> plain(r"In `base` of fashion\_mnist."), plain(prose("a *b* `c`"))
        ('In base of fashion_mnist.', 'a *b* `c`')
    """
    return re.sub(r"\\(.)|`", lambda found: found[1] or "", text)


def heading(metric: Metric) -> str:
    """Head a column.

    Args:
        metric: What stands below.

    Returns:
        Its symbol with an arrow in the direction of improvement, and its unit in brackets.

    Example:
        >>> from bench.metrics.registry import METRICS
        >>> [heading(METRICS[name]) for name in ("elbo", "density", "mmd_test")]
        ['ELBO ↑ [nats per input]', 'density → real', 'MMD, p ≤ .05']
    """
    plain = metric.name.endswith("_test") or metric.unit in ("1", "flag", metric.symbol.split()[-1])
    return titled(metric) + ("" if plain else f" [{metric.unit}]")


def titled(metric: Metric) -> str:
    """Head a column or a line whose unit is said elsewhere.

    Args:
        metric: What stands below or beside.

    Returns:
        Its symbol with an arrow in the direction of improvement.
    """
    if metric.name.endswith("_test"):
        return f"{metric.symbol}, p ≤ .05"
    return f"{metric.symbol} {metric.arrow}".strip()


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


def metric_column(results: Results, name: str, split: str, source: str = "") -> dict[str, str]:
    """Print one metric of every configuration.

    Args:
        results: Of one matrix, or a part of it.
        name: Of the metric.
        split: The split it was measured on.
        source: The latent source, for sample quality.

    Returns:
        config -> text: value ± half width, bold in a tie group that leaves somebody out; counts of
        seeds for tests and flags; in brackets where saturation makes it incomparable.
    """
    metric = results.metrics.named(name)
    texts = _plain(results, metric, split, source)
    if metric.better:
        ranked = results.ranking(name, split, source)
        if not ranked["tie"].all():
            texts |= {str(c): f"**{texts[str(c)]}**" for c in ranked.index[ranked["tie"]]}
    if metric.needs_unsaturated:
        texts |= {c: f"[{texts[c]}]" for c in results.saturated(split) if texts[c] != "–"}
    return texts


def _plain(results: Results, metric: Metric, split: str, source: str) -> dict[str, str]:
    if metric.name.endswith("_test"):
        counts = rejections(results.rows, metric.name, split)
        triples = zip(counts.index, counts["rejected"], counts["S"], strict=True)
        return {str(c): f"{count} of {seeds}" if seeds else "–" for c, count, seeds in triples}
    board = results.summary(metric.name, split, source)
    if metric.unit == "flag":
        triples = zip(board.index, board["mean"] * board["S"], board["S"], strict=True)
        return {str(c): f"{sum_:.0f} of {seeds}" if seeds else "–" for c, sum_, seeds in triples}
    triples = zip(board.index, board["mean"], board["half_width"], strict=True)
    return {str(c): quantity(mean, half) for c, mean, half in triples}


def glossary(metrics: Iterable[Metric]) -> str:
    """Explain metrics.

    Args:
        metrics: In the order in which they are listed.

    Returns:
        A list in Markdown: symbol, unit, direction of improvement, meaning, origin.
    """
    explained = []
    for metric in metrics:
        texts = [metric.summary, metric.reference]
        if metric.name not in METRICS:  # somebody's own
            texts = list(map(prose, texts))
        better = f"; {metric.direction} is better" if metric.better in ("lower", "higher") else ""
        better = "; better nearer to real images" if metric.better == "real" else better
        head = f"* **{metric.symbol}** ({metric.unit}{better}): {texts[0]}"
        explained.append(f"{head} *From {texts[1]}.*" if texts[1] else head)
    return "\n".join(explained)
