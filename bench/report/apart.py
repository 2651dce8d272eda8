"""What stands apart from the leaderboard: collapsed, failed, not run."""

from collections.abc import Mapping, Sequence

from bench.analysis.results import Results
from bench.report.blocks import Block
from bench.report.markdown import code, fitted
from bench.run.progress import counted, seeds_text

__all__ = ["collapsed_section", "failure_section", "unrun_section"]

_COLLAPSED = (
    "In no ranking: on at least half of the seeds no posterior mean moves with the input, and z "
    "holds less than .05 nats about it. Such a model matches its prior because it encodes nothing: "
    "its samples are near one blur."
)


def collapsed_section(
    results: Results, split: str, columns: Sequence[tuple[str, Mapping[str, str]]]
) -> list[Block]:
    """List the configurations whose z says nothing of the input.

    Args:
        results: Of one matrix.
        split: The split that decides.
        columns: Heading of each, and its text for every configuration.

    Returns:
        Blocks of Markdown; none where nothing collapsed.
    """
    dead = results.collapses(split)
    apart = [str(config) for config in dead.index[dead["apart"]]]
    lines = [
        [
            code(config),
            f"{dead['collapsed'][config]} of {dead['S'][config]}",
            *(texts[config] for _, texts in columns),
        ]
        for config in apart
    ]
    heads = ["configuration", "collapsed seeds", *(head for head, _ in columns)]
    return ["### Collapsed", _COLLAPSED, *fitted(heads, lines)] if lines else []


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
        seeds = seeds_text(sorted(part["seed"]))
        lines.append(f"* {code(config)}, {seeds}, {status}: {code(message) or 'no message'}")
    return [f"### Failures: {len(lost)} of {results.cells} cells", "\n".join(lines)]


def unrun_section(results: Results) -> list[Block]:
    """Name the configurations that no seed of has run.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown; none where all have run.
    """
    if not results.unrun:
        return []
    which = counted(len(results.unrun), "configuration")
    return ["### Not run yet", f"{which}: {', '.join(map(code, results.unrun))}."]
