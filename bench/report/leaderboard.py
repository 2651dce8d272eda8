"""A leaderboard, by the quality of prior samples unless the matrix says otherwise."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

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
from bench.report.apart import collapsed_section
from bench.report.blocks import Block, drawn
from bench.report.figures.ranks import rank_plot
from bench.report.markdown import code, fitted, metric_column, prose, quantity, rank_text

__all__ = [
    "INTERVAL",
    "NOTHING_RANKED",
    "headlines",
    "leaderboard_section",
    "ordering",
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

_Column = tuple[str, Mapping[str, str]]  # its heading, and a text for each configuration


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


def leaderboard_section(results: Results) -> list[Block]:
    """Show all configurations by the quality of prior samples and the prior's cost.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown, and the picture of the ranks; collapsed configurations stand apart.
    """
    keys = results.measured_keys
    split = next((name for name in SPLITS if any(s == name for _, s, _ in keys)), "")
    chosen = ordering(results, [split])
    if chosen is None:
        return [NOTHING_RANKED]
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
    columns = [*_columns(results, split, shown, ranked=chosen)]
    blocks: list[Block] = [f"{text} {INTERVAL}", *_tables(results, order, columns)]
    blocks.append(_units(results, [metric for metric, _ in shown]))
    blocks += [_MEANING] if any(head.startswith(_COST) for head, _ in columns) else []
    pairs = list(dict.fromkeys([(name, source), *there]))
    blocks += remarks(results, split, [metric for metric, _ in shown])
    if len(results.datasets) == 1 and len(order) > 1:
        panels = [(results.metrics[m], s, results.ranking(m, split, s)) for m, s in pairs]
        figure = rank_plot(panels, order)
        blocks.append(drawn(f"rank intervals on {split} inputs", "ranks.png", figure))
    return blocks + collapsed_section(results, split, [*_columns(results, split, shown)])


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
) -> Iterator[_Column]:
    """Each metric, the ranks of the one that decides, and the prior's cost beside its quality."""
    for name, source in shown:
        metric = results.metrics[name]
        head = f"{metric.symbol}{f' ({source})' if source else ''} {metric.arrow}"
        column = metric_column(results, name, split, source)
        board = results.ranking(name, split, source)
        yield head, column
        if (name, split, source) == ranked and len(board):
            yield "rank", {config: rank_text(board, config) for config in column}
        if (name, source) == _QUALITY and (name, split, "aggregate") in results.measured_keys:
            table = between_sources(results.rows, name, source, "aggregate", split)
            intervals = zip(table.columns, *t_interval(table.to_numpy()), strict=True)
            yield _COST, {str(c): quantity(*interval) for c, *interval in intervals}


def _tables(results: Results, configs: Sequence[str], columns: Sequence[_Column]) -> Iterator[str]:
    """One line for each configuration, those of one data set together."""
    data = results.rows.groupby("config", sort=False)["dataset"].first()
    heads = ["configuration", *(head for head, _ in columns)]
    for name in data.unique():
        own = [config for config in configs if data[config] == name]
        lines = [[code(config), *(texts[config] for _, texts in columns)] for config in own]
        if lines and data.nunique() > 1:
            yield f"**{prose(str(name))}**"
        yield from fitted(heads, lines)
