"""A leaderboard, by the quality of prior samples unless the matrix says otherwise."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.analysis.replicates import (
    FEW_SEEDS,
    SPLITS,
    TOO_FEW,
    between_sources,
    dimensions,
    t_interval,
)
from bench.analysis.results import Results
from bench.metrics.registry import OF_SAMPLES, Metrics
from bench.report.apart import collapsed_section, training_note
from bench.report.blocks import Block, drawn
from bench.report.figures.ranks import rank_plot
from bench.report.markdown import code, fitted, metric_column, prose, quantity, rank_text

__all__ = [
    "INTERVAL",
    "NOTHING_RANKED",
    "Board",
    "Column",
    "board",
    "headlines",
    "leaderboard_section",
    "ordering",
    "ranks",
    "remarks",
]

_HEADLINES = [
    ("certified_kl", ""),
    ("c2st_auc", ""),
    ("hole_mass", ""),
    ("elbo", ""),
    ("frechet", "prior"),
]
_QUALITY = ("frechet", "prior")  # what orders the configurations, unless the matrix says otherwise
_BOARD = ("frechet", "elbo")  # the headlines that its table shows; KL(q‖p) has its own
_COST = "cost of the prior"
_MEANING = (
    "**Cost of the prior**: the Fréchet distance of samples of the prior less that of samples of "
    "q(z), paired within each model. Where both are poor it is small, so it ranks nobody."
)
INTERVAL = (
    "Intervals are over all training seeds on these data; sampling other images adds to them."
)
"""Which spread the intervals of a page hold, and which they do not."""
NOTHING_RANKED = "No cell gave a result that could be ranked."


@dataclass(frozen=True)
class Column:
    """A column of the leaderboard.

    Attributes:
        head: Its heading.
        texts: Markdown for each configuration.
        values: What each is sorted by, in the unit of the metric; NaN where nothing was measured.
        descending: Whether the best has the largest value.
    """

    head: str
    texts: Mapping[str, str]
    values: Mapping[str, float]
    descending: bool = False


@dataclass(frozen=True)
class Board:
    """What the leaderboard of a matrix shows, decided.

    Attributes:
        split: The split that decides.
        by: Metric, split and source that order it.
        headlines: Metric and source of each headline that was measured, the one that orders first.
        shown: Those of them that its table shows.
        order: Configurations, best first; none that has collapsed.
        columns: Of its table, without the names of the configurations.
        heading: What stands above the table, Markdown.
        notes: What stands below it, Markdown.
    """

    split: str
    by: tuple[str, str, str]
    headlines: tuple[tuple[str, str], ...]
    shown: tuple[tuple[str, str], ...]
    order: tuple[str, ...]
    columns: tuple[Column, ...]
    heading: str
    notes: tuple[str, ...]


def headlines(metrics: Metrics) -> list[tuple[str, str]]:
    """Metric and source of every headline.

    Args:
        metrics: Known metrics.

    Returns:
        Name and latent source, in the order of the page; the matrix's own metrics come last.
    """
    suite = [(name, source) for name, source in _HEADLINES if name in metrics]
    return suite + [(metric.name, "") for metric in metrics.own if metric.better]


def ordering(results: Results, splits: Sequence[str] = SPLITS) -> tuple[str, str, str] | None:
    """What configurations are ordered by: what the matrix says, else the quality of prior samples.

    Args:
        results: Of one matrix, or a part of it.
        splits: Those that may decide, in this order.

    Returns:
        Metric, split and source. Where that ranks nobody, the first headline that ranks somebody;
        None where nothing was measured.
    """
    asked = results.matrix.order if results.matrix else None
    wanted = [(asked, "prior" if asked in OF_SAMPLES else "")] if asked else []
    options = [
        (name, split, source)
        for name, source in [*wanted, _QUALITY, *headlines(results.metrics)]
        for split in splits
        if (name, split, source) in results.measured_keys
    ]
    ranking = (option for option in options if len(results.ranking(*option)))
    return next(ranking, options[0] if options else None)


def remarks(results: Results, split: str, names: Collection[str]) -> list[str]:
    """What must be said of a ranking: who is in it with dead seeds, and what ranks nobody.

    Args:
        results: Of one matrix, or a part of it.
        split: The split it is made of.
        names: Of the metrics that are shown.

    Returns:
        At most two sentences, each a block of Markdown.
    """
    said = []
    ranked = [m for m in results.metrics.values() if m.name in names and m.better]
    found = [metric for metric in ranked if not metric.across_dimensions]
    dead = results.collapses(split)
    alive = results.rows[~results.rows["config"].isin(dead.index[dead["apart"]])]
    sizes = max((dimensions(rows) for _, rows in alive.groupby("dataset")), default=1)
    if found and sizes > 1:
        symbols = ", ".join(metric.symbol for metric in found)
        said.append(
            f"Shown but not ranked, because the latent dimension D changes it at one and the same "
            f"KL, and here are {sizes} values of D: {symbols}."
        )
    partly = dead[(dead["collapsed"] > 0) & ~dead["apart"]]
    if len(partly):
        counts = zip(partly.index, partly["collapsed"], partly["S"], strict=True)
        seeds = ", ".join(f"{count} of {total} seeds of {code(c)}" for c, count, total in counts)
        said.append(f"Collapsed, and counted in the means: {seeds}.")
    return said


def board(results: Results) -> Board | None:
    """Decide what the leaderboard of a matrix shows.

    Args:
        results: Of one matrix.

    Returns:
        The decision; None where nothing was measured that could be ranked.
    """
    keys = results.measured_keys
    split = next((name for name in SPLITS if any(s == name for _, s, _ in keys)), "")
    chosen = ordering(results, [split])
    if chosen is None:
        return None
    name, _, source = chosen
    there = [pair for pair in headlines(results.metrics) if (pair[0], split, pair[1]) in keys]
    own = [pair for pair in there if pair[0] in {metric.name for metric in results.metrics.own}]
    suite = [pair for pair in there if pair not in own]
    shown = [pair for pair in suite if pair[0] in _BOARD] or suite
    shown = list(dict.fromkeys([(name, source), *shown, *own]))
    counts, dead = results.summary(*chosen), results.collapses(split)
    everyone = dict.fromkeys([*results.ranking(*chosen).index, *counts.index])
    order = [config for config in map(str, everyone) if not dead["apart"][config]]
    symbol = results.metrics[name].symbol + (f" ({source})" if source else "")
    text = f"On {split} inputs, in the order of the mean {symbol}. {_seeds(counts.loc[order])}"
    text += " Ranks are within a data set." if len(results.datasets) > 1 else ""
    text += f" S ≤ {FEW_SEEDS}: {TOO_FEW}." if (counts["S"] <= FEW_SEEDS).any() else ""
    columns = tuple(_columns(results, split, shown, ranked=chosen))
    notes = [_units(results, [metric for metric, _ in shown])]
    notes += [_MEANING] if any(column.head.startswith(_COST) for column in columns) else []
    notes += remarks(results, split, [metric for metric, _ in shown])
    notes += training_note(results, split)
    pairs = tuple(dict.fromkeys([(name, source), *there]))
    return Board(
        split,
        chosen,
        pairs,
        tuple(shown),
        tuple(order),
        columns,
        f"{text} {INTERVAL}",
        tuple(notes),
    )


def leaderboard_section(results: Results, more: str = "") -> list[Block]:
    """Show all configurations by the quality of prior samples and the prior's cost.

    Args:
        results: Of one matrix.
        more: What to say of its configurations above the table.

    Returns:
        Blocks of Markdown, and the picture of the ranks; untrained and collapsed configurations
        stand apart.
    """
    found = board(results)
    if found is None:
        return [NOTHING_RANKED]
    heading = f"{found.heading} {more}".rstrip()
    blocks: list[Block] = [heading, *_tables(results, found.order, found.columns)]
    blocks += [*found.notes, *ranks(results, found)]
    columns = _columns(results, found.split, found.shown)
    apart = [(column.head, column.texts) for column in columns]
    return blocks + collapsed_section(results, found.split, apart)


def ranks(results: Results, found: Board) -> list[Block]:
    """Draw the rank intervals of every headline.

    Args:
        results: Of one matrix.
        found: Its leaderboard.

    Returns:
        A picture; none of several data sets or of one configuration.
    """
    if len(results.datasets) != 1 or len(found.order) < 2:
        return []
    panels = [
        (results.metrics[name], source, results.ranking(name, found.split, source))
        for name, source in found.headlines
    ]
    apart = results.collapses(found.split)["apart"]
    figure = rank_plot(panels, found.order, list(map(str, apart.index[apart])))
    return [drawn(f"rank intervals on {found.split} inputs", "ranks.png", figure)]


def _seeds(counts: pd.DataFrame) -> str:
    """Over how many seeds the means are."""
    if not len(counts):
        return ""
    least, most = counts["S"].min(), counts["S"].max()
    few = counts.index[counts["S"] < most]
    lacking = ", ".join(f"{code(str(config))} {counts['S'][config]}" for config in few)
    return f"S = {most} seeds." if least == most else f"S = {most} seeds, but {lacking}."


def _units(results: Results, names: Iterable[str]) -> str:
    units = {
        results.metrics[name].symbol: results.metrics[name].unit
        for name in names
        if results.metrics[name].unit not in ("1", "flag")
    }
    listed = "; ".join(f"{symbol}: {unit}" for symbol, unit in units.items())
    return f"Units: {listed}." if listed else ""


def _columns(
    results: Results,
    split: str,
    shown: Sequence[tuple[str, str]],
    ranked: tuple[str, str, str] | None = None,
) -> Iterator[Column]:
    """Each metric, the ranks of the one that decides, and the prior's cost beside its quality."""
    for name, source in shown:
        metric = results.metrics[name]
        head = f"{metric.symbol}{f' ({source})' if source else ''} {metric.arrow}"
        texts = metric_column(results, name, split, source)
        means = results.summary(name, split, source)["mean"]
        yield Column(head, texts, _numbers(means), metric.better == "higher")
        ranking = results.ranking(name, split, source)
        if (name, split, source) == ranked and len(ranking):
            texts = {config: rank_text(ranking, config) for config in texts}
            yield Column("rank", texts, _numbers(ranking["rank_low"].reindex(list(texts))))
        if (name, source) == _QUALITY and (name, split, "aggregate") in results.measured_keys:
            table = between_sources(results.rows, name, source, "aggregate", split)
            mean, half = t_interval(table.to_numpy())
            costs = zip(map(str, table.columns), mean, half, strict=True)
            texts = {config: quantity(*interval) for config, *interval in costs}
            yield Column(_COST, texts, _numbers(pd.Series(mean, table.columns)))


def _numbers(column: "pd.Series[float]") -> dict[str, float]:
    return {str(config): float(value) for config, value in column.items()}


def _tables(results: Results, configs: Sequence[str], columns: Sequence[Column]) -> Iterator[str]:
    """One line for each configuration, those of one data set together."""
    data = results.rows.groupby("config", sort=False)["dataset"].first()
    heads = ["configuration", *(column.head for column in columns)]
    for name in data.unique():
        own = [config for config in configs if data[config] == name]
        lines = [[code(config), *(one.texts[config] for one in columns)] for config in own]
        if lines and data.nunique() > 1:
            yield f"**{prose(str(name))}**"
        yield from fitted(heads, lines)
