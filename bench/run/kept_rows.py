"""The table of rows as state: cells that it holds, from another day or machine, need not run again.

``rows.json`` beside ``rows.csv`` says of each cell of the table which code computed it, from which
data, and the checksum of what was measured. A cell of which the folder has no record is read from
the table, where both agree; only its arrays are not there.
"""

import csv
import hashlib
import io
import json
import math
import warnings
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.run.record import DONE, Record
from vaelib.audits.measurement import Measurement
from vaelib.reading import read_bytes
from vaelib.sealed import sealed_json, unsealed_json

__all__ = ["LACKING", "STALE", "CorruptRows", "KeptRows", "described"]

STALE = "stale: computed by other code"
"""Begins the message of rows whose code is not that of today."""
LACKING = "not measured for this seed, but for others"
"""The message of rows that only keep a table from having holes."""


class CorruptRows(UserWarning):
    """What a table holds of a cell is not what was measured."""


class KeptRows:
    """The cells of a table of rows.

    Args:
        folder: of the matrix; it need not hold a table.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, cell: str) -> Record | None:
        """What the table holds of a cell.

        Args:
            cell: its id.

        Returns:
            Its record, without arrays; None where the table has no such cell, or, with a
            `CorruptRows` warning, something else than was measured.
        """
        if cell not in self._said:
            return None
        record = self._record(cell)
        if record is None or _digest(record) != self._said[cell].get("sha256"):
            path = self._folder / "rows.csv"
            what = f"rows of cell {cell} in {path} are not what was measured; it runs again"
            warnings.warn(what, CorruptRows, stacklevel=3)
            return None
        return record

    @cached_property
    def _said(self) -> dict[str, dict[str, str]]:
        try:
            said = json.loads(unsealed_json(read_bytes(self._folder / "rows.json")))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            what = f"{self._folder / 'rows.json'} cannot be used, and its cells run again: {error}"
            warnings.warn(what, CorruptRows, stacklevel=4)
            return {}
        cells = said.get("cells") if isinstance(said, dict) else None
        return cells if isinstance(cells, dict) else {}

    @cached_property
    def _rows(self) -> dict[str, list[dict[str, str]]]:
        rows = defaultdict(list)
        try:
            text = read_bytes(self._folder / "rows.csv").decode()
            for row in csv.DictReader(io.StringIO(text)):
                rows[row.get("cell", "")].append(row)
        except (OSError, ValueError, csv.Error):
            return {}  # each cell that it should hold is said to be wrong
        return rows

    def _record(self, cell: str) -> Record | None:
        rows, said = self._rows.get(cell), self._said[cell]
        if not rows:
            return None
        first = rows[0]
        try:
            fields = {
                "cell": cell,
                "code": said["code"],
                "name": first["config"],
                "seed": int(first["seed"]),
                "data": said["data"],
                "status": first["status"],
                "message": "" if first["metric"] else _message(first),
                "seconds": math.nan if (spent := _number(first["seconds"])) is None else spent,
                "measurements": [
                    _measurement(row)
                    for row in rows
                    if row["metric"] and not row["message"].endswith(LACKING)
                ],
            }
            return Record.model_validate(fields)
        except (KeyError, TypeError, ValueError):
            return None


def described(records: Iterable[Record]) -> bytes:
    """What is kept beside a table of rows.

    Args:
        records: of the cells that it holds; those that are to run again are left out.

    Returns:
        The file.
    """
    cells = {
        record.cell: {"code": record.code, "data": record.data, "sha256": _digest(record)}
        for record in records
        if record.status in DONE
    }
    return sealed_json(json.dumps({"cells": cells}, indent=1))


def _digest(record: Record) -> str:
    """Of all that a table says of a cell; a number that is not defined is none."""
    said = [record.cell, record.code, record.data, record.seed, record.status, record.message]
    rows = [
        [one.split, one.source, one.metric, one.message, *map(_spelt, numbers)]
        for one in record.measurements
        for numbers in [(one.value, one.standard_error, one.p_value)]
    ]
    return hashlib.sha256(json.dumps([*said, _spelt(record.seconds), rows]).encode()).hexdigest()


def _spelt(number: float | None) -> str:
    return "" if number is None or math.isnan(number) else repr(float(number))


def _number(text: str) -> float | None:
    return float(text) if text else None


def _measurement(row: dict[str, Any]) -> Measurement:
    return Measurement(
        split=row["split"],
        metric=row["metric"],
        value=_number(row["value"]),
        standard_error=_number(row["standard_error"]),
        p_value=_number(row["p_value"]),
        source=row["source"],
        message=_message(row),
    )


def _message(row: dict[str, str]) -> str:
    return "; ".join(part for part in row["message"].split("; ") if part != STALE)
