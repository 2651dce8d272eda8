"""Jobs on a cluster, through a scheduler of dask.distributed (the extra ``cluster``).

A worker of dask runs each job in a process of its own, as the local executor does: with a hard time
limit, and a job that dies takes no worker along. A worker that is lost is dask's to notice: its job
goes to another one.
"""

import math
import multiprocessing
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, Future, InvalidStateError, wait
from contextlib import suppress
from typing import Any

import dask
from distributed import Client, KilledWorker, Security
from distributed import Future as DaskFuture

from bench.errors import NotDoneError, UserError
from bench.run.code_roots import MEASURES, plugins
from bench.run.executors import JobLost, LocalExecutor, cause
from bench.run.job import Job
from bench.run.progress import duration
from bench.run.worker import Records
from vaelib.code_hash import code_digests, code_hash, modules

__all__ = ["ClusterError", "DaskExecutor", "NoWorkersError", "Vigil"]

_PATIENCE = 10.0  # seconds to connect in, and to stop in
_LOOK = 1.0  # seconds between two looks at how many workers there are
_FIRST, _EVERY = 10.0, 60.0  # seconds without workers after which a line says so

_INSTALL = "install the same version of the suite everywhere"

# In a worker of dask: the executor of each thread with the run it belongs to, and ended runs.
_executors: dict[int, tuple[str, LocalExecutor]] = {}
_ended: set[str] = set()


class ClusterError(UserError, RuntimeError):
    """The cluster cannot be used."""


class NoWorkersError(NotDoneError):
    """The scheduler has no workers, and has had none for too long."""


def _say(line: str) -> None:
    with suppress(OSError):
        print(f"vaebench: {line}", file=sys.stderr, flush=True)


