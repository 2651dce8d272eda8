"""One call in a process of its own, and nothing that it starts outlives it.

A process that ran a user's code is never used again: what the code left behind in it, such as a
default dtype, another number of threads, a replaced function, a working folder or a limit, reaches
no other job. It leads a process group, and with it die its children and its forked copies; on
Linux those, too, that went into a group or session of their own.
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
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock, Thread
from typing import Generic, TypeVar, cast

__all__ = ["Alone", "Died", "ServerLost", "keep_memory", "prepare", "server"]

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

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of sys/prctl.h
_UNKNOWN = 255  # what `multiprocessing` says of a process whose server is gone
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


class ServerLost(Died):
    """What forks processes was killed, so that nobody knows how this one ended."""


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
                given = send, function, argument, dict(os.environ)
                self._process = context.Process(target=_answer, args=given)
                try:
                    self._process.start()
                except EOFError as error:  # the server died meanwhile
                    raise ConnectionError("the server that forks workers has died") from error
            self._server = _parent(self._process.pid or 0)

    def result(self, timeout: float) -> Found:
        """Waits for what the call returns.

        Args:
            timeout: seconds.

        Returns:
            The value.

        Raises:
            TimeoutError: where it takes longer.
            ServerLost: where what forked the process ends before, which any job may have done.
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
            code = self._process.exitcode or 0
        raise ServerLost(code) if code == _UNKNOWN and _dies(self._server) else Died(code)

    def kill(self) -> None:
        """Kills the process and all of its group, at once; `result` raises `Died` then."""
        pid = self._process.pid
        assert pid is not None, "it is started when it is made"
        below = _descendants(pid)
        for kill in (os.killpg, os.kill):  # one that just began leads no group yet
            with suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)
        _kill_all(below)

    def end(self) -> None:
        """Kills what is left of it; to be called once, when nobody waits for it any more."""
        self.kill()
        multiprocessing.connection.wait([self._process.sentinel], _PATIENCE)
        with _lock, suppress(ValueError):  # one that a device holds is left to the system
            self._process.join(0)
            self._process.close()
            if self._server > 1:  # what it left when it died
                running = [child.pid or 0 for child in multiprocessing.active_children()]
                _kill_all(_descendants(self._server, running))
        self._receive.close()


def server(preload: Sequence[str]) -> multiprocessing.context.ForkServerContext:
    """Starts the server that forks workers, where it does not run: it has imported, never computed.

    Args:
        preload: modules that it imports, so that a worker starts fast.

    Returns:
        The context whose processes it forks.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bench.run.reaper", *preload])
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
    keep_orphans()
    Thread(target=_die_with_parent, daemon=True).start()
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:  # closed by who started the run
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
            setattr(sys, name, open(descriptor, "w", encoding="utf-8", closefd=False))
    faulthandler.enable()
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    os.environ.update(_ONE_THREAD)
    keep_memory()
    if torch := sys.modules.get("torch"):  # one imported later obeys the environment
        torch.set_num_threads(1)


def _answer(
    send: Connection,
    function: Callable[[Given], Found],
    argument: Given,
    environment: Mapping[str, str],
) -> None:
    """Calls the function and sends what comes of it: its value and None, or None and an error."""
    os.environ.clear()  # that of when the server started may be another
    os.environ.update({"PYTHONSAFEPATH": "1"} | dict(environment))
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
        _kill_all(_descendants(os.getpid()))
        os.killpg(0, signal.SIGKILL)


def keep_orphans() -> None:
    """Makes this process the parent of what its children leave behind, on Linux: to be found."""
    if platform.system() == "Linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
        warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid")


def _descendants(process: int, without: Collection[int] = ()) -> list[int]:
    """All that a process has started, and what that has; nothing where there is no /proc."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*"):
        children.setdefault(_parent(int(place.name)), []).append(int(place.name))
    found = [process]
    for one in found:
        found += [child for child in children.get(one, []) if child not in without]
    return found[1:]


def _parent(process: int) -> int:
    """The parent of a process; 0 where it has ended, or there is no /proc."""
    stat = _stat(process)
    return int(stat[1]) if len(stat) > 1 else 0


def _dies(process: int) -> bool:
    """Whether a process has ended, or does soon: one that is killed closes its files before."""
    end = time.monotonic() + _PATIENCE
    while process > 1 and Path("/proc/self").exists():  # else nobody knows
        if _stat(process)[:1] in ([], ["Z"]):
            return True
        if time.monotonic() > end:
            break
        time.sleep(0.01)
    return False


def _stat(process: int) -> list[str]:
    """The state of a process, its parent and more of proc(5); nothing where it has ended."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()


def _kill_all(processes: Sequence[int]) -> None:
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)


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
