"""The answer in one or two sentences."""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context

from bench.analysis.match import Match, Matched
from bench.analysis.replicates import FEW_SEEDS
from bench.analysis.results import Results
from bench.report.markdown import code, prose
from bench.run.progress import counted

__all__ = ["answer", "certified", "ends", "known_ends", "whose"]


def answer(results: Results) -> str:
    """Say in one or two sentences what the rows decide.

    Args:
        results: Of one matrix.

    Returns:
        Plain text with Markdown code spans.
    """
    texts = [_sentence(match) for match in results.matches]
    if lost := len(results.failures):
        texts.append(f"{lost} of {counted(results.cells, 'cell')} gave no result.")
    return " ".join(texts) or "No cell was run."


def ends(matched: Matched) -> str:
    """Both ends of a bracket in words: the outer ends of their 95 % intervals over the seeds.

    The lower end less its half width is rounded down, the upper end plus its own up, to two digits;
    of one seed, which has no interval, the ends themselves.

    Args:
        matched: One configuration.

    Returns:
        Such as "between 0.29 and 0.43 nats".

    Example:
        >>> from bench.analysis.match import Interval
        >>> kls = Interval(0.186, 0.021, 10), Interval(0.249, 0.023, 10), Interval(0.625, 0.043, 10)
        >>> ends(Matched("base", *kls, "no", 1500, 10, False))
        'between 0.16 and 0.67 nats'
    """
    match known_ends(matched):
        case [low, high]:
            return f"between {low} and {high} nats"
        case [low]:
            return f"at least {low} nats"
    return "not bounded"


def known_ends(matched: Matched) -> list[str]:
    """The numbers of `ends`: the lower end and, where there is one, the upper end.

    Args:
        matched: One configuration.

    Returns:
        At most two texts, in nats; none where nothing is known.
    """
    lower, upper = matched.lower, matched.upper
    if math.isnan(lower.mean):
        return []
    low = _outward(max(0.0, lower.low if lower.seeds > 1 else lower.mean), ROUND_FLOOR)
    if math.isnan(upper.mean):
        return [low]
    return [low, _outward(upper.high if upper.seeds > 1 else upper.mean, ROUND_CEILING)]


def certified(results: Results, config: str) -> tuple[Match, Matched] | None:
    """Find the bracket of a configuration.

    Args:
        results: Of one matrix.
        config: Its name.

    Returns:
        What decides its data set, and its own bracket; None where no end of it is known.
    """
    for match in results.matches:
        for one in match.configurations:
            if one.config == config and one.lower.seeds:
                return match, one
    return None


def whose(match: Match) -> str:
    """Say which inputs decide.

    Args:
        match: Of one data set.

    Returns:
        Such as "held-out".
    """
    return {"test": "held-out", "train": "training"}.get(match.split, match.split)


def _outward(value: float, rounding: str) -> str:
    """Two significant digits; 0 and infinity as they are."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    rounded = Context(prec=2, rounding=rounding).create_decimal_from_float(value)
    return f"{rounded:f}" if 1e-6 <= value < 1e6 else f"{rounded:.1e}"


def _sentence(match: Match) -> str:
    data = prose(match.data)
    if not match.split:
        return (
            f"No cell of {data} has a bracket of KL(q‖p): rows written before there was one "
            "give no answer; run the matrix again."
        )
    alive = match.alive
    if not alive:
        return f"On {whose(match)} inputs of {data} all configurations have collapsed."
    text = (
        f"On {whose(match)} inputs of {data} the aggregate posterior is proved to lie more than "
        f"{match.margin:g} nats from the prior in {match.count('no')} of "
        f"{counted(len(alive), 'configuration')}; "
        f"{counted(match.count('yes'), 'matches', 'match')} within that, "
        f"{counted(match.count('undecided'), 'is', 'are')} undecided"
    )
    if flagged := match.count("flagged"):
        copies = counted(flagged, "is flagged: its", "are flagged: their")
        text += f", {copies} held-out inputs copy training inputs"
    first = match.configurations[0]
    seeds = first.lower.seeds
    if max(one.lower.seeds for one in match.configurations) <= FEW_SEEDS:
        text = (
            f"On {whose(match)} inputs of {data} nothing is decided: {counted(seeds, 'seed')} "
            f"cannot say how others would come out, {FEW_SEEDS + 1} at least are needed"
        )
    over = f"95 % over S = {seeds} seeds" if seeds > 1 else f"S = {seeds}"
    whom = code(first.config)
    if first.config == "base" and match.configurations[1:]:
        whom += ", which the others vary,"
    text += f". For {whom} KL(q‖p) is {ends(first)} ({over})."
    if dead := len(match.configurations) - len(alive):
        text += f" {dead} more collapsed: z says nothing of the input."
    return text
