"""An audit in a few lines: the answer, both ends, what would help, then numbers by their names."""

import math
from collections.abc import Sequence

from vaelib.audits.asked import Asked
from vaelib.audits.effects import Evidence
from vaelib.audits.measurement import Measurement
from vaelib.audits.moment_answers import Answer
from vaelib.audits.units import unit_of

__all__ = ["deciding", "ends", "headline", "lines", "number", "proved", "question"]

_NUMBERS = (
    ("certified_kl", "certified_kl_lower", "certified_kl_upper"),
    ("rate", "mutual_information", "marginal_kl"),
    ("second_moment", "hole_mass", "c2st_auc"),
)
_IN_WORDS = ("positions", "channels", "scale", "location", "correlation", "shape", "holes")
_INPUTS = {"test": "held-out inputs", "train": "training inputs", "sample": "z"}


def deciding(rows: Sequence[Measurement]) -> Evidence:
    """The rows of the split that decides: held-out inputs where there are any."""
    split = next(s for s in ("test", "train", "sample") if any(row.split == s for row in rows))
    return Evidence(rows, split)


def ends(evidence: Evidence) -> str:
    """Both ends of KL(q‖p) in words."""
    bracket = evidence.bracket
    if math.isnan(bracket.lower):
        return "not measured"
    if math.isinf(bracket.lower):
        return "infinite"
    if math.isnan(bracket.upper):
        return f"at least {bracket.lower:.3g} nats"
    return f"{bracket.lower:.3g} to {bracket.upper:.3g} nats"


def proved(verdict: str) -> bool | None:
    """What a verdict decides: True for "yes", False for "no", None where neither is proved."""
    return {"yes": True, "no": False}.get(verdict)


def question(prior: str) -> str:
    """What is asked of a prior."""
    return f"May I sample from {prior}?"


def headline(answers: Sequence[Answer], prior: str) -> str:
    """The question and its answer."""
    return f"{question(prior)} {answers[0].verdict.upper()}."


def lines(rows: Sequence[Measurement], answers: Sequence[Answer], asked: Asked) -> list[str]:
    """An audit in at most ten lines.

    Args:
        rows: its measurements.
        answers: of :func:`vaelib.audits.answers.answers_from`.
        asked: the question.

    Returns:
        The answer and why, both ends of KL(q‖p) against the margin, what would help, the answers to
        the other questions in a word each, numbers by their names, and what it rests on.
    """
    evidence = deciding(rows)
    said = [headline(answers, asked.prior), answers[0].sentence]
    said.append(f"KL(q‖p): {ends(evidence)}; margin {asked.margin:g}.")
    said.append(f"What would help: {answers[-1].sentence}")
    words = [f"{a.question}: {a.verdict}" for a in answers if a.question in _IN_WORDS]
    said.append("; ".join(words))
    for names in _NUMBERS:
        known = [name for name in names if math.isfinite(evidence.value(name))]
        said.append(", ".join(f"{name} {number(evidence.row[name])}" for name in known))
    return [*filter(None, said), _rests_on(evidence.split, asked)]


def _rests_on(split: str, asked: Asked) -> str:
    others = [name for name in asked.inputs if name != split]
    first, *rest = (f"{asked.inputs[name]:,} {_INPUTS[name]}" for name in (split, *others))
    beside = f" ({', '.join(rest)})" if rest else ""
    level = f"each end at one-sided level {asked.alpha:g}"
    each = "" if asked.positions == 1 else f" of {asked.positions:,} positions each"
    return f"{first}{beside}{each}, D = {asked.dimensions}; {level}."


def number(row: Measurement) -> str:
    """A value with half its 95 % interval, where it has one, and its unit.

    Args:
        row: with a value.

    Returns:
        Such as "0.529 ± 0.038 nats".
    """
    value = f"{row.value:.3g}"
    if row.standard_error is not None and row.standard_error > 0:
        value += f" ± {1.96 * row.standard_error:.2g}"
    unit = unit_of(row.metric)
    return value if unit in ("1", "flag", "statistic", "AUC") else f"{value} {unit}"
