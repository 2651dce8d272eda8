"""Where jobs run: the `Executor` seam, and the processes of this machine."""

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from threading import Condition, Lock, Thread
from typing import Protocol

from bench.run.isolation import Alone, Died, ServerLost
from bench.run.job import Job
from bench.run.record import Status, one_line
from bench.run.worker import Records, execute

__all__ = ["PRELOAD", "Executor", "JobLost", "LocalExecutor", "cause"]

PRELOAD = ("torch", "bench.run.cell", "bench.cli")
"""Modules that jobs of the suite's own need: the server that forks them imports them once."""


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
    """Processes of this machine, one for each job, of one thread each.

    They are forked by a clean server process that has imported torch and never computed. They die
    with this process, even by SIGKILL.

    Args:
        workers: how many run at once.
        preload: modules that the server imports, so that a job starts fast.

    Raises:
        ValueError: if there is to be no worker.
    """

    def __init__(self, workers: int, preload: Sequence[str] = PRELOAD) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self.workers = workers
        self._preload = ("bench.run.worker", *preload)
        self._crew: _Crew | None = None

    def submit(self, job: Job) -> "Future[Records]":
        """Starts a job as soon as there is room for it."""
        if self._crew is None:
            self._crew = _Crew(self.workers, self._preload)
        return self._crew.submit(job)

    def stop(self) -> None:
        """Ends all jobs, and all that they started."""
        if self._crew is not None:
            self._crew.stop()
            self._crew = None


class _Crew:
    """Threads that see to one job each, until they are stopped."""

    def __init__(self, workers: int, preload: Sequence[str]) -> None:
        self._preload = preload
        self._waiting: SimpleQueue[tuple[Future[Records], Job] | None] = SimpleQueue()
        self._running: set[Alone[Records]] = set()
        self._stopped = False
        self._lock = Lock()  # of the two above
        self._turns = _Turns()
        self._threads = [Thread(target=self._serve, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> "Future[Records]":
        future: Future[Records] = Future()
        self._waiting.put((future, job))
        return future

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for running in self._running:
                running.kill()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while given := self._waiting.get():
            future, job = given
            if future.set_running_or_notify_cancel():
                try:
                    records = self._seen_to(job)
                except Exception as error:
                    future.set_exception(error)
                else:
                    future.set_result(records)

    def _seen_to(self, job: Job) -> Records:
        """Runs a job; again and alone where another one may have killed what forks them all."""
        with suppress(ServerLost), self._turns.beside():
            return self._run(job)
        with self._turns.alone():
            return self._run(job)

    def _run(self, job: Job) -> Records:
        alone = self._started(job)
        try:
            records = alone.result(job.timeout)
        except Died as error:
            if self._stopped:
                raise BrokenExecutor("the executor was stopped") from error
            raise
        finally:
            with self._lock:
                self._running.remove(alone)
            alone.end()
        return records

    def _started(self, job: Job) -> Alone[Records]:
        with self._lock:
            if self._stopped:
                raise BrokenExecutor("the executor was stopped")
            try:
                alone = Alone(execute, job.to_dict(), self._preload)
            except OSError as error:
                raise BrokenExecutor(f"no process can be started: {error}") from error
            self._running.add(alone)
        return alone


class _Turns:
    """Who may run beside others, and who runs alone."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._beside = 0
        self._is_alone = False

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Within the block nobody runs alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone)
            self._beside += 1
        try:
            yield
        finally:
            with self._changed:
                self._beside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within the block nobody else runs."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone)
            self._is_alone = True
            self._changed.wait_for(lambda: not self._beside)
        try:
            yield
        finally:
            with self._changed:
                self._is_alone = False
                self._changed.notify_all()


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
    if not isinstance(error, Died):
        return "failed", one_line(error)
    if isinstance(error, ServerLost):
        return "died", "ran alone while the process that forks all jobs was killed"
    if error.exitcode >= 0:
        return "died", f"exited with code {error.exitcode}"
    number = -error.exitcode
    memory = "; out of memory?" if number == signal.SIGKILL else ""
    return "died", f"killed by signal {number} ({signal.strsignal(number)}){memory}"
