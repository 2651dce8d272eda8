"""One atomic record per cell; what is corrupt is set aside.

A record is the JSON file ``<folder>/cells/<cell id>.json``; its arrays lie beside it in
``<cell id>.npz``. Both say which cell they are of and under which code, and carry a checksum. Every
file is written to a temporary one in the same folder, synced, and renamed, so that a crash at any
time leaves the old file or the new one.
"""

import fcntl
import json
import os
import platform
import shlex
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from bench.errors import NotDoneError, UserError, refusal, unread
from bench.run.job import Job
from bench.run.kept_rows import KeptRows
from bench.run.record import CellResult, Record, one_line
from vaelib.files import sweep, write_atomically
from vaelib.reading import read_bytes
from vaelib.sealed import SealError, packed, sealed_json, unpacked, unsealed_json, verify

__all__ = [
    "CorruptRecord",
    "LockedError",
    "Store",
    "StoreError",
]


class StoreError(UserError, RuntimeError):
    """The results folder cannot be used."""


class LockedError(StoreError):
    """Another run holds the results folder."""


class CorruptRecord(UserWarning):
    """A record could not be read and was set aside."""


class Store:
    """The records of one matrix.

    Args:
        folder: the results folder of the matrix.
        only_look: whether to leave what is corrupt where it is, with the same warning.
    """

    def __init__(self, folder: str | Path, *, only_look: bool = False) -> None:
        self.folder = Path(folder)
        self.only_look = only_look
        self.cells = self.folder / "cells"
        self._table = KeptRows(self.folder)
        self._lock: BinaryIO | None = None

    def write(self, result: CellResult, job: Job) -> Record:
        """Writes one cell, its arrays first.

        Args:
            result: what was measured.
            job: that it belongs to.

        Returns:
            The record as it stands on the disk.

        Raises:
            TypeError: an array holds Python objects.
        """
        arrays: dict[str, Any] = {name: np.asarray(array) for name, array in result.arrays.items()}
        record = Record.of(result, job)
        if any(array.dtype.hasobject for array in arrays.values()):
            raise TypeError("arrays must hold numbers or text, got Python objects")
        if arrays:
            file = packed(arrays, _identity(record), compressed=True)
            write_atomically(self._path(record.cell, "npz"), file)
        text = record.model_dump_json(indent=1)
        write_atomically(self._path(record.cell, "json"), sealed_json(text))
        return record

    def read(self, cell: str) -> Record | None:
        """Reads one record; one that cannot be trusted is set aside with a `CorruptRecord` warning.

        A cell without one is read from the table of rows, if that holds it.

        Args:
            cell: its id.

        Returns:
            The record, or None where there is none (any more).

        Raises:
            OSError: where it cannot be read for a reason that is not the record's.
        """
        try:
            text = unsealed_json(read_bytes(self._path(cell, "json")))
            record = Record.model_validate_json(text)
        except FileNotFoundError:
            return self._table.read(cell)
        except (OSError, ValueError) as error:
            self._set_aside(cell, _own(error))
            return None
        if record.cell != cell:
            self._set_aside(cell, f"it belongs to cell {record.cell}")
            return None
        try:
            if record.arrays:
                verify(read_bytes(self._path(cell, "npz")), _identity(record))
        except (OSError, SealError) as error:
            self._set_aside(cell, f"of its arrays, {_own(error)}")
            return None
        return record

    def names(self) -> set[str]:
        """Returns the ids of all cells that have a record, good or not."""
        return {path.stem for path in self.cells.glob("*.json")}

    def arrays(self, cell: str) -> dict[str, np.ndarray]:
        """Reads the arrays of one cell.

        Args:
            cell: its id.

        Returns:
            The arrays by name; none where the record has none.
        """
        record = self.read(cell)
        if record is None or not record.arrays:
            return {}
        try:
            arrays = unpacked(read_bytes(self._path(cell, "npz")), _identity(record))
            return {name: arrays[name] for name in record.arrays}
        except (OSError, ValueError, KeyError) as error:
            self._set_aside(cell, _own(error))
            return {}

    def keep_code(self, code: str, digests: Mapping[str, str]) -> None:
        """Keeps which files a hash of the code was made from, so that a later run can name changes.

        Args:
            code: the hash.
            digests: file -> its own hash.
        """
        path = self._code(code)
        if not path.is_file():
            write_atomically(path, (json.dumps(dict(digests), indent=1) + "\n").encode())

    def code(self, code: str) -> dict[str, str]:
        """Reads what `keep_code` kept.

        Args:
            code: the hash of the code.

        Returns:
            File -> its own hash; nothing where that is not known.
        """
        try:
            digests = json.loads(read_bytes(self._code(code)))
        except (OSError, ValueError, RecursionError):
            return {}
        return digests if isinstance(digests, dict) else {}

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps the folder for this process; nests within one store; a dead holder is no obstacle.

        Yields:
            None, while the folder is held.

        Raises:
            LockedError: another run holds it.
            StoreError: the folder cannot be written.
            NotDoneError: nothing can be written for now.
        """
        if self._lock is not None:
            yield
            return
        try:
            self.cells.mkdir(parents=True, exist_ok=True)
            file = open(self.folder / ".lock", "a+b", buffering=0)
        except OSError as error:
            raise self._unusable(error) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._sign(file)
            except BlockingIOError:
                raise LockedError(f"{self.folder} is in use{_holder(file)}") from None
            except OSError as error:
                raise self._unusable(error) from error
            self._lock = file
            try:
                yield
            finally:
                self._lock = None

    def _sign(self, file: BinaryIO) -> None:
        """Names the holder in the lock file and clears what a killed run left half written."""
        holder = {
            "pid": os.getpid(),
            "host": platform.node(),
            "start": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": shlex.join(sys.argv),
        }
        file.truncate(0)
        file.write(json.dumps(holder).encode())
        sweep(self.folder, self.cells, *(self.folder / part for part in ("models", "code")))

    def _unusable(self, error: OSError) -> StoreError | NotDoneError:
        refused = refusal(error, "write to", self.folder, other="folder")
        return StoreError(str(refused)) if isinstance(refused, UserError) else refused

    def _code(self, code: str) -> Path:
        return self.folder / "code" / f"{code}.json"

    def _path(self, cell: str, suffix: str) -> Path:
        return self.cells / f"{cell}.{suffix}"

    def _set_aside(self, cell: str, reason: str | Exception) -> None:
        if isinstance(reason, Exception):
            reason = str(reason) if isinstance(reason, SealError) else one_line(reason)
        what = "cannot be used"
        if not self.only_look:
            what = f"set aside as {cell}.json.corrupt"
            for suffix in ("json", "npz"):
                path = self._path(cell, suffix)
                with suppress(OSError):
                    path.rename(path.with_name(f"{path.name}.corrupt"))
        warnings.warn(f"record of cell {cell} {what}: {reason}", CorruptRecord, stacklevel=3)


def _own(error: Exception) -> Exception:
    """An error that is a file's own; any other is raised: the file may be as it was."""
    if unread(error):
        raise error
    return error


def _identity(record: Record) -> dict[str, str]:
    """What the arrays of a record say that they are."""
    return {"cell": record.cell, "code": record.code}


def _holder(file: BinaryIO) -> str:
    """The rest of the sentence that says who holds a lock."""
    try:
        file.seek(0)
        who = json.load(file)
        text = "{pid} on {host} since {start} ({command})".format_map(who)
    except (ValueError, TypeError, KeyError, OSError, RecursionError):  # not signed yet
        return " by another run; wait for it to end"
    return f" by process {text}; wait for it to end, or stop it"
