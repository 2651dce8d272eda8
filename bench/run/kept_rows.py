"""The table of rows as state: cells that it holds, from another day or machine, need not run again.

``rows.json`` beside ``rows.csv`` says of each cell of the table which code computed it, from which
data, and the checksum of what was measured. A cell of which the folder has no record is read from
the table, where both agree; only its arrays are not there. It also holds the checksums of the files
that a page is made of, so that a page is made of what a run wrote, or not at all.
"""

import csv
import hashlib
import io
import json
import math
import os
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.errors import DamagedError, reason, unread
from bench.run.record import DONE, Record
from vaelib.audits.measurement import Measurement
from vaelib.reading import read_bytes
from vaelib.sealed import SealError, sealed_json, unsealed_json

__all__ = [
    "LACKING",
    "STALE",
    "WRITTEN",
    "CorruptRows",
    "KeptRows",
    "check_written",
    "checksums",
    "described",
]

WRITTEN = ("rows.csv", "matrix.toml", "metrics.json", "configurations.json")
"""Files of a matrix that pages are made of, and whose checksums ``rows.json`` holds."""

STALE = "stale: computed by other code"
"""Begins the message of rows whose code is not that of today."""
LACKING = "not measured for this seed, but for others"
"""The message of rows that only keep a table from having holes."""


_NAMED = 3  # altered cells that a line names


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

        Raises:
            OSError: where the table cannot be read for a reason that is not its own.
        """
        if cell not in self._said:
            return None
        record = self._sound(cell)
        if record is None:
            path = self._folder / "rows.csv"
            what = f"rows of cell {cell} in {path} are not what was measured; it runs again"
            warnings.warn(what, CorruptRows, stacklevel=3)
            return None
        return record

    def codes(self) -> dict[str, str]:
        """Cell id -> hash of the code that computed it, of the cells that ``rows.json`` knows."""
        return {cell: str(said.get("code", "")) for cell, said in self._said.items()}

    def altered(self) -> list[str]:
        """Ids of the cells of which the table says something else than was measured."""
        return [cell for cell in self._said if self._sound(cell) is None]

    @cached_property
    def _said(self) -> dict[str, dict[str, str]]:
        try:
            cells = _said(self._folder).get("cells")
        except (OSError, ValueError) as error:
            if unread(error):
                raise
            what = f"{self._folder / 'rows.json'} cannot be used, and its cells run again: {error}"
            warnings.warn(what, CorruptRows, stacklevel=4)
            return {}
        return cells if isinstance(cells, dict) else {}

    @cached_property
    def _rows(self) -> dict[str, list[dict[str, str]]]:
        rows = defaultdict(list)
        try:
            text = read_bytes(self._folder / "rows.csv").decode()
            for row in csv.DictReader(io.StringIO(text)):
                rows[row.get("cell", "")].append(row)
        except (OSError, ValueError, csv.Error) as error:
            if unread(error):
                raise
            return {}  # each cell that it should hold is said to be wrong
        return rows

    def _sound(self, cell: str) -> Record | None:
        """The record of a cell; None where it is not what was measured."""
        record = self._record(cell)
        if record is None or _digest(record) != self._said[cell].get("sha256"):
            return None
        return record

    def _record(self, cell: str) -> Record | None:
        rows, said = self._rows.get(cell), self._said[cell]
        if not rows or any(None in row or None in row.values() for row in rows):
            return None  # it has no rows, or one that is cut off or too long
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


def described(records: Iterable[Record], folder: Path | None = None) -> bytes:
    """What is kept beside a table of rows.

    Args:
        records: of the cells that it holds; those that are to run again are left out.
        folder: with all that was `WRITTEN`; None where nothing was but the table.

    Returns:
        The file.
    """
    cells = {
        record.cell: {"code": record.code, "data": record.data, "sha256": _digest(record)}
        for record in records
        if record.status in DONE
    }
    files = {"files": {name: _checksum(folder / name) for name in WRITTEN}} if folder else {}
    return sealed_json(json.dumps({"cells": cells} | files, indent=1))


def checksums(folder: Path) -> Mapping[str, str]:
    """What ``rows.json`` says of the files beside it.

    Args:
        folder: of a matrix.

    Returns:
        Name -> sha256, empty for a file that was not there; nothing where there is no such file, as
        beside a table that was copied alone.

    Raises:
        DamagedError: where it is not what a run wrote.
        OSError: where it cannot be read for a reason that is not its own.
    """
    try:
        files: dict[str, str] = _said(folder).get("files", {})
        why = ""
        if not isinstance(files, dict) or not set(map(type, files.values())) <= {str}:
            why = "it holds no checksums of files"
    except (OSError, ValueError) as error:
        why = reason(error)
    if why:
        raise DamagedError(
            f"expected the checksums of a run in {folder / 'rows.json'}, got something else ({why})"
            "; run the matrix again"
        )
    return files


def check_written(folder: Path, said: Mapping[str, str]) -> None:
    """Refuses files that were altered since they were written.

    Args:
        folder: of a matrix.
        said: what `checksums` returned.

    Raises:
        DamagedError: for the first of them; of a table, it names the cells.
        OSError: where one cannot be read for a reason that is not its own.
    """
    for name in (name for name in WRITTEN if name in said):
        path = folder / name
        try:
            same = _checksum(path) == said[name]
        except OSError as error:
            raise DamagedError(f"{path}: {reason(error)}; run the matrix again") from error
        if same:
            continue
        what = f"expected {path} as a run wrote it, got another file"
        if name == "rows.csv" and (cells := KeptRows(folder).altered()):
            more = f" and {len(cells) - _NAMED} more" if len(cells) > _NAMED else ""
            those = f"{', '.join(cells[:_NAMED])}{more}"
            what = f"expected what was measured in {path}, got other rows of {those}"
        raise DamagedError(f"{what}; run the matrix again")


def _said(folder: Path) -> dict[str, Any]:
    """What a run wrote into ``rows.json``; nothing where there is no such file."""
    path = folder / "rows.json"
    if not os.path.lexists(path):
        return {}
    try:
        said = json.loads(unsealed_json(read_bytes(path)))
    except RecursionError:
        raise SealError("it is nested too deeply") from None
    return said if isinstance(said, dict) else {}


def _checksum(path: Path) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest() if os.path.lexists(path) else ""


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
