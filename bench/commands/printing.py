"""Output of people's texts, to where it may not arrive: no command to a terminal, no traceback."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from rich.console import Console

from bench.errors import printable, visible

__all__ = ["OUTPUT", "Out", "Written", "console", "tell", "written_out"]

OUTPUT = "the answer"
"""What an error names where standard output cannot be written."""

_CLOSED = 141  # what a shell reports of a program that a closed pipe ended
_NOT_DONE = 2


class Out(Console):
    """A console that prints what it is given: no text is markup, or commands the terminal.

    A reader may leave: that ends the command as it ends any in a pipe.
    """

    def on_broken_pipe(self) -> NoReturn:
        """Raise what happened, where rich ends the process with exit code 1.

        Raises:
            BrokenPipeError: Always.
        """
        raise BrokenPipeError

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401
        """Print as a console of rich does.

        Args:
            *objects: What.
            **options: How.

        Raises:
            OSError: Where it cannot be written; it names the answer.
        """
        texts = [visible(one) if isinstance(one, str) else one for one in objects]
        try:
            super().print(*texts, **({"markup": False} | options))
        except OSError as error:
            error.filename = OUTPUT
            raise


def console(*, stderr: bool = False) -> Out:
    """A console of standard output, or of standard error, for people's texts.

    Args:
        stderr: Which of them.

    Returns:
        One that wraps nothing and highlights nothing.
    """
    return Out(stderr=stderr, soft_wrap=True, highlight=False)


def tell(message: str) -> None:
    """Say a sentence on standard error, if anybody listens.

    Args:
        message: Of one line.
    """
    with suppress(OSError, ValueError):
        print(f"vaebench: {printable(message)}", file=sys.stderr, flush=True)


@dataclass
class Written:
    """How writing went.

    Attributes:
        code: 0 where all was written, 141 where the reader left, 2 where it could not be.
    """

    code: int = 0


@contextmanager
def written_out() -> Iterator[Written]:
    """Within the block what is printed is encoded as can be; what cannot be written is one line.

    Yields:
        How it went, which is known after the block.

    Raises:
        OSError: Where something else was refused.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started this process
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure") and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")
    done = Written()
    try:
        yield done
        sys.stdout.flush()
    except BrokenPipeError:
        done.code = _CLOSED
    except OSError as error:
        if error.filename not in (None, OUTPUT):
            raise
        done.code = _NOT_DONE
        tell(f"cannot write {OUTPUT}: {error.strerror or error}")
    if done.code:  # what is left in the buffer must not fail once more at exit
        nowhere = os.open(os.devnull, os.O_WRONLY)
        with suppress(OSError):
            os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
