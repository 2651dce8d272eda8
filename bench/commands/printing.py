"""Output of people's texts, to where it may not arrive: no command to a terminal, no traceback."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from bench.errors import visible

__all__ = ["Written", "console", "written_out"]

_CLOSED = 141  # what a shell reports of a program that a closed pipe ended
_NOT_DONE = 2


class _Console(Console):
    """Prints what it is given: no text is markup, or commands the terminal."""

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401
        texts = [visible(one) if isinstance(one, str) else one for one in objects]
        super().print(*texts, **({"markup": False} | options))


def console(*, stderr: bool = False) -> Console:
    """A console of standard output, or of standard error, for people's texts.

    Args:
        stderr: Which of them.

    Returns:
        One that wraps nothing and highlights nothing.
    """
    return _Console(stderr=stderr, soft_wrap=True, highlight=False)


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
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure") and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    done = Written()
    try:
        yield done
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich makes the one of the other
        done.code = _CLOSED
    except OSError as error:
        done.code = _NOT_DONE
        print(f"vaebench: cannot write the answer: {error.strerror or error}", file=sys.stderr)
    if done.code:  # what is left in the buffer must not fail once more at exit
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
