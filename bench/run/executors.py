"""Where jobs run: the `Executor` seam, and the local process pool."""

import ctypes
import faulthandler
import multiprocessing
import multiprocessing.connection
import multiprocessing.context
import multiprocessing.forkserver
import os
import platform
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future
from threading import Thread
from typing import Protocol

from pebble import ProcessExpired, ProcessPool

from bench.run.job import Job
from bench.run.record import Status, one_line
from bench.run.worker import Records, execute

__all__ = [
    "Executor",
    "JobLost",
    "LocalExecutor",
    "cause",
    "keep_memory",
    "process_pool",
]

_ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)


_WITH_ZERO = 256  # no process can return that


class Executor(Protocol):
    """Runs functions somewhere else; the runner knows no more than this."""

    @property
    def workers(self) -> int:
        """How many jobs run at once."""

    def submit(self, job: Job) -> "Future[Records]":
        """Starts ``execute(job.to_dict())``, in the order of submission; never raises itself.

        The future raises `TimeoutError` where the job took longer than its timeout, and
        `BrokenExecutor` where the executor failed; then it must be stopped before more is
        submitted. `cause` says what any other exception means.
        """

    def stop(self) -> None:
        """Ends everything that still runs, at once; returns when nothing does."""


class JobLost(Exception):
    """A job that did not end by itself, where the first error cannot travel.

    Args:
        status: of its records.
        message: of its records.
    """

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(status, message)


class LocalExecutor:
    """Worker processes of this machine, one thread each.

    Workers are forked by a clean server process that has imported torch and never computed. They
    die with this process, even by SIGKILL.

    Args:
        workers: how many run at once.
        preload: modules that the server imports, so that a worker starts fast.

    Raises:
        ValueError: if there is to be no worker.
    """

    def __init__(self, workers: int, preload: Sequence[str] = ("torch", "bench.run.cell")) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self.workers = workers
        self._preload = list(preload)
        self._pool: ProcessPool | None = None

    def submit(self, job: Job) -> "Future[Records]":
        """Starts a job on the next free worker; the first call starts the workers."""
        future: Future[Records] = Future()
        try:
            if self._pool is None:
                self._pool = process_pool(self.workers, self._preload)
            future = self._pool.schedule(execute, args=(job.to_dict(),), timeout=job.timeout)
        except (BrokenExecutor, RuntimeError) as error:  # pebble's word for a pool that broke
            future.set_exception(BrokenExecutor(f"the workers could not be started: {error}"))
        return future

    def stop(self) -> None:
        """Ends all workers."""
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
            self._pool = None


def process_pool(workers: int, preload: Sequence[str]) -> ProcessPool:
    """Starts worker processes, forked by a clean server, one thread each.

    Args:
        workers: how many.
        preload: modules that the server imports.

    Returns:
        The pool.
    """
    context = _Context()
    context.set_forkserver_preload(list(preload))
    before = dict(os.environ)
    os.environ.update(_ONE_THREAD)  # the server inherits it; read when torch is imported
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return ProcessPool(workers, initializer=_prepare, context=context)


class _Process(multiprocessing.context.ForkServerProcess):
    """A worker that never ends well of its own: pebble overlooks a death with exit code 0."""

    @property
    def exitcode(self) -> int | None:
        code = super().exitcode
        return _WITH_ZERO if code == 0 else code


class _Context(multiprocessing.context.ForkServerContext):
    Process = _Process


def _prepare() -> None:
    """Prepares a worker: dies at once when told to or when orphaned, one thread, kept memory."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Thread(target=_die_with_parent, daemon=True).start()
    faulthandler.enable()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.update(_ONE_THREAD)
    keep_memory()
    if torch := sys.modules.get("torch"):  # one imported later obeys the environment
        torch.set_num_threads(1)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def keep_memory() -> None:
    """Makes malloc keep freed memory: fresh pages cost more than the arithmetic on them.

    By default glibc returns every large tensor to the system and asks for it again.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mmap_threshold, trim_threshold, top_pad = -3, -1, -2  # names of malloc.h
    mallopt(mmap_threshold, 1 << 30) or mallopt(mmap_threshold, 1 << 25)  # old glibc: 32 MiB
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 64 << 20)


def cause(error: BaseException) -> tuple[Status, str]:
    """What became of a job whose future raised.

    Args:
        error: what it raised.

    Returns:
        Status and message of its records.
    """
    if isinstance(error, TimeoutError):
        return "timeout", "ran longer than its timeout; the log shows where"
    if isinstance(error, JobLost):
        status, message = error.args
        return status, message
    if not isinstance(error, ProcessExpired):
        return "failed", one_line(error)
    if error.exitcode >= 0:
        return "died", f"exited with code {error.exitcode % _WITH_ZERO}"
    number = -error.exitcode
    memory = "; out of memory?" if number == signal.SIGKILL else ""
    return "died", f"killed by signal {number} ({signal.strsignal(number)}){memory}"
