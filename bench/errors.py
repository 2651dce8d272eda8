"""What ends a command: one line, no traceback, an exit code.

That is 64 for what a user handed over, 2 for what could not be done with it, 130 for a signal.
"""

import difflib
import errno
import json
import multiprocessing
import os
import pwd
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

__all__ = [
    "INTERRUPTED",
    "LONGEST",
    "DamagedError",
    "DamagedWarning",
    "ForeignError",
    "MatrixError",
    "NotDoneError",
    "UserError",
    "encodable",
    "foreign",
    "interrupts",
    "printable",
    "raised",
    "reason",
    "refusal",
    "shown",
    "text_of",
    "unknown",
    "unread",
    "visible",
    "without_home",
]

INTERRUPTED = 130
"""Exit code of what a signal ended early, as a shell reports it of Ctrl-C."""

LONGEST = 60
"""Characters of a wrong value that an error shows."""

_ROOM = "make room and run the same command again"
_FILES = "allow more with `ulimit -n`, or use fewer --workers"
_OF_MACHINE = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.EFBIG: "allow larger files with `ulimit -f`, or make them on another disk",
    errno.ENOMEM: "free memory, or use fewer --workers",
    **dict.fromkeys(
        (errno.EIO, errno.ESTALE, errno.ENOLCK, errno.EINTR, errno.EAGAIN, errno.EBUSY),
        "run the same command again",
    ),
}
_OF_FILE = frozenset(
    (
        errno.EINVAL,
        errno.EOVERFLOW,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.ENOENT,
        errno.ENXIO,
    )
) | {errno.ENAMETOOLONG}
_LONGEST_TEXT = 300  # characters of what somebody else's code raised


class UserError(Exception):
    """A mistake that the command line answers with its message alone."""


class NotDoneError(Exception):
    """What could not be done, whatever was handed over; one sentence, exit code 2.

    Attributes:
        trace: a traceback to keep, where the cause was raised in another process.
    """

    trace = ""


class MatrixError(UserError, ValueError):
    """A mistake in a matrix file or an override, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class ForeignError(MatrixError):
    """Code of a user's own raised something, which is the cause of this; one line.

    The command line keeps the traceback of the cause in a file and names it.

    Attributes:
        trace: that traceback, where the cause was raised in another process.
    """

    trace = ""


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


def printable(message: str) -> str:
    """Returns a message of one line that commands no terminal."""
    return visible(message).replace("\n", " ")


def without_home(text: str) -> str:
    """Returns a text that others may read: of paths below the user's home it says ``~``.

    That is the home as the environment, the file system or the list of users says it.
    """
    said = os.path.expanduser("~")
    homes = {said, os.path.realpath(said)}
    with suppress(KeyError):  # a user whom the system does not list
        homes.add(pwd.getpwuid(os.getuid()).pw_dir)
    for home in sorted({home.rstrip("/") for home in homes}, key=len, reverse=True):
        if len(home) > 1:
            text = re.sub(rf"(?<![\w-]){re.escape(home)}(?![\w.-])", "~", text)
    return text


def unread(error: Exception) -> bool:
    """Whether a file could not be read for a cause that says nothing of what it holds.

    Args:
        error: raised where it was read.

    Returns:
        True for a busy machine, a failing disk and a user who may not read it; False for a folder,
        a pipe or a link that leads nowhere in its place, and for what is no error of the system.
    """
    return isinstance(error, OSError) and error.errno is not None and error.errno not in _OF_FILE


def refusal(
    error: OSError,
    verb: str = "use",
    path: object = None,
    *,
    kept: str = "",
    other: str = "path",
) -> UserError | NotDoneError:
    """Words what the system refused, with its own cause and what helps against that one.

    Args:
        error: what it said.
        verb: what was to be done with the file.
        path: of the file; the one that the error names where None.
        kept: what need not be done again, as a clause before what helps.
        other: what to choose another one of.

    Returns:
        A `UserError` where another path is what helps, else a `NotDoneError`.
    """
    where = path or error.filename
    cause = str(error.strerror or error)
    text = f"cannot {verb} {where}: {cause}" if where else cause
    before = f"{kept}, so " if kept else ""
    if error.errno in _OF_MACHINE or not where:
        return NotDoneError(f"{text}; {before}{_OF_MACHINE.get(error.errno or 0, 'try again')}")
    return UserError(f"{text}; {before}choose another {other}")


def reason(error: Exception) -> str:
    """Why a file is not what it should be; what is not the file's fault is raised.

    Args:
        error: raised where it was read.

    Returns:
        The cause on one line.

    Raises:
        OSError: where the file may be as it should.
    """
    if isinstance(error, OSError):
        if unread(error):
            raise error
        return error.strerror or str(error)
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def foreign(sentence: str) -> Iterator[None]:
    """Within the block code of a user's own runs, which may raise anything.

    Args:
        sentence: what cannot be done then; begins with a dotted key.

    Yields:
        None.

    Raises:
        ForeignError: the sentence, with the type and the text of what was raised; ``sys.exit`` of a
            component ends no command.
    """
    try:
        yield
    except BaseException as error:
        if interrupts(error):
            raise
        raise ForeignError(f"{sentence} ({raised(error)})") from error


def interrupts(error: BaseException) -> bool:
    """Whether a person stops the command; in a process of its own, only its code raises that."""
    return isinstance(error, KeyboardInterrupt) and multiprocessing.parent_process() is None


def raised(error: BaseException) -> str:
    """Returns the type and the text of an error on one line, never long, whatever its text does."""
    name = type(error).__name__
    text = encodable(" ".join(text_of(error).split()))
    line = f"{name}: {text}" if text else name
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 1] + "…"


def text_of(error: BaseException) -> str:
    """Returns the text of an error, or says that it has none that can be read."""
    try:
        return str(error)
    except BaseException as another:
        if interrupts(another):
            raise
        return "its text cannot be read"


def encodable(text: str) -> str:
    r"""Returns a text that UTF-8 can hold: halves of characters are escaped.

    Example:
        >>> encodable("a\udcffb")
        'a\\udcffb'
    """
    return text.encode("utf-8", "backslashreplace").decode()


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
