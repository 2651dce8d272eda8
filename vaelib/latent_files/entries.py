"""What a file says that it holds, before anything large of it is read."""

import errno
import math
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

__all__ = ["MOST", "Budget", "Entry", "Refused", "check_kind", "kind_of", "lacking", "short"]

MOST = 1 << 27
"""Numbers that one array may hold: a gigabyte in float64, and the audit makes several copies."""

_ALWAYS = 1 << 27  # bytes that a file may expand to, however small it is
_RATIO = 100  # by which a larger one may
_LONGEST = 60  # characters of a value that an error names
_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


class Refused(ValueError):
    """What is wrong with a file that can be read."""


@dataclass(frozen=True)
class Entry:
    """One array of a file.

    Attributes:
        name: its key.
        shape: as it is announced.
        dtype: of its numbers, in words.
        numbers: whether it holds real numbers; what else is there is listed and never read.
        read: its numbers, of that shape; refuses what is larger than may be read.
        column: whether it is one column of a table.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    numbers: bool
    read: Callable[[], np.ndarray]
    column: bool = False

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"{short(self.name)} {self.dtype} {short(self.shape)}"


@dataclass
class Budget:
    """How much of a file may be read: numbers of one array, and bytes that it may expand to.

    Attributes:
        of_file: bytes of the file.
        most: numbers that one array may hold. None: ``MOST``, and no file may expand to more than
            134 MB and a hundred times its size.
    """

    of_file: int
    most: int | None = None
    _taken: int = field(default=0, init=False)

    def take(self, name: str, shape: tuple[int, ...]) -> None:
        """Refuse an array that is too large, or too large for the file that it is in.

        Args:
            name: of the array.
            shape: as it is announced.

        Raises:
            Refused: for one that may not be read.
        """
        limit, size = MOST if self.most is None else self.most, math.prod(shape)
        if size > limit:
            raise Refused(
                f"{short(name)} has shape {short(shape)}, {size:,} numbers, and an audit takes "
                f"{limit:,} at most ({limit * 8 / 1e9:.1f} GB); save a random choice of the "
                "inputs, such as 1,000,000, or raise --most"
                if size < 1 << 60
                else f"{short(name)} announces shape {short(shape)}, more than any memory"
            )
        self._taken += 8 * size
        if self.most is None and self._taken > max(_ALWAYS, _RATIO * self.of_file):
            raise Refused(
                f"{self.of_file:,} bytes expand to {self._taken:,}, more than {_RATIO} times as "
                f"many; if that is meant, say so with --most {size}"
            )


def kind_of(path: Path) -> str:
    """What stands in the place of a file.

    Args:
        path: of the file.

    Returns:
        Such as "a folder" or "a link that leads nowhere"; empty for a file, and for nothing at all.

    Raises:
        OSError: where it may not be looked at.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ELOOP):
            raise
        return "a link that leads nowhere" if path.is_symlink() else ""
    if stat.S_ISREG(mode):
        return ""
    return next((word for test, word in _KINDS.items() if test(mode)), "a special file")


def check_kind(path: Path, suffix: str = ".npz") -> None:
    """Refuse by type, before a pipe or a device is opened.

    Args:
        path: of the file.
        suffix: of the files that it should be one of.

    Raises:
        Refused: for what is no file.
    """
    if what := kind_of(path):
        raise Refused(f"expected a readable {suffix} file, got {what}")
    if not os.path.lexists(path):
        raise Refused(f"expected a readable {suffix} file, got nothing: no such file")


def lacking(package: str, suffix: str) -> str:
    """What is said where a package that reads a format is not installed.

    Args:
        package: its name.
        suffix: of the files that it reads.

    Returns:
        A sentence with what to install.
    """
    return (
        f"expected {package}, which reads {suffix}, got none; python -m pip install {package}, or "
        "save as .npz"
    )


def short(value: object) -> str:
    """A value in words, cut where it is long and without what a terminal takes for a command.

    Args:
        value: a name, a shape, a type.

    Returns:
        At most 60 characters in one line.
    """
    text = "".join(one if one.isprintable() else "?" for one in str(value))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