class Vigil:
    """Says so where a scheduler has no workers: after 10 s, then every minute, up to a limit.

    Args:
        address: of the scheduler.
        timeout: seconds without any worker that are too many.
        say: takes the lines.
        clock: seconds from any origin.
    """

    def __init__(
        self,
        address: str,
        timeout: float,
        say: Callable[[str], None] = _say,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address, self._timeout, self._say, self._clock = address, timeout, say, clock
        self._since: float | None = None
        self._next = _FIRST

    def look(self, workers: int) -> None:
        """Notes how many workers there are now.

        Args:
            workers: their number.

        Raises:
            NoWorkersError: if there has been none for too long.
        """
        if workers:
            self._since = None
            return
        now = self._clock()
        if self._since is None:
            self._since, self._next = now, _FIRST
        waited = now - self._since
        start = f"start one with `dask worker {self._address}`"
        if waited >= self._timeout:
            raise NoWorkersError(
                f"expected workers at {self._address}, got none for {duration(self._timeout)}, "
                f"which is the timeout of a job; {start}, or wait longer with --timeout"
            )
        if waited >= self._next:
            self._next = _EVERY * (waited // _EVERY + 1)
            self._say(f"no worker at {self._address} for {duration(waited)}; {start}")


class DaskExecutor:
    """Workers of a dask cluster; the results folder must be one that they share.

    Args:
        address: ``"dask://host:port"`` of the scheduler; ``"dask+tls://host:port"`` where it
            speaks TLS, with the certificates that dask's own configuration names.
        timeout: seconds that the scheduler may be without workers.

    Raises:
        ClusterError: if no scheduler answers there.
    """

    def __init__(self, address: str, timeout: float = math.inf) -> None:
        scheme, _, place = address.partition("://")
        self._address = f"{'tls' if scheme == 'dask+tls' else 'tcp'}://{place}"
        self._timeout = timeout
        self._run = uuid.uuid4().hex
        # dask forgets a job that nobody holds
        self._promises: dict[DaskFuture[Records], Future[Records]] = {}
        self._workers = 0
        self._client: Client | None = self._connect()
        self._watch(self._client)

    def await_workers(self) -> None:
        """Waits for the first worker.

        Raises:
            NoWorkersError: if none comes.
        """
        vigil = Vigil(self._address, self._timeout)
        while not self.workers:
            vigil.look(0)
            time.sleep(_LOOK)

    @property
    def workers(self) -> int:
        """Jobs that run at once: threads of all workers, where there were most of them."""
        if self._client is not None:
            self._workers = max(self._workers, sum(self._client.nthreads().values()))
        return self._workers

    def submit(self, job: Job) -> "Future[Records]":
        """Hands a job to the scheduler, after a stop to one that it must find again."""
        future: Future[Records] = Future()
        key = f"{job.name}-{min(job.block)}-{uuid.uuid4().hex}"
        try:
            if self._client is None:
                self._run = uuid.uuid4().hex
                self._client = self._connect()
                self._watch(self._client)
            own = _digests(job)
            given = job.to_dict(), self._run, code_hash(MEASURES), own
            promise = self._client.submit(_errand("_work"), *given, key=key, pure=False)
        except (OSError, RuntimeError) as error:
            future.set_exception(BrokenExecutor(f"the scheduler is lost: {error}"))
            return future
        self._promises[promise] = future
        promise.add_done_callback(lambda done: self._settle(done, future))
        return future

    def stop(self) -> None:
        """Ends all jobs of this run, on all workers."""
        if self._client is None:
            return
        client, promises, run = self._client, list(self._promises), self._run
        with suppress(Exception):
            _ = self.workers
        self._client = None
        self._promises.clear()

        def end() -> None:
            with suppress(Exception):  # a scheduler that is lost has nothing to stop
                client.cancel(promises)
                client.run(_errand("_stop"), run, on_error="ignore")

        thread = threading.Thread(target=end, daemon=True)  # a worker may hang
        thread.start()
        thread.join(_PATIENCE)
        with suppress(Exception):
            client.close(timeout=_PATIENCE)

    def _connect(self) -> Client:
        _check_settings(self._address)
        try:
            return Client(self._address, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"expected a dask scheduler at {self._address}, got no answer within "
                f"{_PATIENCE:g} s; start one with `dask scheduler`"
            ) from error

    def _watch(self, client: Client) -> None:
        """Gives up what waits where workers are gone for too long, as long as the client lives."""

        def watch() -> None:
            vigil = Vigil(self._address, self._timeout)
            with suppress(Exception):  # a scheduler that is lost is seen by who waits for a job
                while self._client is client:
                    try:
                        vigil.look(len(client.nthreads()) if self._promises else 1)
                    except NoWorkersError as error:
                        for future in list(self._promises.values()):
                            with suppress(InvalidStateError):
                                future.set_exception(JobLost("failed", str(error)))
                    time.sleep(_LOOK)

        threading.Thread(target=watch, daemon=True).start()

    def _settle(self, promise: DaskFuture[Records], future: "Future[Records]") -> None:
        """Hands on what became of a job."""
        error: BaseException | None = None
        records: Records = []
        try:
            if promise.status == "finished":
                records = promise.result()  # computed anew where the worker was lost just now
            elif promise.status == "error":
                error = promise.exception()
            else:
                error = BrokenExecutor("the scheduler is lost")
        except Exception as failure:
            error = BrokenExecutor(f"the scheduler is lost: {failure}")
        if isinstance(error, KilledWorker):
            times = error.allowed_failures + 1
            error = JobLost(
                "died",
                f"{times} worker{'s were' if times > 1 else ' was'} lost with it; out of memory?",
            )
        if isinstance(error, ModuleNotFoundError) and error.name:
            package = error.name.partition(".")[0]
            error = JobLost("failed", f"a worker has no package {package}; {_INSTALL}")
        self._promises.pop(promise, None)
        with suppress(InvalidStateError):
            if error is None:
                future.set_result(records)
            else:
                future.set_exception(error)


def _check_settings(address: str) -> None:
    """Refuses an address that dask's own settings cannot reach, on which a client would hang."""
    if dask.config.get("distributed.client.security-loader", None):
        return  # which knows certificates of its own
    tls, reason = address.startswith("tls://"), ""
    try:
        settings = Security().get_connection_args("client")
        if tls and settings["ssl_context"] is None:
            reason = "tls names no ca-file with a certificate of the client"
        elif settings["require_encryption"] and not tls:
            reason = "require-encryption is set, so that only dask+tls:// is allowed"
    except (
        OSError,
        TypeError,
        ValueError,
    ) as error:  # files that are no certificates
        reason = " ".join(str(error).split())
    if reason:
        raise ClusterError(
            f"cannot reach {address} with dask's settings of distributed.comm: {reason}; "
            "docs/clusters.md says how TLS is set up"
        )


def _errand(name: str) -> Callable[..., Any]:
    """A function below, as it travels: by value, for a worker that cannot import it is lost."""

    def errand(*given: Any) -> Any:  # noqa: ANN401
        from bench.run import dask_executor

        return getattr(dask_executor, name)(*given)

    return errand


def _digests(job: Job) -> dict[str, str]:
    """Hashes of files of a user's own, which are found where the job finds them; none is run."""
    names = (*plugins(job.configuration), *job.metrics)
    if not names:
        return {}
    suite, before = code_digests(MEASURES), list(sys.path)
    sys.path.append(job.place)
    try:
        found = code_digests(MEASURES, names)
    finally:
        sys.path[:] = before
    return {name: one for name, one in found.items() if name not in suite}


def _work(values: Mapping[str, Any], run: str, code: str, own: Mapping[str, str]) -> Records:
    """Runs a job in a process of this worker."""
    where = socket.gethostname()
    if code_hash(MEASURES) != code:
        raise ClusterError(f"the worker on {where} has other code than this run; {_INSTALL}")
    job = Job.from_dict(values)
    code_digests.cache_clear()  # each job imports a user's own as it is then
    modules.cache_clear()
    here = _digests(job)
    if other := sorted(name for name in own.keys() | here if own.get(name) != here.get(name)):
        raise ClusterError(
            f"the worker on {where} has other code of {other[0]} than this run, or none; start "
            "workers where they import the same"
        )
    place = threading.get_ident()
    if place not in _executors or _executors[place][0] != run:
        if place in _executors:  # of a run whose coordinator was killed
            _executors.pop(place)[1].stop()
        # A nanny starts workers as daemons, which may have no children lest these outlive them;
        # ours never outlive their parent.
        multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
        _executors[place] = run, LocalExecutor(1)
    if run in _ended:
        raise JobLost("failed", "the run was stopped")
    executor = _executors[place][1]
    try:
        future = executor.submit(job)
        while not wait([future], timeout=0.5).done:
            if run in _ended:
                raise JobLost("failed", "the run was stopped")
        return future.result()
    except BrokenExecutor as error:
        executor.stop()  # and the next job starts anew
        raise JobLost(*cause(error)) from None
    except Exception as error:
        raise JobLost(*cause(error)) from None


def _stop(run: str) -> None:
    """Ends what this worker does for a run."""
    _ended.add(run)
    for place, (owner, executor) in list(_executors.items()):
        if owner == run:
            executor.stop()
            _executors.pop(place, None)
