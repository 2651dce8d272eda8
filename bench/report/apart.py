"""What stands apart from the leaderboard: untrained, collapsed, failed, not run.

And whether what stands on it was trained for long enough.
"""

from collections.abc import Mapping, Sequence

from bench.analysis.results import Results
from bench.analysis.steps import METRIC, Longer, longer, untrained
from bench.report.blocks import Block
from bench.report.markdown import code, fitted, quantity
from bench.run.progress import counted, seeds_text

__all__ = ["collapsed_section", "failure_section", "training_note", "unrun_section"]

_NOTHING = (
    "In no ranking: on at least half of the seeds no posterior mean moves with the input, and z "
    "holds less than .05 nats about it. "
)
_COLLAPSED = (
    f"{_NOTHING}Such a model matches its prior because it encodes nothing: its samples are near "
    "one blur."
)
_UNTOLD = (
    " Where nothing differs by more steps alone, one that has not trained for long looks the same."
)
_TOLD = 3  # comparisons that the training is told by
_UNTRAINED = (
    f"{_NOTHING}That is for want of training: the same configuration with more steps, which the "
    "last column names, encodes."
)


def collapsed_section(
    results: Results, split: str, columns: Sequence[tuple[str, Mapping[str, str]]]
) -> list[Block]:
    """List the configurations whose z says nothing of the input, the untrained ones first.

    Untrained is what differs in nothing but fewer steps from one that has not collapsed. Where no
    configuration has more steps, a model that training has not woken yet is one of the collapsed.

    Args:
        results: Of one matrix.
        split: The split that decides.
        columns: Heading of each, and its text for every configuration.

    Returns:
        Blocks of Markdown; none where nothing collapsed.
    """
    dead = results.collapses(split)
    short = untrained(results.rows, split)
    apart = [str(config) for config in dead.index[dead["apart"]]]
    lines = {
        config: [
            code(config),
            f"{dead['collapsed'][config]} of {dead['S'][config]}",
            *(texts[config] for _, texts in columns),
        ]
        for config in apart
    }
    heads = ["configuration", "collapsed seeds", *(head for head, _ in columns)]
    early = [[*lines[config], code(short[config])] for config in apart if config in short]
    others = [lines[config] for config in apart if config not in short]
    blocks: list[Block] = []
    if early:
        blocks += ["### Untrained", _UNTRAINED, *fitted([*heads, "encodes"], early)]
    if others:
        blocks += ["### Collapsed", f"{_COLLAPSED}{_UNTOLD}", *fitted(heads, others)]
    return blocks


def training_note(results: Results, split: str) -> list[str]:
    """Say whether training was long enough, as far as configurations with more steps tell.

    Args:
        results: Of one matrix.
        split: The split that decides.

    Returns:
        A block of Markdown; none where nothing differs by its steps alone.
    """
    said = [_longer(results, one) for one in longer(results.rows, split)]
    left = len(said) - _TOLD
    more = f" {counted(left, 'more comparison')} of steps: in the studies." if left > 0 else ""
    return [f"**Training**: {' '.join(said[:_TOLD])}{more}"] if said else []


def _longer(results: Results, one: Longer) -> str:
    """What more steps change, in one sentence."""
    metric = results.metrics[METRIC]
    head = f"{one.after:,} steps ({code(one.last)}) instead of {one.before:,} ({code(one.first)})"
    sized = f"{quantity(abs(one.gain.mean), one.gain.half_width)} {metric.unit}"
    change = f"{quantity(one.gain.mean, one.gain.half_width)} {metric.unit}"
    if one.word == "rises":
        return f"{head} raise the ELBO by {sized}: {one.before:,} are not enough."
    if one.word == "falls":
        return f"{head} lower the ELBO by {sized}: {one.before:,} are enough."
    if one.word == "stays":
        return f"{head} change the ELBO by {change}, less than its margin of {metric.margin:g}."
    return f"{head} change the ELBO by {change}, which leaves open whether they are needed."


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
