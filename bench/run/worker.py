"""What a worker does with a job: runs it, writes its records, keeps its log.

A job is a plain dictionary::

    {
        "function": "bench.run.cell:run_block",  # import path: job -> one outcome per wanted cell
        "name": "latent_dim-4",              # of the configuration
        "configuration": {...},              # its values
        "block": [0, 1, 2, 3, 4],            # seeds that train together
        "cells": {cell_id: seed},            # the wanted ones
        "code": "5a1c...",                   # hash of the code that decides their records
        "device": "cpu",
        "results": "results/digits",         # folder of the store and of the logs
        "timeout": 600.0,                    # seconds
        "cost": 28.0,                        # estimate; only its order matters; optional
        "data": "9f3b...",                   # fingerprint of the data set; optional
    }

`execute` runs it in a worker, writes the records there, and returns them.
"""

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

from bench.run.record import one_line
from bench.run.store import Store

__all__ = ["Job", "Records", "execute", "log_path", "write"]

Job = Mapping[str, Any]
Records = list[dict[str, Any]]


def execute(job: Job) -> Records:
    """Runs one job and writes its records; its own failure is a record too.

    Everything that the job prints, and its traceback, goes to its log.

    Args:
        job: see above.

    Returns:
        One record per wanted cell, as plain data.
    """
    start = time.perf_counter()
    with _captured(log_path(job), job["timeout"]):
        try:
            outcomes = _outcomes(job)
        except (Exception, SystemExit) as error:
            _print(error)
            seconds = (time.perf_counter() - start) / len(job["block"])
            outcomes = [_failure(cell, error, seconds) for cell in job["cells"]]
        return [_written(job, outcome) for outcome in outcomes]


def _outcomes(job: Job) -> Records:
    module, _, name = job["function"].partition(":")
    outcomes: Records = getattr(importlib.import_module(module), name)(job)
    cells = [outcome["cell"] for outcome in outcomes]
    if sorted(cells) != sorted(job["cells"]):
        expected, got = ", ".join(job["cells"]), ", ".join(cells)
        raise ValueError(f"{job['function']} must return the cells {expected}, got {got or 'none'}")
    return outcomes


def _written(job: Job, outcome: dict[str, Any]) -> dict[str, Any]:
    try:
        if outcome["status"] == "ok" and not outcome["measurements"]:
            raise ValueError("nothing was measured")
        record = write(job, outcome)
    except Exception as error:
        _print(error)
        record = _failure(outcome["cell"], error, outcome.get("seconds", math.nan))
        with suppress(OSError):
            write(job, record)
    if record["status"] != "ok":
        with suppress(OSError):
            print(f"{record['cell']} {record['status']}: {record['message']}")
    return record


def write(job: Job, outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Writes the record of one cell of a job.

    Args:
        job: see above.
        outcome: what `bench.run.store.Store.write` takes.

    Returns:
        The record, as plain data.
    """
    whose = {"name": job["name"], "seed": job["cells"][outcome["cell"]]}
    whose |= {"data": job.get("data", "")}
    return Store(job["results"]).write({**outcome, **whose}, job["code"]).model_dump()


def _failure(cell: str, error: BaseException, seconds: float) -> dict[str, Any]:
    return {"cell": cell, "status": "failed", "message": one_line(error), "seconds": seconds}


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


def log_path(job: Job) -> Path:
    """Where a job's output goes: ``<results>/logs/<name>-<first seed>.log``."""
    return Path(job["results"]) / "logs" / f"{job['name']}-{min(job['block'])}.log"
