"""What a calibration has finished, so that one that was stopped goes on where it was."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.calibration.task import Task
from vaelib.code_hash import code_hash

__all__ = ["Finished"]

Rows = list[dict[str, Any]]


class Finished:
    """Rows of finished tasks, one line of JSON each, good for the code that made them alone.

    Args:
        path: The file; made with the first task.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._code = code_hash("bench.calibration.run")
        self._rows: dict[Task, Rows] = {}
        with suppress(FileNotFoundError):
            for line in path.read_text().splitlines():
                with suppress(ValueError, KeyError, TypeError):  # cut off by a crash
                    known = json.loads(line)
                    if known["code"] == self._code:
                        self._rows[Task(**known["task"])] = known["rows"]

    def of(self, tasks: Iterable[Task]) -> dict[Task, Rows]:
        """Rows of those tasks that are finished."""
        return {task: self._rows[task] for task in tasks if task in self._rows}

    def keep(self, found: Iterable[tuple[Task, Rows]]) -> Iterator[tuple[Task, Rows]]:
        """Pass results on, each kept before it is.

        Args:
            found: Tasks and their rows.

        Yields:
            The same.
        """
        for task, rows in found:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            line = json.dumps({"code": self._code, "task": asdict(task), "rows": rows})
            with open(self._path, "a") as file:
                file.write(line + "\n")
            yield task, rows

    def forget(self) -> None:
        """Remove the file: all is written elsewhere."""
        self._path.unlink(missing_ok=True)
