"""What a worker does with a job: runs it, writes its records, keeps its log."""

import faulthandler
import importlib
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer
from typing import Any, BinaryIO, TextIO

from bench.run.job import Job
from bench.run.record import CellResult, Record, one_line
from bench.run.store import Store

__all__ = ["Records", "execute"]

Records = list[Record]


def execute(values: Mapping[str, Any]) -> Records:
    """Runs one job and writes its records; its own failure is a record too.

    Everything that the job prints, and its traceback, goes to its log.

    Args:
        values: of a `bench.run.job.Job`, as plain data.

    Returns:
        One record per wanted cell.
    """
    start = time.perf_counter()
    job = Job.from_dict(values)
    with _captured(job.log, job.timeout):
        try:
            with _only_here():
                results = _results(job)
        except BaseException as error:  # whatever a component raises
            _print(error)
            seconds = (time.perf_counter() - start) / len(job.block)
            return [_failed(cell, job, error, seconds) for cell in job.cells]
        return [_written(job, result) for result in results]


def _results(job: Job) -> list[CellResult]:
    if job.place:
        with suppress(FileNotFoundError):  # on another machine; then relative paths say so
            os.chdir(job.place)
        if job.has_own_code and job.place not in sys.path:
            sys.path.append(job.place)  # what is installed comes before
    module, _, name = job.function.partition(":")
    results: list[CellResult] = getattr(importlib.import_module(module), name)(job)
    cells = [result.cell for result in results]
    if sorted(cells) != sorted(job.cells):
        expected, returned = ", ".join(job.cells), ", ".join(cells) or "none"
        raise ValueError(f"{job.function} must return the cells {expected}, got {returned}")
    return results


@contextmanager
def _only_here() -> Iterator[None]:
    """Ends a copy of this process that was forked inside and left to return: it is not the job."""
    own = os.getpid()
    try:
        yield
    finally:
        if os.getpid() != own:
            os._exit(0)


def _written(job: Job, result: CellResult) -> Record:
    try:
        if result.status == "ok" and not result.measurements:
            raise ValueError("nothing was measured")
        record = Store(job.results).write(result, job)
    except Exception as error:
        _print(error)
        if isinstance(error, OSError) and error.errno is not None:
            error = OSError(error.errno, error.strerror)  # of all cells alike, whose files differ
        return _failed(result.cell, job, error, result.seconds)
    if record.status != "ok":
        _tell(record)
    return record


def _failed(cell: str, job: Job, error: BaseException, seconds: float) -> Record:
    """Writes the record of a failure, where that is possible."""
    known = seconds if isinstance(seconds, int | float) else math.nan
    result = CellResult(cell, "failed", one_line(error), known)
    record = Record.of(result, job)
    with suppress(OSError):
        Store(job.results).write(result, job)
    _tell(record)
    return record


def _tell(record: Record) -> None:
    with suppress(OSError):
        print(f"{record.cell} {record.status}: {record.message}")


def _print(error: BaseException) -> None:
    with suppress(OSError):  # the disk may be full
        traceback.print_exception(error)


@contextmanager
def _captured(log: Path, timeout: float) -> Iterator[None]:
    """Sends the output of Python and C code to the log; shows there where a hang hangs."""
    with _opened(log) as file, _redirected(sys.stdout, 1, file), _redirected(sys.stderr, 2, file):
        with _shown(file, max(0.9 * timeout, timeout - 1), timeout):
            yield
    with suppress(OSError):
        if log.stat().st_size == 0:
            log.unlink()


@contextmanager
def _shown(file: BinaryIO, seconds: float, timeout: float) -> Iterator[None]:
    """Writes a traceback of what still runs after so many seconds.

    A thread does, while it holds the interpreter's lock: nothing it looks at changes then, as it
    would under ``dump_traceback_later``, which crashes now and then. Where C code keeps the lock,
    nothing changes either, and a signal does it instead.
    """

    def show() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        with suppress(OSError):
            faulthandler.dump_traceback(file)

    thread = Timer(seconds, show)
    thread.daemon = True
    faulthandler.register(signal.SIGALRM, file=file)
    signal.setitimer(signal.ITIMER_REAL, (seconds + timeout) / 2)
    thread.start()
    try:
        yield
    finally:
        thread.cancel()
        thread.join()
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.unregister(signal.SIGALRM)


@contextmanager
def _redirected(stream: TextIO, descriptor: int, file: BinaryIO) -> Iterator[None]:
    saved = os.dup(descriptor)
    os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        with suppress(OSError):
            stream.flush()
        os.dup2(saved, descriptor)
        os.close(saved)


def _opened(log: Path) -> BinaryIO:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return open(log, "wb", buffering=0)
    except OSError:
        return open(os.devnull, "wb", buffering=0)
