"""The answer in one or two sentences."""

from bench.analysis.match import Match
from bench.analysis.results import Results
from bench.report.markdown import quantity

__all__ = ["answer"]


def answer(results: Results) -> str:
    """Say in one or two sentences what the rows decide.

    Args:
        results: Of one matrix.

    Returns:
        Plain text with Markdown code spans.
    """
    texts = [_sentence(match) for match in results.matches]
    if lost := len(results.failures):
        texts.append(f"{lost} of {results.cells} cells gave no result.")
    return " ".join(texts) or "No cell was run."


def _sentence(match: Match) -> str:
    if not match.split:
        return f"On {match.data} no cell has an excess KL, so the match is undecided."
    if not match.ranked:
        return (
            f"On {match.split} inputs of {match.data} all {match.configurations} configurations "
            "are saturated: no verdict."
        )
    text = (
        f"Within {match.margin:g} nats of excess KL on {match.split} inputs of {match.data}, "
        f"{match.matching} of {match.ranked} configurations match the prior, {match.differing} do "
        f"not, {match.ranked - match.matching - match.differing} are undecided; the closest, "
        f"`{match.closest}`, is at {quantity(match.mean, match.half_width)} nats "
        f"(S = {match.seeds})"
    )
    text += ", a collapse: no unit is active" if match.collapsed else ""
    text += f", tied with {match.tied} more" if match.tied else ""
    text += f": {match.note}" if match.note else ""
    flagged = match.configurations - match.ranked
    return text + (f"; {flagged} more cannot be ranked, being saturated." if flagged else ".")
