"""The head of a matrix's page: cells without a result, and the leaderboard."""

from collections.abc import Collection, Iterator, Mapping, Sequence

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
from bench.report.blocks import Block, drawn
from bench.report.figures.ranks import rank_plot
from bench.report.markdown import (
    code,
    heading,
    markdown,
    metric_column,
    prose,
    quantity,
    rank_text,
)
from bench.run.progress import counted

__all__ = [
    "INTERVAL",
    "NOTHING_RANKED",
    "failure_section",
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
_COST = "cost of the prior"
_MEANING = (
    "**Cost of the prior**: the Fréchet distance of samples of the prior less that of samples of "
    "q(z), paired within each model. Where both are poor it is small, so it ranks nobody."
)
_COLLAPSED = (
    "In no ranking: on at least half of the seeds no posterior mean moves with the input, and z "
    "holds less than .05 nats about it. Such a model matches its prior because it encodes nothing: "
    "its samples are near one blur."
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


def failure_section(results: Results) -> list[Block]:
    """List what has not run, and the cells without a result, those with the same message together.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown; none without failures.
    """
    blocks: list[Block] = []
    if results.unrun:
        names = ", ".join(map(code, results.unrun))
        which = counted(len(results.unrun), "configuration")
        blocks.append(f"**Not run yet**, and in nothing below: {which}, {names}.")
    lost = results.failures
    if lost.empty:
        return blocks
    lines = []
    for kind, part in lost.groupby(["config", "status", "message"], sort=False):
        config, status, message = map(str, kind)
        seeds = ", ".join(map(str, part["seed"]))
        lines.append([code(config), status, code(message), seeds])
    heads = ["configuration", "status", "message", "seeds"]
    title = f"## Failures: {len(lost)} of {results.cells} cells"
    return [*blocks, title, markdown(heads, lines, left=4)]


def leaderboard_section(results: Results) -> list[Block]:
    """Show all configurations by the match, the quality of prior samples and the prior's cost.

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
    shown = [pair for pair in headlines(results.metrics) if (pair[0], split, pair[1]) in keys]
    shown = shown if (name, source) in shown else [(name, source), *shown]
    counts, dead = results.summary(*chosen), results.collapses(split)
    seeds = [("S", dict(counts["S"].map(str))), ("failed", dict(counts["failures"].map(str)))]
    everyone = dict.fromkeys([*results.ranking(*chosen).index, *counts.index])
    order = [config for config in map(str, everyone) if not dead["apart"][config]]
    several = len(results.datasets) > 1
    symbol = results.metrics[name].symbol + (f" ({source})" if source else "")
    text = f"On {split} inputs, in the order of the mean {symbol}."
    text += " Ranks are within a data set." if several else ""
    text += f" S ≤ {FEW_SEEDS}: {TOO_FEW}." if (counts["S"] <= FEW_SEEDS).any() else ""
    values = [*_columns(results, split, shown, ranks=True)]
    blocks: list[Block] = [f"{text} {INTERVAL}"]
    blocks += [_table(results, order, [*seeds, *values])] if order else []
    blocks += [_MEANING] if any(head.startswith(_COST) for head, _ in values) else []
    blocks += remarks(results, split, [name for name, _ in shown])
    if not several and len(order) > 1:
        pairs = dict.fromkeys([(name, source), *shown])
        panels = [(results.metrics[m], s, results.ranking(m, split, s)) for m, s in pairs]
        figure = rank_plot(panels, order)
        blocks.append(drawn(f"rank intervals on {split} inputs", "ranks.png", figure))
    if apart := [str(config) for config in dead.index[dead["apart"]]]:
        of = {c: f"{dead['collapsed'][c]} of {dead['S'][c]}" for c in apart}
        values = [("collapsed seeds", of), *_columns(results, split, shown, ranks=False)]
        blocks += ["### Collapsed", _COLLAPSED, _table(results, apart, values)]
    return blocks


def _columns(
    results: Results, split: str, shown: Sequence[tuple[str, str]], *, ranks: bool
) -> Iterator[_Column]:
    """Each metric and, where it ranks somebody, its ranks; the prior's cost beside its quality."""
    for name, source in shown:
        head = heading(results.metrics[name]) + (f" ({source})" if source else "")
        column = metric_column(results, name, split, source)
        board = results.ranking(name, split, source)
        yield head, column
        if ranks and len(board):
            yield "rank", {config: rank_text(board, config) for config in column}
        if (name, source) == _QUALITY and (name, split, "aggregate") in results.measured_keys:
            table = between_sources(results.rows, name, source, "aggregate", split)
            intervals = zip(table.columns, *t_interval(table.to_numpy()), strict=True)
            unit = results.metrics[name].unit
            yield f"{_COST} [{unit}]", {str(c): quantity(*interval) for c, *interval in intervals}


def _table(results: Results, configs: Sequence[str], columns: Sequence[_Column]) -> str:
    """One line for each configuration, those of one data set together."""
    data = results.rows.groupby("config", sort=False)["dataset"].first()
    names = list(data.unique())
    several = len(names) > 1
    lines = [
        [
            code(config),
            *([prose(str(data[config]))] if several else []),
            *(texts[config] for _, texts in columns),
        ]
        for config in sorted(configs, key=lambda config: names.index(data[config]))
    ]
    heads = ["configuration", *(["data"] if several else []), *(head for head, _ in columns)]
    return markdown(heads, lines, left=2 if several else 1)
