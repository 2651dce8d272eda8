"""The suite's own calibration: every estimator against its oracle, every test under its null.

``vaebench validate`` writes ``validity.md`` with the raw numbers beside it, from which the page is
made. What falls out of its band is run once more, on fresh streams and with four times the
repetitions, and the second run alone decides: with some hundreds of bands a first run falls out of
one of them by chance too often, and a defect does not go away. The answers are counted over all
kinds at once instead; each of their rows stands alone, so that hours of them may be run in pieces.
"""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch

from bench.calibration.answers.audits import answer_rows, answer_tasks, known_answers
from bench.calibration.estimators import estimator_row, estimator_tasks
from bench.calibration.excess import excess_rows, excess_tasks
from bench.calibration.experiments import Experiment
from bench.calibration.finished import Finished
from bench.calibration.intervals import interval_rows, interval_tasks
from bench.calibration.levels import level_rows, level_tasks, power_rows, power_tasks
from bench.calibration.measured import code_of
from bench.calibration.task import Result, Rows, Task
from bench.calibration.verdicts import judged, raw_table
from bench.rows import write_rows
from bench.run.isolation import prepare, server
from bench.run.progress import counted, duration

__all__ = ["FULL", "QUICK", "SUBJECTS", "Subject", "perform", "run"]

FULL, QUICK = "validity", "validity-quick"
"""Names of the page; the quick one never takes the place of the full one."""

_AGAIN = 4  # times the repetitions


class Tasks(Protocol):
    """Lists the tasks of a subject."""

    def __call__(self, quick: bool) -> Sequence[Task[Experiment]]:
        """All of them."""


@dataclass(frozen=True)
class Subject:
    """One table of raw numbers.

    Attributes:
        tasks: Lists what is to be run.
        rows: Runs one task.
        known: Tasks and rows that a table of its holds, where each row stands alone: then the
            table may hold a part of all, and nothing is run again.
    """

    tasks: Tasks
    rows: Callable[[Task[Any]], Rows]
    known: Callable[[pd.DataFrame], Iterator[tuple[Task[Any], Rows]]] | None = None


def run(
    results: Path,
    *,
    quick: bool = False,
    workers: int = 1,
    only: Collection[str] = (),
    minutes: float = math.inf,
    say: Callable[[str], None] = print,
) -> None:
    """Calibrate the suite and write its tables; one that was stopped goes on where it was.

    Args:
        results: Folder of all results.
        quick: Fewer settings and repetitions, in ``validity-quick`` instead of ``validity``.
        workers: Processes; with one, everything runs in this one.
        only: Subjects to look at; all where there are none.
        minutes: After which the task at work is the last. Tables of which a task is missing stay
            as they were, but for those whose rows stand alone.
        say: Takes a line of progress.
    """
    name, end = QUICK if quick else FULL, time.monotonic() + 60 * minutes
    subjects = [subject for subject in SUBJECTS if not only or subject in only]
    planned = {subject: SUBJECTS[subject].tasks(quick) for subject in subjects}
    tasks = [task for own in planned.values() for task in own]
    finished = Finished(results / "cache" / f"{name}.jsonl")
    for subject in subjects:
        finished.add(_known(results / name, subject))
    rows = _rows(tasks, finished, workers, say, end)
    if again := [
        replace(task, repetitions=_AGAIN * task.repetitions, again=1) for task in _suspects(rows)
    ]:
        due = counted(len(again), "task is", "tasks are")
        say(f"{due} run again, with {_AGAIN} times the repetitions")
        planned["again"] = again
        rows |= _rows(again, finished, workers, say, end)
    every = [task for own in planned.values() for task in own]
    for subject in subjects:
        own = [task for task in every if task.experiment.subject == subject]
        done = [task for task in own if task in rows]
        if len(done) == len(own) or (done and SUBJECTS[subject].known):
            table = pd.DataFrame([row for task in done for row in rows[task]])
            if "code" not in table:  # of one code all: what is kept is good for its own alone
                table = table.assign(code=code_of(subject))
            write_rows(results / name / f"{subject}.csv", table)
    if missing := sum(task not in rows for task in every):
        due = counted(missing, "task is", "tasks are")
        say(f"{due} left; the same command goes on with {'it' if missing == 1 else 'them'}")
    elif not only:
        finished.forget()


def _known(folder: Path, subject: str) -> Iterator[Result]:
    """What a table holds that another machine or day may have made."""
    known = SUBJECTS[subject].known
    if known and (folder / f"{subject}.csv").is_file():
        yield from known(raw_table(folder, subject))


def perform(
    tasks: Sequence[Task[Experiment]], workers: int, say: Callable[[str], None]
) -> Generator[Result]:
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
        experiment = f"{task.experiment.subject}: {task.experiment.name}"
        say(f"[{done:{len(str(total))}}/{total}] {took} {experiment}")
        yield task, rows


def _finished(tasks: Sequence[Task[Experiment]], workers: int) -> Iterator[Result]:
    if workers == 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the last digits of a sum depend on it
        try:
            for task in tasks:
                yield task, _run(task)
        finally:
            torch.set_num_threads(threads)
        return
    context = server(("torch", "bench.calibration.run"))
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=prepare)
    try:
        running = {pool.submit(_run, task): task for task in sorted(tasks, key=_cost)}
        for future in as_completed(running):
            yield running[future], future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():  # what still runs is not waited for
            process.kill()


def _run(task: Task[Experiment]) -> Rows:
    return SUBJECTS[task.experiment.subject].rows(task)


def _cost(task: Task[Experiment]) -> tuple[bool, int]:
    """Sorts the few tasks of many rows first."""
    return task.experiment.subject != "intervals", -task.experiment.size


def _rows(
    tasks: Sequence[Task[Experiment]],
    finished: Finished,
    workers: int,
    say: Callable[[str], None],
    end: float,
) -> dict[Task[Experiment], Rows]:
    """Results in the order of the tasks, whoever finished first; what is finished is not run."""
    rows = finished.of(tasks)
    if rows:
        say(f"{len(rows)} of {len(tasks)} tasks were finished before")
    missing = [task for task in tasks if task not in rows]
    with closing(perform(missing, workers, say)) as results:
        for task, found in finished.keep(results):
            rows[task] = found
            if time.monotonic() >= end:
                break
    return {task: rows[task] for task in tasks if task in rows}


def _suspects(rows: dict[Task[Experiment], Rows]) -> list[Task[Experiment]]:
    """All parts of every experiment of which a row lies outside its band."""
    tasks: dict[Experiment, list[Task[Experiment]]] = {}
    for task in rows:
        tasks.setdefault(task.experiment, []).append(task)
    suspects = []
    for experiment, parts in tasks.items():
        if SUBJECTS[experiment.subject].known:
            continue
        table = pd.DataFrame([row for task in parts for row in rows[task]])
        if judged(experiment.subject, table)["outside"].any():
            suspects += parts
    return suspects


SUBJECTS: dict[str, Subject] = {
    "answers": Subject(answer_tasks, answer_rows, known_answers),
    "estimators": Subject(estimator_tasks, estimator_row),
    "excess": Subject(excess_tasks, excess_rows),
    "levels": Subject(level_tasks, level_rows),
    "power": Subject(power_tasks, power_rows),
    "intervals": Subject(interval_tasks, interval_rows),
}
