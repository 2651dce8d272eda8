"""Whether what one matrix found is found again by another, which repeats its claims elsewhere."""

from collections.abc import Sequence

from bench.analysis.claims import Finding
from bench.analysis.results import Results
from bench.report.claims_page import effect, word
from bench.report.markdown import markdown, prose
from bench.run.progress import counted

__all__ = ["agreement", "replication_section"]

_SAME = ("metric", "split", "source", "against", "expect", "worse", "reference", "margin")


def replication_section(results: Results) -> list[str]:
    """Set the verdicts of a replication beside those of what it replicates.

    Args:
        results: Of the replication.

    Returns:
        Blocks of Markdown for the page of claims; none for a matrix that replicates nothing.
    """
    matrix, original = results.matrix, results.original
    if matrix is None or matrix.replicates is None or not results.findings:
        return []
    title = f"## Beside {prose(matrix.replicates)}"
    if original is None:
        return [title, f"There are no rows of {matrix.replicates} here to compare with."]
    lines = [
        [here.claim.id, *_sides(here, there), _agrees(here, there)]
        for here, there in _pairs(results.findings, original.findings)
    ]
    name = original.name
    heads = ["id", f"here, S = {_seeds(results)}", f"{name}, S = {_seeds(original)}"]
    text = (
        f"The same claims, metrics, directions and margins; those of {name} are in "
        f"[{name}-claims.md]({name}-claims.md). Effects are in the unit of the metric."
    )
    return [title, f"{agreement(results)} {text}", markdown([*heads, "same?"], lines, left=4)]


def agreement(results: Results) -> str:
    """Count the claims that have the same verdict in both.

    Args:
        results: Of the replication.

    Returns:
        A sentence; empty where nothing can be compared.
    """
    if results.original is None:
        return ""
    pairs = _pairs(results.findings, results.original.findings)
    if not pairs:
        return f"No claim stands in {results.original.name} with the same metric and margin."
    others = [here.claim.id for here, there in pairs if here.verdict != there.verdict]
    same = len(pairs) - len(others)
    text = (
        f"Of {counted(len(pairs), 'claim')} that {results.original.name} makes, too, "
        f"{same} {'has' if same == 1 else 'have'} the same verdict"
    )
    text += f"; {', '.join(others)} {'do' if others[1:] else 'does'} not." if others else "."
    levels = [here.claim.id for here, there in pairs if _levels(here) != _levels(there)]
    if levels:
        text += f" Of {', '.join(levels)} the levels that are compared are not all the same."
    if left := len(results.original.findings) - len(pairs):
        text += f" {left} more of its claims {'are' if left > 1 else 'is'} not made here."
    return text


def _pairs(here: Sequence[Finding], there: Sequence[Finding]) -> list[tuple[Finding, Finding]]:
    """The claims that both make by the same metric, direction and margin."""
    known = {other.claim.id: other for other in there}
    return [
        (one, other)
        for one in here
        if (other := known.get(one.claim.id))
        and all(getattr(one.claim, key) == getattr(other.claim, key) for key in _SAME)
    ]


def _levels(finding: Finding) -> tuple[str, ...]:
    """What was compared: the configurations of a study; of a claim without one, none."""
    return finding.configurations if finding.claim.study else ()


def _sides(*findings: Finding) -> list[str]:
    return [f"{word(one)}: {effect(one)}" if one.seeds else "not tested" for one in findings]


def _agrees(here: Finding, there: Finding) -> str:
    return "yes" if here.verdict == there.verdict else "no"


def _seeds(results: Results) -> int:
    return int(results.rows["seed"].nunique())
