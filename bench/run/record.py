"""What is known of one cell: as it was measured, and as it is kept, validated either way."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from bench.errors import encodable, text_of, without_home
from bench.run.job import Job
from vaelib.audits.measurement import Measurement

__all__ = ["DONE", "KEPT", "CellResult", "Record", "Status", "one_line"]

_SPLITS = ("train", "test")

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

    Each measurement is of a split that cells have, stands there once, has a p-value in [0, 1] or
    none, and says why where its value or its standard error is not a finite number.

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

    @field_validator("message")
    @classmethod
    def _encodable(cls, message: str) -> str:
        return encodable(message)

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

    @field_validator("measurements")
    @classmethod
    def _sound(cls, measurements: list[Measurement]) -> list[Measurement]:
        seen = set()
        for one in measurements:
            name = f"{one.metric or 'a measurement'} on {one.split or 'no split'}"
            if not one.metric or one.split not in _SPLITS:
                raise ValueError(f"expected a metric on {' or '.join(_SPLITS)}, got {name}")
            if one.p_value is not None and not 0 <= one.p_value <= 1:
                raise ValueError(f"expected a p-value in [0, 1], got {one.p_value} for {name}")
            if not one.message and not _explains_itself(one):
                raise ValueError(f"expected a finite value or the reason, got neither for {name}")
            key = one.split, one.source, one.metric
            if key in seen:
                raise ValueError(f"expected one value, got several for {name}")
            seen.add(key)
        return measurements

    @model_validator(mode="after")
    def _whole(self) -> "Record":
        if (self.status == "ok") != bool(self.measurements):
            count = len(self.measurements)
            raise ValueError(f"expected measurements if and only if ok, got {count}, {self.status}")
        return self

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
            measurements=[_explained(one) for one in result.measurements],
            arrays=sorted(result.arrays),
        )


def _explains_itself(one: Measurement) -> bool:
    """Whether value and standard error are finite, as far as there are any."""
    error = one.standard_error
    return one.value is not None and math.isfinite(one.value) and math.isfinite(error or 0.0)


def _explained(one: Measurement) -> Measurement:
    """A measurement that says so where it is not a finite number, in text that a file can hold."""
    try:
        silent = not one.message and not _explains_itself(one)
        message = "not a finite number" if silent else encodable(one.message)
    except (AttributeError, TypeError):  # not a measurement, or not of numbers: refused later
        return one
    return one if message == one.message else replace(one, message=message)


def one_line(error: BaseException) -> str:
    """Writes an exception as one line of a table, the same in every run.

    Args:
        error: any.

    Returns:
        Its type and text, without addresses in memory and without the home of who ran it; what no
        file can hold is escaped.
    """
    text = text_of(error)
    if isinstance(error, ValidationError):
        text = "; ".join(f"{'.'.join(map(str, e['loc']))} {e['msg']}" for e in error.errors())
    text = re.sub(r" at 0x[0-9a-f]+", "", " ".join(f"{type(error).__name__}: {text}".split()))
    text = without_home(encodable(text).removesuffix(":"))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
