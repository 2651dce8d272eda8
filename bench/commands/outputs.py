"""Files that an option names: refused before anything runs where they would replace another."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from bench.errors import UserError
from vaelib.files import sweep, write_atomically
from vaelib.reading import naming

__all__ = ["check_folder", "check_output", "write_output"]

_LONGEST = 200  # bytes of a name: a file has 255, and while it is written 38 more


def check_output(
    path: Path, option: str, kept: Iterable[Path] = (), *, table: bool = False
) -> None:
    """Refuse a path that cannot be written, or that should not be.

    Args:
        path: Where the output is to go.
        option: That names it, for the message.
        kept: Files that it must not replace.
        table: Whether it is a table of the command's own, whose name may end in ``.csv``.

    Raises:
        UserError: For a link, a folder, a socket, one of the files that are kept, a table of rows,
            a name that is too long, or a folder that is not there or cannot be written.
    """
    elsewhere = "choose another file"
    if path.is_symlink():
        raise UserError(f"{option} must not replace a link, got {path}; {elsewhere}")
    if path.is_dir():
        raise UserError(f"{option} must be a file, got the folder {path}; {elsewhere}")
    if path.suffix == ".csv" and not table:
        raise UserError(f"{option} must not replace a table of rows, got {path}; {elsewhere}")
    if path.resolve() in {other.resolve() for other in kept} and not _is_stream(path):
        raise UserError(f"{option} must be a file of its own, got {path}; {elsewhere}")
    if path.is_socket() or path.is_block_device():
        raise UserError(f"{option} must be a file, got {path}, which is none; {elsewhere}")
    if len(os.fsencode(path.name)) > _LONGEST:
        raise UserError(f"{option} must have a name of {_LONGEST} bytes at most; {elsewhere}")
    if not path.parent.is_dir():
        raise UserError(f"{option} must lie in a folder that is there, got {path}; {elsewhere}")
    target = path if _is_stream(path) else path.parent
    if not os.access(target, os.W_OK):
        raise UserError(f"{option}: cannot write to {target}; {elsewhere}")


def check_folder(path: Path, option: str) -> None:
    """Refuse a folder that cannot be made or written, before anything runs.

    Args:
        path: Where files are to go; it need not be there.
        option: That names it, for the message.

    Raises:
        UserError: For what is no folder, or cannot be written.
    """
    there = next(one for one in (path.absolute(), *path.absolute().parents) if os.path.lexists(one))
    if not there.is_dir():
        raise UserError(f"{option} must be a folder, got {there}; choose another folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{option}: cannot write to {there}; choose another folder")


def write_output(path: Path, data: bytes) -> None:
    """Write an output: a file as a whole; a device or a pipe is written to, never replaced.

    Args:
        path: As it was checked.
        data: All of its bytes.

    Raises:
        OSError: Where that is impossible; it names the path.
    """
    if _is_stream(path):
        with naming(path), path.open("wb") as stream:
            stream.write(data)
    else:
        sweep(path.parent)
        write_atomically(path, data)


def _is_stream(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
