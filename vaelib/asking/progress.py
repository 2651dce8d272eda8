"""How far a long audit is, on standard error; nothing of one that is short."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from vaelib.arguments.plain import check_callable
from vaelib.audits.measurement import Progress, silent

__all__ = ["Watch", "watched"]

_AFTER = 3.0  # seconds
_EVERY = 10.0  # seconds between lines where none can be replaced
_TESTED = "PYTEST_CURRENT_TEST"


class Watch:
    """Tells a person how far it is once it has taken 3 s.

    On a terminal one line is replaced, and cleared at the end; elsewhere, such as in a notebook or
    a log, there is a line every 10 s at most.

    Args:
        stream: where to.
        clock: seconds, whose zero means nothing.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._start = clock()
        self._next = self._start + _AFTER
        self._replaces = bool(stream.isatty())
        self._shown = 0

    def __call__(self, stage: str, done: int, of: int) -> None:
        """Hear of a stage, how many steps of it are done, and of how many."""
        now = self._clock()
        if now < self._next:
            return
        text = f"audit: {stage}, {done} of {of} ({now - self._start:.0f} s)"
        if self._replaces:
            text = text[: max(1, shutil.get_terminal_size().columns - 1)]
            self._write("\r" + text.ljust(self._shown))
            self._shown = len(text)
        else:
            self._next = now + _EVERY
            self._write(text + "\n")

    def close(self) -> None:
        """Leave nothing on the line."""
        if self._shown:
            self._write("\r" + " " * self._shown + "\r")
            self._shown = 0

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # closed, full or gone: no reason to stop
            self._stream.write(text)
            self._stream.flush()


@contextmanager
def watched(progress: Progress | bool | None) -> Iterator[Progress]:
    """What an audit tells how far it is.

    Args:
        progress: a function, which is told instead; True for a line on standard error after 3 s;
            False for silence; None for True, but for silence in a test of pytest, whose captured
            output would else depend on how long it takes.

    Yields:
        The function to tell.

    Raises:
        TypeError: for anything else.
    """
    if progress is None:
        progress = _TESTED not in os.environ
    if not isinstance(progress, bool):
        check_callable(progress, "progress")
        yield progress
        return
    if not progress or sys.stderr is None:
        yield silent
        return
    watch = Watch(sys.stderr)
    try:
        yield watch
    finally:
        watch.close()
