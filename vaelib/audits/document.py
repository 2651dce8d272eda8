"""An audit for programs: one object of strict JSON, the answer and all that it rests on.

``docs/json.md`` says what its fields mean. Within a version of the schema fields are added, never
renamed, retyped or taken away.
"""

import json
import math
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from vaelib.audits.asked import Asked
from vaelib.audits.effects import Evidence
from vaelib.audits.measurement import Measurement, joined
from vaelib.audits.moment_answers import Answer
from vaelib.audits.prepared import LEFT_OUT
from vaelib.audits.summary import deciding, proved, question
from vaelib.audits.units import unit_of

__all__ = [
    "SCHEMA",
    "WORST_FIRST",
    "Found",
    "as_json",
    "counts_of",
    "document",
    "document_of_conditions",
    "joint_question",
    "jointly",
    "noted",
]

SCHEMA = {"name": "vaebench.audit", "version": 1}
"""Which fields there are."""

WORST_FIRST = ("no", "flagged", "undecided", "yes")
"""The words of an answer."""

_OWN = "priors of their own"
_PACKAGES = ("vaebench", "torch", "numpy", "scipy")
_ENDS = {
    "lower": "certified_kl_lower",
    "upper": "certified_kl_upper",
    "gain": "certified_kl",
}


@dataclass(frozen=True)
class Found:
    """What an audit found.

    Attributes:
        rows: its measurements.
        answers: the first of which is whether the prior is safe to sample, the last what would
            help.
        asked: the question; its level is that of this answer.
    """

    rows: Sequence[Measurement]
    answers: Sequence[Answer]
    asked: Asked


