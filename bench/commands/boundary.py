"""The boundary of a command: whatever is raised inside ends in one line and an exit code."""

import os
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from bench.commands.printing import OUTPUT, tell, written_out
from bench.errors import (
    INTERRUPTED,
    ForeignError,
    NotDoneError,
    UserError,
    printable,
    raised,
    refusal,
)

__all__ = ["answered"]

_USAGE = 64
_NOTHING = 2
_COMPLETES = "_VAEBENCH_COMPLETE"
_UsageError: Any = typer.BadParameter.__bases__[0]  # typer has it from click or brings its own
_Exit: Any = typer.Exit


def answered(command: Callable[[], Any]) -> int:
    """Run a command; its error is said, and its traceback kept where it is not a user's mistake.

    Args:
        command: gives its exit code, or None for 0.

    Returns:
        The exit code: that of the command, 64 for what was handed over, 2 for what could not be
        done, 130 where a signal ended it, 141 where nobody reads the answer any more.
    """
    with written_out() as output, _plain_warnings():
        code = _code(command)
    return output.code or code


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Shows the suite's own warnings as one line, without the place in the code."""
    usual = warnings.formatwarning

    def plain(message: Any, category: type[Warning], *place: Any, **more: Any) -> str:  # noqa: ANN401
        if category.__module__.partition(".")[0] in ("bench", "vaelib"):
            return f"vaebench: warning: {printable(str(message))}\n"
        return usual(message, category, *place, **more)

    warnings.formatwarning = plain
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _code(command: Callable[[], Any]) -> int:
    """The exit code of a command, its error said."""
    try:
        return int(command() or 0)
    except (typer.Abort, KeyboardInterrupt):  # during a run, the runner takes care of it
        tell("interrupted; the same command begins or goes on")
        return INTERRUPTED
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit) and _COMPLETES in os.environ:
            raise  # that is how typer ends after it completed a word
        left = error.__context__ if isinstance(error, SystemExit | _Exit) else error
        if isinstance(left, BrokenPipeError):
            raise BrokenPipeError from None  # typer makes an exit with code 1 of it
        if isinstance(error, OSError) and error.filename == OUTPUT:
            raise
        code, message = _said(error)
        tell(message)
        return code


def _said(error: BaseException) -> tuple[int, str]:
    """Exit code and sentence of an error."""
    if isinstance(error, _UsageError):
        return _USAGE, str(error.format_message())
    if isinstance(error, OSError):
        error = refusal(error)
    if isinstance(error, ForeignError):
        return _USAGE, f"{error}{_log(error if error.trace else error.__cause__ or error)}"
    if isinstance(error, UserError):
        return _USAGE, str(error)
    if isinstance(error, NotDoneError):
        return _NOTHING, f"{error}{_log(error) if error.trace else ''}"
    if isinstance(error, MemoryError):
        return _NOTHING, "out of memory; free some, or use fewer --workers"
    what = f"an error of the suite's own or a component's, {raised(error)}"
    return _NOTHING, f"not done for {what}{_log(error)}"


def _log(error: BaseException) -> str:
    """Keeps a traceback in a new file of the folder for temporary ones; says where."""
    try:
        descriptor, name = tempfile.mkstemp(".log", "vaebench-")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(getattr(error, "trace", "") or "".join(traceback.format_exception(error)))
    except (OSError, RecursionError):
        return ""
    return f"; the traceback is in {name}"
