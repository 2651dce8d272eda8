"""Runs the jobs of a matrix: order, progress, failures become records, one summary.

Nothing a job does stops the others, and nothing that stops this process loses a finished job:
workers write the records, the runner only those of workers that did not live to.
"""

import math
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any

from bench.run.executors import Executor, cause
from bench.run.job import Job
from bench.run.progress import Progress
from bench.run.record import DONE, CellResult, Record
from bench.run.staleness import inspect, reasons
from bench.run.store import Store
from bench.run.summary import Failure, Summary
from bench.run.worker import Records

__all__ = ["ordered", "run"]

_Outcome = tuple[str, str]
"""Status and message of a cell."""

_PATIENCE = 60.0  # seconds for records to appear in the folder
_BREAKS = 3  # of the executor, without a finished job between: then give up


def ordered(jobs: Iterable[Job]) -> list[Job]:
    """Longest first, seed blocks interleaved: the first block of every configuration, and so on.

    Args:
        jobs: in any order.

    Returns:
        The order to run them in; a run that is cut short is balanced over configurations.
    """
    jobs = list(jobs)
    blocks: dict[str, list[Sequence[int]]] = defaultdict(list)
    for job in sorted(jobs, key=lambda job: min(job.block)):
        blocks[job.name].append(job.block)

    def place(job: Job) -> tuple[int, float]:
        return blocks[job.name].index(job.block), -job.cost

    return sorted(jobs, key=place)


def run(
    jobs: Iterable[Job],
    store: Store,
    executor: Executor,
    progress: Progress,
    *,
    keep_stale: bool = False,
    again: bool = False,
) -> Summary:
    """Runs what is not done yet; SIGINT and SIGTERM end the run early, not the process.

    Args:
        jobs: all jobs of the matrix with all their cells.
        store: where the records are; locked meanwhile.
        executor: where to run; stopped at the end.
        progress: told what happens.
        keep_stale: take the results of other code as they are.
        again: run again what diverged.

    Returns:
        What became of every cell of the jobs.
    """
    start = time.monotonic()
    jobs = ordered(jobs)
    with store.lock():
        states = inspect(jobs, store)
        enough = {"cached", "stale"} if keep_stale else {"cached"}
        before = {
            cell: (state.status, state.message)
            for cell, state in states.items()
            if state.state in enough and not (again and state.status == "diverged")
        }
        todo = [left for job in jobs if (left := job.without(before))]
        progress.start(todo, len(before))
        if not keep_stale:
            for line in reasons(states):
                progress.note(line)
        try:
            drive = _Drive(store, executor, progress)
            interrupted = drive.run(todo)
        finally:
            progress.stop()
        unheard = [left for job in todo if (left := job.without(drive.outcomes))]
        late = {  # finished just before an interruption
            cell: (state.status, state.message)
            for cell, state in inspect(unheard, store).items()
            if state.state == "cached"
        }
        lost = _not_here(store, drive.outcomes)
    outcomes = before | drive.outcomes | late | lost
    seconds, busy = time.monotonic() - start, sum(drive.stages.values())
    return Summary(
        statuses={
            cell: outcomes[cell][0] if cell in outcomes else "missing"
            for job in jobs
            for cell in job.cells
        },
        cached=set(before),
        stale={cell for cell in before if states[cell].state == "stale"},
        failures=_failures(jobs, outcomes),
        seconds=seconds,
        stages=drive.stages | {"harness": max(0.0, executor.workers * seconds - busy)},
        interrupted=interrupted,
    )


