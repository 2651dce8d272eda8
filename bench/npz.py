"""Archives of a user's own: what is announced is checked before anything large is read."""

import errno
import io
import math
import os
import stat
import struct
import warnings
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

__all__ = ["MOST", "Refused", "announced", "kind_of", "read_arrays"]

MOST = 1 << 27
"""Numbers that one array may hold: a gigabyte in float64, and the audit makes several copies."""

_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
_MEMBERS = 100
_DIRECTORY = 1 << 16  # bytes of the list of members
_HEADER = 10_000  # bytes of the header of an array, as numpy reads at most
_TAIL = 1 << 17  # bytes at the end of a file that the end record of a zip lies in
_ALWAYS = 1 << 27  # bytes that an archive may expand to, however small it is
_RATIO = 100  # by which a larger one may
_PREFIX = {(1, 0): "<H", (2, 0): "<I", (3, 0): "<I"}  # version -> the length of its header


class Refused(ValueError):
    """What is wrong with a file that can be read."""


class _Header(NamedTuple):
    """What one member announces."""

    name: str
    member: zipfile.ZipInfo
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    start: int

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def read_arrays(
    path: Path, known: Collection[str], most: int | None = None
) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file; nothing in it is executed.

    Args:
        path: the file.
        known: names that an array may have.
        most: numbers that one array may hold. None: ``MOST``, and no file may expand to more than
            134 MB and a hundred times its size.

    Returns:
        Name -> array of integers or floating-point numbers.

    Raises:
        Refused: for what is no such file, or holds or announces what it must not.
        Exception: whatever damaged bytes raise in the readers of zip and numpy.
    """
    _check_kind(path)
    with warnings.catch_warnings(), path.open("rb") as raw:
        warnings.simplefilter("ignore")  # of headers that Python 2 wrote
        _check_directory(raw, path)
        with zipfile.ZipFile(raw) as file:
            members = file.infolist()
            _check_names([member.filename for member in members], known)
            headers = [_header(file, member) for member in members]
            _check_sizes(headers, os.fstat(raw.fileno()).st_size, most)
            return {header.name: _array(file, header) for header in headers}


def announced(path: Path, names: Collection[str]) -> int:
    """How many numbers some arrays of an .npz file hold, as it says itself; none of them is read.

    Args:
        path: the file.
        names: of the arrays; one that is not there holds none.

    Returns:
        The sum of their sizes.

    Raises:
        Refused: for what is no such file, or announces what it must not.
        Exception: whatever damaged bytes raise in the readers of zip and numpy.
    """
    _check_kind(path)
    with path.open("rb") as raw:
        _check_directory(raw, path)
        with zipfile.ZipFile(raw) as file:
            wanted = [one for one in file.infolist() if one.filename.removesuffix(".npy") in names]
            return sum(_header(file, member, "biuf").size for member in wanted)


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


def _check_kind(path: Path) -> None:
    """Refuse by type, before a pipe or a device is opened."""
    if what := kind_of(path):
        raise Refused(f"expected a readable .npz file, got {what}")


def _check_directory(raw: IO[bytes], path: Path) -> None:
    """Refuse what is no zip, and one whose list of members is itself too large."""
    if not zipfile.is_zipfile(raw):
        what = "an empty file" if path.stat().st_size == 0 else "a file of another kind"
        raise Refused(f"expected an .npz archive, got {what}; save with np.savez")
    raw.seek(max(0, path.stat().st_size - _TAIL))
    tail = raw.read()
    size = 0
    for mark, form, offset in ((b"PK\x05\x06", "<I", 12), (b"PK\x06\x06", "<Q", 40)):
        at = tail.rfind(mark)
        if at >= 0 and len(tail) >= at + offset + struct.calcsize(form):
            size = max(size, struct.unpack_from(form, tail, at + offset)[0])
    if size > _DIRECTORY:
        raise Refused(f"expected at most {_MEMBERS} arrays, got a list of {size:,} bytes of them")
    raw.seek(0)


def _check_names(files: list[str], known: Collection[str]) -> None:
    names = [file.removesuffix(".npy") for file in files]
    for name in names:
        if name not in known:
            raise Refused(f"unknown key {_short(name)!r}; known are {', '.join(known)}")
        if names.count(name) > 1:
            raise Refused(f"expected each array once, got {name} {names.count(name)} times")


def _header(file: zipfile.ZipFile, member: zipfile.ZipInfo, kinds: str = "iuf") -> _Header:
    """What a member announces, where it may be read."""
    name = member.filename.removesuffix(".npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # others expand a whole block at once, however little of it is asked for
        raise Refused(
            f"expected a readable .npz file, got: {name} is compressed by a method of its own; "
            "save with np.savez"
        )
    with file.open(member.filename) as stream:
        version = np.lib.format.read_magic(stream)
        form = _PREFIX.get(version)
        if form is None:
            raise Refused(f"{name} has a header of version {version}; save with np.savez")
        prefix = stream.read(struct.calcsize(form))
        length = struct.unpack(form, prefix)[0]
        if length > _HEADER:
            raise Refused(
                f"{name} has a header of {length:,} bytes, {_HEADER:,} at most; save anew"
            )
        content = io.BytesIO(prefix + stream.read(length))
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(content)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(content)
    if dtype.hasobject:
        raise Refused(f"{name} holds pickled objects, which are never loaded; save numbers")
    if dtype.kind not in kinds:
        raise Refused(f"{name} must hold numbers, got dtype {_short(dtype)}")
    if any(length < 0 for length in shape):
        raise Refused(f"{name} must have a shape of counts, got {_short(shape)}")
    start = np.lib.format.MAGIC_LEN + len(prefix) + length
    return _Header(name, member, shape, fortran, dtype, start)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _check_sizes(headers: list[_Header], of_file: int, most: int | None) -> None:
    """Hold what is announced against the limits, then against what the file says it holds."""
    limit = MOST if most is None else most
    for header in headers:
        size = header.size
        if size > limit:
            raise Refused(
                f"{header.name} has shape {_short(header.shape)}, {size:,} numbers, and an audit "
                f"takes {limit:,} at most ({limit * 8 / 1e9:.1f} GB); save a random choice of the "
                "inputs, such as 1,000,000, or raise --most"
                if size < 1 << 60
                else f"{header.name} announces shape {_short(header.shape)}, more than any memory"
            )
    total = 8 * sum(header.size for header in headers)
    if most is None and total > max(_ALWAYS, _RATIO * of_file):
        raise Refused(
            f"{of_file:,} bytes expand to {total:,}, more than {_RATIO} times as many; if that is "
            f"meant, say so with --most {max(header.size for header in headers)}"
        )
    for header in headers:
        held = header.member.file_size - header.start
        wanted = header.size * header.dtype.itemsize
        if held < wanted:
            raise Refused(
                f"expected a readable .npz file, got: EOF: reading array data, expected {wanted} "
                f"bytes got {max(0, held)}; {header.name} was not saved as a whole"
            )
        if held > wanted:
            raise Refused(
                f"{header.name} of {wanted:,} bytes is followed by {held - wanted:,} others; save "
                "with np.savez"
            )


def _array(file: zipfile.ZipFile, header: _Header) -> np.ndarray:
    """The numbers of one array; reading to the end checks its sum."""
    with file.open(header.member.filename) as stream:
        stream.read(header.start)
        content = stream.read(header.size * header.dtype.itemsize)
        while stream.read(1 << 20):
            pass
    values = np.frombuffer(content, header.dtype)
    if header.fortran:
        return values.reshape(header.shape[::-1]).T
    return values.reshape(header.shape)
