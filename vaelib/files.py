"""Files that are replaced as a whole, and read only where they are files."""

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

__all__ = ["MOST", "naming", "only_files", "read_bytes", "sweep", "update", "write_atomically"]

MOST = 1 << 30
"""Bytes of a file that is read as a whole, where nothing else is said."""

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
            _check_kind(path.lstat().st_mode, path, (stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR))
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


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Within the block an error of the file system names a path: that of a full disk names none.

    Args:
        path: what it is about.

    Yields:
        None.

    Raises:
        OSError: as it was, with the path.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # else the text says it all
            error.filename = str(path)
        if error.filename2 is not None:  # of a rename
            del error.filename2
        raise


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


def read_bytes(path: Path, most: int = MOST) -> bytes:
    """Reads a file.

    Args:
        path: where it is.
        most: bytes that it may hold.

    Returns:
        All of its bytes.

    Raises:
        OSError: where that is impossible; for a device, a pipe or a socket, and for a file that is
            too large, before it is read. It names the path.
    """
    with naming(path), open(path, "rb", opener=only_files) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(size + 1) if size <= most else b""
        while size < len(data) <= most and (more := file.read(1 << 20)):
            data += more  # it grows, or says nothing of its size, as those of /proc
        if max(size, len(data)) > most:
            raise OSError(errno.EFBIG, f"Larger than {most:,} bytes")
        return data


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
    _check_kind(os.stat(path).st_mode, path, (stat.S_IFREG,))
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    try:
        _check_kind(os.fstat(descriptor).st_mode, path, (stat.S_IFREG,))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_kind(mode: int, path: str | Path, kinds: tuple[int, ...]) -> None:
    if stat.S_IFMT(mode) not in kinds:
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
