"""The answer in one or two sentences."""

import math

from bench.analysis.match import Match, Matched
from bench.analysis.results import Results
from bench.report.markdown import code, prose

__all__ = ["answer", "ends"]


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


def ends(matched: Matched) -> str:
    """Both ends of a bracket in words, means over the seeds.

    Args:
        matched: One configuration.

    Returns:
        Such as "between 0.29 and 0.43 nats".
    """
    if math.isnan(matched.lower.mean):
        return "not bounded"
    if math.isnan(matched.upper.mean):
        return f"at least {matched.lower.mean:.2g} nats"
    return f"between {matched.lower.mean:.2g} and {matched.upper.mean:.2g} nats"


def _sentence(match: Match) -> str:
    data = prose(match.data)
    if not match.split:
        return (
            f"No cell of {data} has a bracket of KL(q‖p): rows written before there was one "
            "give no answer; run the matrix again."
        )
    alive = match.alive
    whose = {"test": "held-out", "train": "training"}.get(match.split, match.split)
    if not alive:
        return f"On {whose} inputs of {data} all configurations have collapsed."
    text = (
        f"On {whose} inputs of {data} the aggregate posterior is proved to lie more than "
        f"{match.margin:g} nats from the prior in {match.count('no')} of {len(alive)} "
        f"configurations; {match.count('yes')} match within that, {match.count('undecided')} are "
        "undecided"
    )
    if flagged := match.count("flagged"):
        text += f", {flagged} are flagged: their held-out inputs copy training inputs"
    first = match.configurations[0]
    text += (
        f". For {code(first.config)} KL(q‖p) is {ends(first)} (means of S = {first.lower.seeds})."
    )
    if dead := len(match.configurations) - len(alive):
        text += f" {dead} more collapsed: z says nothing of the input."
    return text
