"""One call in a process of its own, and nothing that it starts outlives it.

A process that ran a user's code is never used again: what the code left behind in it, such as a
default dtype, another number of threads, a replaced function, a working folder or a limit, reaches
no other job. It leads a process group, and with it die its children and its forked copies.
"""

import ctypes
import faulthandler
import multiprocessing
import multiprocessing.connection
import multiprocessing.context
import multiprocessing.forkserver
import os
import pickle
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from threading import Lock, Thread
from typing import Generic, TypeVar, cast

__all__ = ["Alone", "Died", "keep_memory", "prepare", "server"]

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

Given = TypeVar("Given")
Found = TypeVar("Found")

_PATIENCE = 10.0  # seconds in which a killed process is gone, unless a device holds it

_lock = Lock()
"""Held where `multiprocessing` looks after its children: two threads that ask at once how one
ended may both read what can be read once."""


class Died(Exception):
    """The process ended before the call did.

    Args:
        exitcode: of the process; of a signal, less than 0.
    """

    def __init__(self, exitcode: int) -> None:
        super().__init__(exitcode)
        self.exitcode = exitcode


class Alone(Generic[Found]):
    """A call in a process of its own, forked by a clean server.

    Args:
        function: what to call; importable by name.
        argument: its only one; plain data.
        preload: modules that the server imports, where it does not run yet.

    Raises:
        OSError: where no process can be started.
        Exception: where the argument cannot be pickled, whatever pickle raises.
    """

    def __init__(
        self, function: Callable[[Given], Found], argument: Given, preload: Sequence[str] = ()
    ) -> None:
        with _lock:
            context = server(preload)
            self._receive, send = context.Pipe(duplex=False)
            with send:
                self._process = context.Process(target=_answer, args=(send, function, argument))
                try:
                    self._process.start()
                except EOFError as error:  # the server died meanwhile
                    raise ConnectionError("the server that forks workers has died") from error

    def result(self, timeout: float) -> Found:
        """Waits for what the call returns.

        Args:
            timeout: seconds.

        Returns:
            The value.

        Raises:
            TimeoutError: where it takes longer.
            Died: where the process ends before.
            Exception: what the call raised.
        """
        end, sentinel = time.monotonic() + timeout, self._process.sentinel
        if not multiprocessing.connection.wait([self._receive, sentinel], timeout):
            raise TimeoutError
        data = b""
        with suppress(EOFError, OSError):
            if self._receive.poll():
                data = self._receive.recv_bytes()
        if data:
            found: Found | None
            found, error = pickle.loads(data)
            if error is not None:
                raise error
            return cast(Found, found)
        if not multiprocessing.connection.wait([sentinel], max(0.0, end - time.monotonic())):
            raise TimeoutError
        with _lock:
            raise Died(self._process.exitcode or 0)

    def kill(self) -> None:
        """Kills the process and all of its group, at once; `result` raises `Died` then."""
        pid = self._process.pid
        assert pid is not None, "it is started when it is made"
        for kill in (os.killpg, os.kill):  # one that just began leads no group yet
            with suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)

    def end(self) -> None:
        """Kills what is left of it; to be called once, when nobody waits for it any more."""
        self.kill()
        multiprocessing.connection.wait([self._process.sentinel], _PATIENCE)
        with _lock, suppress(ValueError):  # one that a device holds is left to the system
            self._process.join(0)
            self._process.close()
        self._receive.close()


def server(preload: Sequence[str]) -> multiprocessing.context.ForkServerContext:
    """Starts the server that forks workers, where it does not run: it has imported, never computed.

    Args:
        preload: modules that it imports, so that a worker starts fast.

    Returns:
        The context whose processes it forks.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *preload])
    # the server inherits it: one thread when torch is imported, and nothing from the working folder
    with _environment(_ONE_THREAD | {"PYTHONSAFEPATH": "1"}):
        multiprocessing.forkserver.ensure_running()
    return context


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def prepare() -> None:
    """Prepares a worker: it dies at once when told to or orphaned; one thread, kept memory."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; the run ends its workers
    os.setpgid(0, 0)
    Thread(target=_die_with_parent, daemon=True).start()
    faulthandler.enable()
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    os.environ.update(_ONE_THREAD)
    keep_memory()
    if torch := sys.modules.get("torch"):  # one imported later obeys the environment
        torch.set_num_threads(1)


def _answer(send: Connection, function: Callable[[Given], Found], argument: Given) -> None:
    """Calls the function and sends what comes of it: its value and None, or None and an error."""
    prepare()
    os.register_at_fork(after_in_child=send.close)  # a copy has nothing to say
    found, failure = None, None
    try:
        found = function(argument)
    except BaseException as error:
        failure = error
    try:
        data = pickle.dumps((found, failure))
        pickle.loads(data)
    except Exception as error:  # an error of a user's own may raise anything
        what = type(found if failure is None else failure).__name__
        data = pickle.dumps((None, TypeError(f"{what} cannot travel: {error}")))
    send.send_bytes(data)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)


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
