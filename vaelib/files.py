"""Files that are replaced as a whole, and read only where they are files."""

import errno
import fcntl
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

__all__ = ["only_files", "read_bytes", "sweep", "write_atomically"]

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}\.tmp")


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces a file as a whole, whatever happens meanwhile; its folder is made if need be.

    Args:
        path: where to.
        data: all of its bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
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
        for leftover in folder.glob(".*.tmp"):
            if _TEMPORARY.fullmatch(leftover.name) and not leftover.is_symlink():
                with suppress(OSError), open(leftover, "rb", opener=only_files) as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    leftover.unlink()


def read_bytes(path: Path) -> bytes:
    """Reads a file.

    Args:
        path: where it is.

    Returns:
        All of its bytes.

    Raises:
        OSError: where that is impossible; for a device, a pipe or a socket, before it is read.
    """
    with open(path, "rb", opener=only_files) as file:
        return file.read()


def only_files(path: str, flags: int) -> int:
    """Opens a regular file: an ``opener`` for ``open``, which waits for no pipe and no device.

    Args:
        path: where it is.
        flags: as ``open`` makes them.

    Returns:
        A descriptor.

    Raises:
        OSError: where it cannot be opened, or is of another kind.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a regular file", path)
    return descriptor
