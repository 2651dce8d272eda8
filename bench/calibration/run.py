"""The suite's own calibration: every estimator against its oracle, every test under its null.

``vaebench validate`` writes ``validity.md`` with the raw numbers beside it, from which the page is
made. What falls out of its band is run once more, on fresh streams and with four times the
repetitions, and the second run alone decides: with some hundreds of bands a first run falls out of
one of them by chance too often, and a defect does not go away.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch

from bench.calibration.estimators import estimator_row, estimator_tasks
from bench.calibration.excess import excess_rows, excess_tasks
from bench.calibration.finished import Finished
from bench.calibration.intervals import interval_rows, interval_tasks
from bench.calibration.levels import level_rows, level_tasks, power_rows, power_tasks
from bench.calibration.task import Task
from bench.calibration.verdicts import judged
from bench.rows import write_rows
from bench.run.executors import process_pool
from bench.run.progress import duration

__all__ = ["FULL", "QUICK", "SUBJECTS", "Subject", "perform", "run"]

FULL, QUICK = "validity", "validity-quick"
"""Names of the page; the quick one never takes the place of the full one."""

Rows = list[dict[str, Any]]
_AGAIN = 4  # times the repetitions


class Tasks(Protocol):
    """Lists the tasks of a subject."""

    def __call__(self, quick: bool) -> list[Task]:
        """All of them."""


@dataclass(frozen=True)
class Subject:
    """One table of raw numbers.

    Attributes:
        tasks: Lists what is to be run.
        rows: Runs one task.
    """

    tasks: Tasks
    rows: Callable[[Task], Rows]


def run(
    results: Path, *, quick: bool = False, workers: int = 1, say: Callable[[str], None] = print
) -> None:
    """Calibrate the suite and write its tables; one that was stopped goes on where it was.

    Args:
        results: Folder of all results.
        quick: Fewer settings and repetitions, in ``validity-quick`` instead of ``validity``.
        workers: Processes; with one, everything runs in this one.
        say: Takes a line of progress.
    """
    name = QUICK if quick else FULL
    tasks = [task for subject in SUBJECTS.values() for task in subject.tasks(quick)]
    finished = Finished(results / "cache" / f"{name}.jsonl")
    rows = _rows(tasks, finished, workers, say)
    if again := [
        replace(task, repetitions=_AGAIN * task.repetitions, again=1) for task in _suspects(rows)
    ]:
        say(f"{len(again)} tasks are run again, with {_AGAIN} times the repetitions")
        rows |= _rows(again, finished, workers, say)
    for subject in SUBJECTS:
        table = [row for task, part in rows.items() if task.subject == subject for row in part]
        write_rows(results / name / f"{subject}.csv", pd.DataFrame(table))
    finished.forget()


def perform(
    tasks: Sequence[Task], workers: int, say: Callable[[str], None]
) -> Iterator[tuple[Task, Rows]]:
    """Run tasks, the longest first.

    Args:
        tasks: In any order.
        workers: Processes; with one, everything runs in this one.
        say: Takes a line per finished task.

    Yields:
        Each task and its rows, as they finish.
    """
    start, total = time.perf_counter(), len(tasks)
    for done, (task, rows) in enumerate(_finished(tasks, workers), 1):
        took = duration(time.perf_counter() - start)
        say(f"[{done:{len(str(total))}}/{total}] {took} {task.subject}: {task.name}")
        yield task, rows


def _finished(tasks: Sequence[Task], workers: int) -> Iterator[tuple[Task, Rows]]:
    if workers == 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the last digits of a sum depend on it
        try:
            for task in tasks:
                yield task, _run(task)
        finally:
            torch.set_num_threads(threads)
        return
    pool = process_pool(workers, ("torch", "bench.calibration.run"))
    try:
        running: dict[Future[Rows], Task] = {
            pool.schedule(_run, args=(task,)): task for task in sorted(tasks, key=_cost)
        }
        for future in as_completed(running):
            yield running[future], future.result()
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _run(task: Task) -> Rows:
    return SUBJECTS[task.subject].rows(task)


def _cost(task: Task) -> tuple[bool, int]:
    """Sorts the few tasks of many rows first."""
    rows = [int(part) for part in task.name.split("|")[1:2]]
    return task.subject != "intervals", -max(rows, default=0)


def _rows(
    tasks: Sequence[Task], finished: Finished, workers: int, say: Callable[[str], None]
) -> dict[Task, Rows]:
    """Results in the order of the tasks, whoever finished first; what is finished is not run."""
    found = finished.of(tasks)
    if found:
        say(f"{len(found)} of {len(tasks)} tasks were finished before")
    missing = [task for task in tasks if task not in found]
    found |= dict(finished.keep(perform(missing, workers, say)))
    return {task: found[task] for task in tasks}


def _suspects(rows: dict[Task, Rows]) -> list[Task]:
    """All parts of every experiment of which a row lies outside its band."""
    experiments: dict[tuple[str, str], list[Task]] = {}
    for task in rows:
        experiments.setdefault((task.subject, task.name), []).append(task)
    found = []
    for (subject, _), parts in experiments.items():
        frame = pd.DataFrame([row for task in parts for row in rows[task]])
        if judged(subject, frame)["outside"].any():
            found += parts
    return found


SUBJECTS: dict[str, Subject] = {
    "estimators": Subject(estimator_tasks, estimator_row),
    "excess": Subject(excess_tasks, excess_rows),
    "levels": Subject(level_tasks, level_rows),
    "power": Subject(power_tasks, power_rows),
    "intervals": Subject(interval_tasks, interval_rows),
}
