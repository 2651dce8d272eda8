"""What came of a case of an attack, and commands that are called in this process."""

import contextlib
import io
import signal
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cli import main

__all__ = ["OWN", "SOUND", "Called", "Outcome", "called", "own_error"]

SECONDS = 900  # after which a case is said to hang; on a busy machine none comes near
OWN = "not done for an error of the suite's own"  # how a line begins that is never sound
SOUND = ("answer", "one line", "rows", "repaired")


@dataclass(frozen=True)
class Outcome:
    """What came of one case.

    Attributes:
        kind: of the case.
        word: one of `SOUND`, or what must not be.
        text: of the line, or of the fault.
    """

    kind: str
    word: str
    text: str = ""

    @property
    def sound(self) -> bool:
        return self.word in SOUND and OWN not in self.text


@dataclass(frozen=True)
class Called:
    """What a command did: its exit code, what it said, and its own error or what it raised."""

    code: int
    out: str
    said: tuple[str, ...]
    raised: str = ""


def called(arguments: Sequence[str]) -> Called:
    """Run a command of the suite in this process.

    Args:
        arguments: of its command line.

    Returns:
        What it did; of standard error, all lines but warnings, which are errors to no user.
    """
    out, error = io.StringIO(), io.StringIO()
    try:
        with (
            _limit(),
            warnings.catch_warnings(record=True),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(error),
        ):
            warnings.simplefilter("always")  # as on the command line, whatever tests make of them
            code = main(list(arguments))
    except BaseException:  # noqa: BLE001  # whatever comes out is a fault
        return Called(1, out.getvalue(), (), traceback.format_exc())
    lines = error.getvalue().splitlines()
    said = tuple(x for x in lines if not x.startswith("warning: "))
    return Called(code, out.getvalue(), said, own_error(error.getvalue()))


def own_error(text: str) -> str:
    """The line of an error of the suite's own among what a command said, and its traceback.

    Args:
        text: of standard error, or of both.

    Returns:
        Both; empty where there is no such line.
    """
    line = next((line for line in text.splitlines() if OWN in line), "")
    _, named, log = line.partition("; the traceback is in ")
    with contextlib.suppress(OSError):
        return f"{line}\n{Path(log).read_text()}" if named else line
    return line


@contextlib.contextmanager
def _limit() -> Iterator[None]:
    """Within the block a case that hangs is interrupted."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"no end after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
