"""What is known of one cell: as it was measured, and as it is kept, validated either way."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from bench.run.job import Job
from vaelib.audits.measurement import Measurement

__all__ = ["DONE", "KEPT", "CellResult", "Record", "Status", "one_line"]

DONE = frozenset({"ok", "diverged"})
"""The statuses that need no second run; failures, timeouts and deaths do."""

KEPT = 5000
"""Inputs of each part whose posteriors are kept beside the record, a random choice of more."""

_LONGEST = 300  # characters of a message
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")  # as JSON spells them here


Status = Literal["ok", "diverged", "failed", "timeout", "died"]
"""What became of a cell that ran."""


@dataclass(frozen=True)
class CellResult:
    """What a job returns of one cell.

    Attributes:
        cell: the id of the cell.
        status: ok, or diverged.
        message: one line of cause where the status is not ok.
        seconds: time it took, its share of the training included; nan where unknown.
        stages: seconds by stage.
        measurements: in the order in which they are shown.
        arrays: what is kept beside the record, by name.
    """

    cell: str
    status: Status = "ok"
    message: str = ""
    seconds: float = math.nan
    stages: Mapping[str, float] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    arrays: Mapping[str, npt.ArrayLike] = field(default_factory=dict)


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

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        ser_json_inf_nan="strings",
        revalidate_instances="always",  # a measurement is a plain dataclass, which checks nothing
    )

    cell: str
    code: str
    name: str = ""
    seed: int | None = None
    data: str = ""
    status: Status
    message: str
    seconds: float
    stages: dict[str, float] = {}
    measurements: list[Measurement] = []
    arrays: list[str] = []

    @field_validator("seconds", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        """Refuses what is no number and could be read as one, such as true or "1"."""
        text = isinstance(value, str) and value not in _NOT_FINITE
        if text or isinstance(value, bool | np.bool_):
            raise ValueError(f"expected a number, got {value!r}")
        return value

    @field_validator("stages", mode="before")
    @classmethod
    def _numbers(cls, stages: object) -> object:
        for value in stages.values() if isinstance(stages, Mapping) else ():
            cls._number(value)
        return stages

    @field_validator("measurements", mode="before")
    @classmethod
    def _measured(cls, measurements: object) -> object:
        if not isinstance(measurements, list):
            raise ValueError(f"expected a list, got {type(measurements).__name__}")
        for row in measurements:
            values = vars(row) if isinstance(row, Measurement) else row
            if not isinstance(values, dict):
                raise ValueError(f"expected a measurement, got {row!r}")
            for name in ("value", "standard_error", "p_value"):
                cls._number(values.get(name))
        return measurements

    @classmethod
    def of(cls, result: CellResult, job: Job) -> "Record":
        """The record of one cell of a job.

        Args:
            result: what was measured.
            job: that the cell belongs to.

        Returns:
            The record.

        Raises:
            ValidationError: for a result that is not what its type says.
        """
        return cls(
            cell=result.cell,
            code=job.code,
            name=job.name,
            seed=job.cells[result.cell],
            data=job.data,
            status=result.status,
            message=result.message,
            seconds=result.seconds,
            stages=dict(result.stages),
            measurements=result.measurements,
            arrays=sorted(result.arrays),
        )


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