def document(
    found: Found,
    *,
    alpha: float | None = None,
    condition: int | None = None,
    read: str | None = None,
    notes: Sequence[str] = (),
    price: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One answer, as JSON can hold it.

    Args:
        found: the audit.
        alpha: level of all conditions together, where this is one of several.
        condition: which of them.
        read: what of a file was read as what; None where none was read.
        notes: sentences that a person should read first.
        price: of sampling from the prior, where that was measured; else there is no such field.

    Returns:
        An object of the fields of the schema; what is not finite is null, with a word why.
    """
    level = found.asked.alpha if alpha is None else alpha
    rows = [_row(row) for row in found.rows]
    every = noted(notes, [found])
    whole = _whole(_answer(found, condition), found.asked, level, None, read, every, rows)
    return whole if price is None else {**whole, "price": dict(price)}


def document_of_conditions(
    parts: Mapping[int, Found],
    *,
    alpha: float,
    read: str | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """An answer for each condition, as JSON can hold it.

    Args:
        parts: condition -> its audit; at least one.
        alpha: level of all of them together.
        read: what of a file was read as what.
        notes: sentences that a person should read first.

    Returns:
        The same fields as of one answer. The verdict is the worst; what only a condition has is
        null, and stands beneath ``conditions``. Each row says whose it is.
    """
    verdicts = [one.answers[0].verdict for one in parts.values()]
    worst = min(verdicts, key=WORST_FIRST.index)
    asked = next(iter(parts.values())).asked
    every: dict[str, Any] = {
        "question": joint_question(one.asked for one in parts.values()),
        "verdict": worst,
        "ok": proved(worst),
        "sentence": f"{counts_of(verdicts)}.",
        "advice": None,
        "condition": None,
        "inputs": None,
        "dimensions": asked.dimensions,
        "bracket": None,
        "flags": [],
        "answers": [],
    }
    conditions = [_answer(one, label) for label, one in parts.items()]
    rows = [{"condition": label, **_row(row)} for label, one in parts.items() for row in one.rows]
    said = noted(notes, parts.values())
    if len({one.asked.prior for one in parts.values()}) > 1:
        asked = replace(asked, prior=_OWN)
    joint = jointly(len(parts), alpha)
    return _whole(every, asked, alpha, conditions, read, said, rows) | {"joint": joint}


def noted(notes: Sequence[str], parts: Iterable[Found]) -> list[str]:
    """What a person should read first: what was left out, and what is said of maps.

    Args:
        notes: of a file, which may hold the same already.
        parts: of each condition.

    Returns:
        Each sentence once, without its last point.
    """
    all_said = list(notes)
    for one in parts:
        all_said += (row.message for row in one.rows if row.metric == LEFT_OUT)
        all_said += one.asked.notes
    return list(dict.fromkeys(all_said))


def joint_question(asked: Iterable[Asked]) -> str:
    """What is asked of the priors of all conditions."""
    priors = {one.prior for one in asked}
    return f"{question(priors.pop() if len(priors) == 1 else _OWN)[:-1]} given the condition?"


def jointly(count: int, alpha: float) -> str:
    """What holds of the answers of all conditions together.

    Args:
        count: of the conditions.
        alpha: level of all of them together.

    Returns:
        A sentence.
    """
    if count == 1:
        return f"Each end is at level {alpha:g}."
    return (
        f"Each end is at level {alpha:g}/{count} = {alpha / count:.3g}, so that all of one side "
        f"hold together at {alpha:g}."
    )


def counts_of(verdicts: Iterable[str]) -> str:
    """How often each answer was given, such as "undecided 2, no 1"."""
    return ", ".join(f"{word} {count}" for word, count in Counter(verdicts).most_common())


def as_json(found: Mapping[str, Any]) -> str:
    """Strict JSON: no NaN and no infinity, all of it ASCII.

    Args:
        found: a document.

    Returns:
        Its text, without a last line end.

    Raises:
        ValueError: for a number that is not finite.
    """
    return json.dumps(found, indent=1, allow_nan=False)


def _whole(
    answer: dict[str, Any],
    asked: Asked,
    alpha: float,
    conditions: list[dict[str, Any]] | None,
    read: str | None,
    notes: Sequence[str],
    rows: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "schema": dict(SCHEMA),
        **answer,
        "conditions": conditions,
        "prior": asked.prior,
        "margin": asked.margin,
        "alpha": alpha,
        "read": read,
        "notes": list(notes),
        "joint": None,
        "versions": {"python": platform.python_version()} | {p: _version(p) for p in _PACKAGES},
        "rows": rows,
    }


def _answer(found: Found, condition: int | None) -> dict[str, Any]:
    """What is said of the whole, or of one condition."""
    first, last = found.answers[0], found.answers[-1]
    evidence = deciding(found.rows)
    return {
        "question": question(found.asked.prior),
        "verdict": first.verdict,
        "ok": proved(first.verdict),
        "sentence": first.sentence,
        "advice": last.sentence,
        "condition": condition,
        "inputs": dict(found.asked.inputs),
        "dimensions": found.asked.dimensions,
        "bracket": _bracket(evidence, found.asked),
        "flags": _flags(evidence),
        "answers": [_said(one) for one in found.answers],
    }


def _bracket(evidence: Evidence, asked: Asked) -> dict[str, Any]:
    """Both ends and the gain, and of each that is null the reason."""
    bracket = evidence.bracket
    interval = evidence.interval(_ENDS["gain"])
    numbers = {
        "lower": _finite(bracket.lower),
        "upper": _finite(bracket.upper),
        "gain": _finite(evidence.value(_ENDS["gain"])),
    }
    if numbers["gain"] is None or (interval and not all(map(math.isfinite, interval))):
        interval = None
    missing = {name: _why(evidence, _ENDS[name]) for name in numbers if numbers[name] is None}
    if math.isinf(bracket.lower):
        missing["lower"] = evidence.infinite
    if interval is None:
        missing["gain_interval"] = missing.get("gain", "the gain has no standard error")
    return {
        **numbers,
        "gain_interval": None if interval is None else list(interval),
        "margin": asked.margin,
        "alpha": asked.alpha,
        "inputs": bracket.inputs,
        "split": evidence.split,
        "saturated": bracket.saturated,
        "flagged": bracket.flagged,
        "missing": missing,
    }


def _why(evidence: Evidence, metric: str) -> str:
    """Why a metric is no number."""
    value = evidence.value(metric)
    text = "infinite" if math.isinf(value) else ""
    return joined(text, evidence.message(metric)) or "not measured"


def _flags(evidence: Evidence) -> list[str]:
    """What keeps these inputs from an answer, or from a yes, in sentences."""
    bracket = evidence.bracket
    said = []
    if bracket.flagged:
        said.append(f"flagged: {evidence.message('certified_kl_lower')}")
    if bracket.saturated:
        said.append("saturated: the inputs are too few for this rate, so that no yes is possible")
    return said


def _said(answer: Answer) -> dict[str, Any]:
    """An answer; of an interval without an upper end that is null."""
    cells = {name: _finite(value) for name, value in answer.__dict__.items()}
    return cells | {"message": joined(*_lost(answer.__dict__, cells))}


def _row(row: Measurement) -> dict[str, Any]:
    cells = {name: _finite(value) for name, value in row.__dict__.items()}
    said = joined(row.message, *_lost(row.__dict__, cells))
    return cells | {"unit": unit_of(row.metric), "message": said}


def _lost(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Of each number that is not finite a word."""
    said = []
    for name, value in before.items():
        if isinstance(value, tuple):
            ends = zip(("lower", "upper"), value, after[name], strict=True)
            said += [f"the {name} has no {end} end" for end, was, now in ends if now is not was]
        elif after[name] is None is not value:
            said.append(f"{name} is not finite")
    return said


def _finite(value: Any) -> Any:  # noqa: ANN401
    """What JSON can hold: null for a number that is not finite."""
    if isinstance(value, tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _version(package: str) -> str | None:
    """None of what runs from a checkout."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
