"""The head of a matrix's page: cells without a result, and the leaderboard."""

from bench.analysis.replicates import FEW_SEEDS, SPLITS, TOO_FEW
from bench.analysis.results import Results
from bench.metrics.registry import Metrics
from bench.report.blocks import Block, drawn
from bench.report.figures.ranks import rank_plot
from bench.report.markdown import code, heading, markdown, metric_column, rank_text

__all__ = ["DAGGER", "NOTHING_RANKED", "failure_section", "headlines", "leaderboard_section"]

_HEADLINES = [
    ("frechet", "prior"),
    ("c2st_auc", ""),
    ("hole_mass", ""),
    ("elbo", ""),
]
DAGGER = (
    "† saturated on at least one seed (R > log N - 1): the joint KL is bounded below by the floor "
    "R - log N whatever the encoder does. [Bracketed] numbers are not comparable and not ranked; "
    "decide from the distances and tests on held-out z, or encode more inputs."
)
"""What the mark of saturated configurations means."""
NOTHING_RANKED = "No cell gave a result that could be ranked."


def headlines(metrics: Metrics) -> list[tuple[str, str]]:
    """Metric and source of every headline.

    Args:
        metrics: Known metrics.

    Returns:
        Name and latent source, in the order of the page; the matrix's own metrics come last.
    """
    return _HEADLINES + [(metric.name, "") for metric in metrics.own if metric.better]


def failure_section(results: Results) -> list[Block]:
    """List the cells without a result, those with the same message together.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown; none without failures.
    """
    lost = results.failures
    if lost.empty:
        return []
    lines = []
    for kind, part in lost.groupby(["config", "status", "message"], sort=False):
        config, status, message = map(str, kind)
        seeds = ", ".join(map(str, part["seed"]))
        lines.append([code(config), status, code(message), seeds])
    heads = ["configuration", "status", "message", "seeds"]
    title = f"## Failures: {len(lost)} of {results.cells} cells"
    return [title, markdown(heads, lines, left=4)]


def leaderboard_section(results: Results) -> list[Block]:
    """Show all configurations by every headline metric, in the order of the first.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown, and the picture of the ranks.
    """
    keys = results.measured_keys
    split = next((name for name in SPLITS if any(s == name for _, s, _ in keys)), "")
    shown = [
        (name, source)
        for name, source in headlines(results.metrics)
        if (name, split, source) in keys
    ]
    if not shown:
        return [NOTHING_RANKED]
    boards = [results.ranking(name, split, source) for name, source in shown]
    columns = [metric_column(results, name, split, source) for name, source in shown]
    counts = results.summary(shown[0][0], split, shown[0][1])
    flagged = results.saturated(split)
    data = results.rows.groupby("config", sort=False)["dataset"].first()
    several = data.nunique() > 1
    heads = ["configuration", *(["data"] if several else []), "S", "failed"]
    for name, source in shown:
        heads += [heading(results.metrics[name]) + (f" ({source})" if source else ""), "rank"]
    lines = []
    order, place = dict.fromkeys([*boards[0].index, *counts.index]), list(data.unique()).index
    for config in sorted(order, key=lambda config: place(data[config])):
        mark = " †" if config in flagged else ""
        line = [code(config) + mark, *([data[config]] if several else [])]
        line += [counts["S"][config], counts["failures"][config]]
        for column, board in zip(columns, boards, strict=True):
            line += [column[config], rank_text(board, config)]
        lines.append(line)
    text = f"On {split} inputs, in the order of the mean {results.metrics[shown[0][0]].symbol}."
    text += " Ranks are within a data set." if several else ""
    text += f" S ≤ {FEW_SEEDS}: {TOO_FEW}." if (counts["S"] <= FEW_SEEDS).any() else ""
    blocks: list[Block] = [text, markdown(heads, lines, left=2 if several else 1)]
    blocks += [DAGGER] if flagged else []
    if not several and len(lines) > 1:
        panels = [
            (results.metrics[name], source, board)
            for (name, source), board in zip(shown, boards, strict=True)
        ]
        figure = rank_plot(panels, results.configurations)
        blocks.append(drawn(f"rank intervals on {split} inputs", "ranks.png", figure))
    return blocks
