"""What a calibration has finished, so that one that was stopped goes on where it was."""

import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.calibration.experiments import Experiment
from bench.calibration.task import Result, Rows, Task
from vaelib.code_hash import code_hash
from vaelib.reading import read_bytes
from vaelib.sealed import CacheWarning

__all__ = ["Finished"]


class Finished:
    """Rows of finished tasks, a line of JSON with a checksum each, good for their own code alone.

    Args:
        path: The file; made with the first task.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._code = code_hash("bench.calibration.run")
        self._rows: dict[Task[Experiment], Rows] = {}
        for line in _lines(path):
            with suppress(ValueError, KeyError, TypeError, RecursionError):  # cut off by a crash
                record = json.loads(line)
                if record.pop("sha256") == _digest(record) and record["code"] == self._code:
                    self._rows[Task.from_dict(record["task"])] = record["rows"]

    def add(self, results: Iterable[Result]) -> None:
        """Take results that are kept elsewhere for finished.

        Args:
            results: Tasks and their rows, of the present code.
        """
        self._rows |= dict(results)

    def of(self, tasks: Iterable[Task[Experiment]]) -> dict[Task[Experiment], Rows]:
        """Rows of those tasks that are finished."""
        return {task: self._rows[task] for task in tasks if task in self._rows}

    def keep(self, results: Iterable[Result]) -> Iterator[Result]:
        """Pass results on, each kept before it is.

        Args:
            results: Tasks and their rows.

        Yields:
            The same.
        """
        for task, rows in results:
            record = {"code": self._code, "task": task.to_dict(), "rows": rows}
            line = json.dumps(record | {"sha256": _digest(record)})
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with open(self._path, "a", encoding="utf-8") as file:
                    file.write(line + "\n")
            except OSError as error:
                _warn(self._path, "not kept, and computed again if this run is stopped", error)
            yield task, rows

    def forget(self) -> None:
        """Remove the file: all is written elsewhere."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _lines(path: Path) -> list[bytes]:
    try:
        return read_bytes(path).splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        _warn(path, "not used but computed again", error)
        return []


def _warn(path: Path, what: str, error: OSError) -> None:
    text = f"what is finished in {path} is {what}: {error.strerror}"
    warnings.warn(text, CacheWarning, stacklevel=3)
