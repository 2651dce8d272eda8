"""An audit as strict JSON: no NaN and no infinity."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vaelib.audits.asked import Asked
from vaelib.audits.measurement import Measurement, joined
from vaelib.audits.moment_answers import Answer
from vaelib.audits.summary import deciding, ends, proved
from vaelib.audits.units import unit_of

__all__ = ["strict_json"]


def strict_json(
    rows: Sequence[Measurement], answers: Sequence[Answer], asked: Asked, kind: str
) -> str:
    """All of an audit.

    Args:
        rows: its measurements.
        answers: the first of which is whether the prior is safe to sample.
        asked: the question.
        kind: of document.

    Returns:
        An object; what is not finite is null, and the message of its row says so.
    """
    evidence = deciding(rows)
    found = {
        "kind": kind,
        "prior": asked.prior,
        "verdict": answers[0].verdict,
        "ok": proved(answers[0].verdict),
        "kl": ends(evidence),
        "bracket": _finite_in(asdict(evidence.bracket)),
        "margin": asked.margin,
        "alpha": asked.alpha,
        "inputs": dict(asked.inputs),
        "dimensions": asked.dimensions,
        "answers": [_finite_in(one.__dict__) for one in answers],
        "rows": [_strict(row) for row in rows],
    }
    return json.dumps(found, indent=1, allow_nan=False)


def _finite_in(cells: dict[str, Any]) -> dict[str, Any]:
    return {name: _finite(value) for name, value in cells.items()}


def _finite(value: Any) -> Any:  # noqa: ANN401
    """What JSON can hold: null for a number that is not finite."""
    if isinstance(value, tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _strict(row: Measurement) -> dict[str, Any]:
    cells = {name: _finite(value) for name, value in row.__dict__.items()}
    lost = [name for name, value in row.__dict__.items() if cells[name] is None is not value]
    said = joined(row.message, *(f"{name} is not finite" for name in lost))
    return cells | {"unit": unit_of(row.metric), "message": said}