class _Drive:
    """Runs jobs to the end or to a signal.

    Attributes:
        outcomes: cell -> what became of it, of all that was heard of.
        stages: seconds by stage that the jobs took.
    """

    def __init__(self, store: Store, executor: Executor, progress: Progress) -> None:
        self.outcomes: dict[str, _Outcome] = {}
        self.stages: dict[str, float] = {}
        self._store = store
        self._executor = executor
        self._progress = progress
        self._running: dict[Future[Records], Job] = {}
        self._finished: SimpleQueue[Future[Records] | None] = SimpleQueue()
        self._breaks = 0

    def run(self, todo: Sequence[Job]) -> bool:
        """Runs them; says whether a signal ended it."""
        running = self._running
        with _stopped(self._executor, self._finished):
            self._submit(todo)
            while running:
                self._progress.show(job.name for f, job in running.items() if f.running())
                with suppress(Empty):
                    future = self._finished.get(timeout=1.0)
                    if future is None:
                        return True
                    if future in running:  # else it belonged to an executor that broke
                        self._end(future)
        return False

    def _submit(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            future = self._executor.submit(job)
            self._running[future] = job
            future.add_done_callback(self._finished.put)

    def _end(self, future: "Future[Records]") -> None:
        ended, error = [self._running.pop(future)], future.exception()
        self._breaks = self._breaks + 1 if isinstance(error, BrokenExecutor) else 0
        if self._breaks:  # nothing that was submitted can be relied on
            ended += self._running.values()
            self._running.clear()
            self._executor.stop()
            if self._breaks < _BREAKS:
                self._submit(ended)
                return
        for job in ended:
            records = _lost(job, self._store, error) if error else future.result()
            self.outcomes |= {record.cell: (record.status, record.message) for record in records}
            for record in records:
                spent = record.stages or {record.status: record.seconds}
                for stage, seconds in spent.items():
                    if seconds == seconds:
                        self.stages[stage] = self.stages.get(stage, 0.0) + seconds
            statuses = [record.status for record in records]
            self._progress.finish(job, statuses, sum(record.seconds for record in records))


def _lost(job: Job, store: Store, error: BaseException) -> Records:
    """Writes the records that a worker could not; what it had finished stays."""
    status, message = cause(error)
    seconds = job.timeout / len(job.block) if status == "timeout" else math.nan
    kept = {cell: record for cell in job.cells if (record := store.read(cell)) is not None}
    records = [r for r in kept.values() if r.status in DONE and r.code == job.code]
    with suppress(OSError):
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{status}: {message}\n")
    rest = job.without([record.cell for record in records])
    for cell in rest.cells if rest else ():
        failure = CellResult(cell, status, message, seconds)
        with suppress(OSError):
            store.write(failure, job)
        records.append(Record.of(failure, job))
    return records


def _not_here(store: Store, outcomes: Mapping[str, _Outcome]) -> dict[str, _Outcome]:
    """Cells whose records are said to be written and are not: a network may take a while."""
    missing = {cell for cell, (status, _) in outcomes.items() if status in DONE}
    end = time.monotonic() + _PATIENCE
    while missing := missing - store.names():
        if time.monotonic() > end:
            break
        time.sleep(min(1.0, _PATIENCE))
    message = f"its record is not in {store.folder}: do the workers share this folder?"
    return dict.fromkeys(missing, ("failed", message))


@contextmanager
def _stopped(executor: Executor, finished: "SimpleQueue[Any]") -> Iterator[None]:
    """Stops the executor at the end; until then SIGINT and SIGTERM put None into the queue."""
    main = threading.current_thread() is threading.main_thread()
    previous = {
        number: signal.signal(number, lambda *_: finished.put(None))
        for number in ((signal.SIGINT, signal.SIGTERM) if main else ())
    }
    try:
        yield
    finally:
        executor.stop()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _failures(jobs: Iterable[Job], outcomes: Mapping[str, _Outcome]) -> list[Failure]:
    failures = []
    for job in jobs:
        seeds = defaultdict(list)
        for cell, seed in job.cells.items():
            if cell in outcomes and outcomes[cell][0] != "ok":
                seeds[outcomes[cell]].append(seed)
        failures += [
            Failure(job.name, tuple(failed), status, message, job.log)
            for (status, message), failed in seeds.items()
        ]
    return failures
