"""What a user can do wrong: one line, no traceback, exit code 64."""

import difflib
import json
import os
import re
from collections.abc import Iterable

__all__ = [
    "LONGEST",
    "DamagedError",
    "DamagedWarning",
    "MatrixError",
    "UserError",
    "shown",
    "unknown",
    "visible",
    "without_home",
]

LONGEST = 60
"""Characters of a wrong value that an error shows."""


class UserError(Exception):
    """A mistake that the command line answers with its message alone."""


class MatrixError(UserError, ValueError):
    """A mistake in a matrix file or an override, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(visible(message.replace("\n", " ")))


class DamagedError(UserError, ValueError):
    """A file of results is not what a run wrote; one sentence with its path and the cause."""


class DamagedWarning(UserWarning):
    """A file of results cannot be used, and what is asked for can be done without it."""


def visible(text: str) -> str:
    r"""Returns a text that commands no terminal: lines stay, what else cannot be seen is a space.

    Example:
        >>> visible("a\x1b[2Jb\u202ec\nd")
        'a [2Jb c\nd'
    """
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def without_home(text: str) -> str:
    """Returns a text that others may read: of paths below the user's home it says ``~``."""
    home = os.path.expanduser("~").rstrip("/")
    return re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text) if len(home) > 1 else text


def shown(value: object) -> str:
    """Returns a wrong value as an error shows it: close to TOML, one line, never long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def unknown(key: str, what: str, got: str, names: Iterable[str], also: str = "") -> str:
    """Words the error for a name that is not among the known ones.

    Args:
        key: the dotted key it concerns.
        what: what is unknown, such as ``"key"``.
        got: the unknown name.
        names: the known names.
        also: what else may stand there.

    Returns:
        The sentence, which suggests the closest known name and lists them all.
    """
    names = sorted(names)
    close = difflib.get_close_matches(got[:LONGEST], names, n=1)
    hint = f', did you mean "{close[0]}"?' if close else "."
    known = f"Known: {', '.join(names)}{also}" if names else "There are none here"
    return f"{key}: unknown {what}{hint} {known}"
