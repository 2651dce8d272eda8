"""The answer in one or two sentences."""

from bench.analysis.match import Match
from bench.analysis.results import Results

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
        return f"On {match.data} no cell has a number that could tell the match."
    if not match.readable:
        return (
            f"On {match.split} inputs of {match.data} all {match.configurations} configurations "
            "are saturated: no verdict."
        )
    text = (
        f"By the excess given scale, a diagnostic that decides nothing, {match.within} of "
        f"{match.readable} configurations lie within {match.margin:g} nats of the prior on "
        f"{match.split} inputs of {match.data}"
    )
    text += f" ({match.collapsed} by a collapse: no unit is active)" if match.collapsed else ""
    text += f", {match.beyond} beyond, {match.readable - match.within - match.beyond} on neither "
    text += "side with certainty" + (f": {match.note}" if match.note else "")
    flagged = match.configurations - match.readable
    return text + (f"; {flagged} more cannot be read, being saturated." if flagged else ".")
