"""Files that are replaced as a whole."""

import fcntl
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from vaelib.reading import check_kind, naming, only_files, read_bytes

__all__ = ["sweep", "update", "write_atomically"]

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}\.tmp")


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces a file as a whole, whatever happens meanwhile; its folder is made if need be.

    Args:
        path: where to; a device, a pipe or a socket is not replaced.
        data: all of its bytes.

    Raises:
        OSError: where that is impossible; it names the path.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            check_kind(path.lstat().st_mode, path, (stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR))
        file, temporary = _begun(path)
        try:
            with file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # makes the rename itself durable
        finally:
            os.close(folder)


def update(path: Path, data: bytes) -> None:
    """Writes a file unless it holds the same already, so that its age says when it changed.

    Args:
        path: where to.
        data: all of its bytes.
    """
    try:
        same = read_bytes(path) == data
    except OSError:
        same = False
    if not same:
        write_atomically(path, data)


def _begun(path: Path) -> tuple[BinaryIO, Path]:
    """A temporary file beside another, locked as long as its writer lives."""
    while True:
        temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
        file = open(temporary, "xb")
        with suppress(OSError):  # a file system without locks: then nothing is swept there either
            fcntl.flock(file, fcntl.LOCK_EX)
        if temporary.exists():
            return file, temporary
        file.close()  # swept between the two calls


def sweep(*folders: Path) -> None:
    """Unlinks what writers that are no more have left half written; others are left alone.

    Args:
        folders: where to look, not below; they need not exist.
    """
    for folder in folders:
        leftovers: list[Path] = []
        with suppress(OSError):
            leftovers += folder.glob(".*.tmp")
        for leftover in leftovers:
            if _TEMPORARY.fullmatch(leftover.name) and not leftover.is_symlink():
                with suppress(OSError), open(leftover, "rb", opener=only_files) as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    leftover.unlink()
