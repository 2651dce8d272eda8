"""Files that are read only where they are files, and errors that say which one it was."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["MOST", "check_kind", "naming", "only_files", "read_bytes"]

MOST = 1 << 30
"""Bytes of a file that is read as a whole, where nothing else is said."""


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
            raise OSError(errno.EOVERFLOW, f"Larger than {most:,} bytes")
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
    check_kind(os.stat(path).st_mode, path, (stat.S_IFREG,))
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    try:
        check_kind(os.fstat(descriptor).st_mode, path, (stat.S_IFREG,))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def check_kind(mode: int, path: str | Path, kinds: tuple[int, ...]) -> None:
    """Refuses what is no file, or no file of the kinds that are asked for.

    Args:
        mode: as ``stat`` gives it.
        path: which the error names.
        kinds: of the ``stat`` module, such as ``S_IFREG``.

    Raises:
        OSError: for a file that is of none of the kinds; it names the path.
    """
    if stat.S_IFMT(mode) not in kinds:
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
