"""What is known of one cell, validated whenever it is written or read."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

__all__ = ["DONE", "KEPT", "Measurement", "Record", "one_line"]

DONE = frozenset({"ok", "diverged"})
"""The statuses that need no second run; failures, timeouts and deaths do."""

KEPT = 5000
"""Inputs of each part whose posteriors are kept beside the record, a random choice of more."""

_LONGEST = 300  # characters of a message


class Measurement(BaseModel):
    """One number: a metric on one split and, for sample quality, one latent source.

    Attributes:
        value: None where the metric is not defined.
        message: what a reader must know about this number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    split: str
    source: str = ""
    metric: str
    value: float | None
    standard_error: float | None = None
    p_value: float | None = None
    message: str = ""


class Record(BaseModel):
    """What is known of one cell; non-finite numbers are strings in its JSON.

    Attributes:
        cell: the id of the cell.
        code: hash of the code under which it was computed.
        name: its configuration's name at that time.
        seed: its training seed.
        data: fingerprint of its data set.
        status: ok, diverged, failed, timeout or died.
        message: one line of cause where the status is not ok.
        seconds: time it took, its share of the training included, even where that was earlier; nan
            where unknown.
        stages: seconds by stage that were spent when this was written.
        measurements: in the order in which they are shown.
        arrays: names of the arrays beside the record.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    cell: str
    code: str
    name: str = ""
    seed: int | None = None
    data: str = ""
    status: Literal["ok", "diverged", "failed", "timeout", "died"]
    message: str
    seconds: float
    stages: dict[str, float] = {}
    measurements: list[Measurement] = []
    arrays: list[str] = []


def one_line(error: BaseException) -> str:
    """Writes an exception as one line of a table, the same in every run.

    Args:
        error: any.

    Returns:
        Its type and text, without addresses in memory.
    """
    text = str(error)
    if isinstance(error, ValidationError):
        text = "; ".join(f"{'.'.join(map(str, e['loc']))} {e['msg']}" for e in error.errors())
    text = re.sub(r" at 0x[0-9a-f]+", "", " ".join(f"{type(error).__name__}: {text}".split()))
    text = text.removesuffix(":")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
