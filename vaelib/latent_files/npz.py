"""NumPy's files, .npz and .npy: what is announced is checked before anything large is read."""

import io
import math
import os
import struct
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from vaelib.latent_files.entries import Budget, Entry, Refused, check_kind, short
from vaelib.latent_files.tables import of_columns

__all__ = ["announced", "npy_entries", "npz_entries"]

_MEMBERS = 100
_DIRECTORY = 1 << 16  # bytes of the list of members
_HEADER = 10_000  # bytes of the header of an array, as numpy reads at most
_TAIL = 1 << 17  # bytes at the end of a file that the end record of a zip lies in
_PREFIX = {(1, 0): "<H", (2, 0): "<I", (3, 0): "<I"}  # version -> the length of its header
_ANEW = "np.savez(path, mean=mean, scale=scale) of plain numbers"


class _Header(NamedTuple):
    """What one array announces."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    start: int


@contextmanager
def npz_entries(path: Path, most: int | None = None) -> Iterator[list[Entry]]:
    """The arrays of an .npz file; nothing in it is executed.

    Args:
        path: the file.
        most: numbers that one array may hold, as of :class:`vaelib.latent_files.entries.Budget`.

    Yields:
        What it holds; each is read when that is asked for, within the block.

    Raises:
        Refused: for what is no such file, or holds or announces what it must not.
        Exception: whatever damaged bytes raise in the readers of zip and numpy.
    """
    check_kind(path)
    with warnings.catch_warnings(), path.open("rb") as raw:
        warnings.simplefilter("ignore")  # of headers that Python 2 wrote
        _check_directory(raw, path)
        budget = Budget(os.fstat(raw.fileno()).st_size, most)
        with zipfile.ZipFile(raw) as file:
            members = file.infolist()
            names = [_name(member) for member in members]
            for name in names:
                if names.count(name) > 1:
                    raise Refused(
                        f"expected each array once, got {short(name)} {names.count(name)} times"
                    )
            entries: list[Entry] = []
            for member in members:
                entries += _of_member(file, member, budget, alone=len(members) == 1)
            yield entries


@contextmanager
def npy_entries(path: Path, most: int | None = None) -> Iterator[list[Entry]]:
    """The array of an .npy file; nothing in it is executed.

    Args:
        path: the file.
        most: numbers that it may hold.

    Yields:
        The one array, called ``array``; of a structured one, its columns.

    Raises:
        Refused: for what is no such file, or announces what it must not.
        Exception: whatever damaged bytes raise in numpy.
    """
    with path.open("rb") as raw:
        size = os.fstat(raw.fileno()).st_size
        if not size:
            raise Refused("expected an .npy array, got an empty file; save with np.save")
        header = _header(raw, "array")

        def content(length: int) -> bytes:
            raw.seek(header.start)
            return raw.read(length)

        held = size - header.start
        yield _entries("array", header, held, content, Budget(size, most), alone=True)


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
    check_kind(path)
    total = 0
    with path.open("rb") as raw:
        _check_directory(raw, path)
        with zipfile.ZipFile(raw) as file:
            for member in file.infolist():
                if _name(member) in names:
                    header = _header_of(file, member)
                    if header.dtype.kind not in "biuf":
                        raise Refused(_no_numbers(_name(member), header.dtype))
                    total += math.prod(header.shape)
    return total


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


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


def _of_member(
    file: zipfile.ZipFile, member: zipfile.ZipInfo, budget: Budget, *, alone: bool
) -> list[Entry]:
    header = _header_of(file, member)

    def content(length: int) -> bytes:
        """Reading to the end checks the sum."""
        with file.open(member.filename) as stream:
            stream.read(header.start)
            found = stream.read(length)
            while stream.read(1 << 20):
                pass
        return found

    held = member.file_size - header.start
    return _entries(_name(member), header, held, content, budget, alone=alone)


def _header_of(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> _Header:
    name = short(_name(member))
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # others expand a whole block at once, however little of it is asked for
        raise Refused(
            f"expected a readable .npz file, got: {name} is compressed by a method of its own; "
            "save with np.savez"
        )
    with file.open(member.filename) as stream:
        return _header(stream, name)


def _header(stream: IO[bytes], name: str) -> _Header:
    """What an array announces, where it may be read."""
    version = np.lib.format.read_magic(stream)
    form = _PREFIX.get(version)
    if form is None:
        raise Refused(f"{name} has a header of version {version}; save with np.savez")
    prefix = stream.read(struct.calcsize(form))
    length = struct.unpack(form, prefix)[0]
    if length > _HEADER:
        raise Refused(f"{name} has a header of {length:,} bytes, {_HEADER:,} at most; save anew")
    content = io.BytesIO(prefix + stream.read(length))
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(content)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(content)
    if dtype.hasobject:
        raise Refused(
            f"{name} holds pickled objects, which are never loaded; save numbers: {_ANEW}, or "
            "np.stack of a list of arrays"
        )
    if any(length < 0 for length in shape):
        raise Refused(f"{name} must have a shape of counts, got {short(shape)}")
    return _Header(shape, fortran, dtype, np.lib.format.MAGIC_LEN + len(prefix) + length)


def _no_numbers(name: str, dtype: object) -> str:
    return f"{short(name)} must hold numbers, got dtype {short(dtype)}"


def _entries(
    name: str,
    header: _Header,
    held: int,
    content: Callable[[int], bytes],
    budget: Budget,
    *,
    alone: bool,
) -> list[Entry]:
    """The entry of one array, or of a structured one those of its columns."""
    dtype, shape = header.dtype, header.shape
    brain = dtype.kind == "V" and dtype.itemsize == 2 and not (dtype.names or dtype.subdtype)
    plain = dtype.kind in "iuf" or brain
    width = math.prod(shape) * max(1, dtype.itemsize // 8 if dtype.names else 1)

    @cache
    def read() -> np.ndarray:
        if not (plain or (dtype.names and len(shape) == 1)):
            raise Refused(_no_numbers(name, dtype))
        budget.take(name, shape if plain else (width,))
        _check_held(name, held, math.prod(shape) * dtype.itemsize)
        values = np.frombuffer(content(math.prod(shape) * dtype.itemsize), dtype)
        if brain:
            values = (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return values.reshape(shape[::-1]).T if header.fortran else values.reshape(shape)

    if dtype.names and len(shape) == 1:
        return _of_fields(name, dtype, shape[0], read, alone=alone)
    said = "bfloat16" if brain else short(dtype)
    return [Entry(name, shape, said, plain, read)]


def _of_fields(
    name: str, dtype: np.dtype, rows: int, read: Callable[[], np.ndarray], *, alone: bool
) -> list[Entry]:
    """Fields of numbers, numbered ones together; where they make one array, it has its name."""
    entries, lines = [], []
    for field in dtype.names or ():
        part = dtype[field]
        kind, inner = part.base.kind, part.shape

        def one(field: str = field) -> np.ndarray:
            return read()[field]

        if inner or kind not in "iuf":
            shape = (rows, *inner)
            entries.append(Entry(field, shape, short(part.base), kind in "iuf", one))
        else:
            lines.append((field, short(part), one))
    entries += of_columns(lines, rows)
    wide = [one for one in entries if len(one.shape) > 1 and one.numbers]
    if alone or len(wide) != 1:
        return entries
    return [Entry(name, one.shape, one.dtype, True, one.read) for one in wide]


def _check_held(name: str, held: int, wanted: int) -> None:
    """Hold what is announced against what the file says it holds."""
    if held < wanted:
        raise Refused(
            f"expected a readable .npz file, got: EOF: reading array data, expected {wanted} "
            f"bytes got {max(0, held)}; {short(name)} was not saved as a whole"
        )
    if held > wanted:
        raise Refused(
            f"{short(name)} of {wanted:,} bytes is followed by {held - wanted:,} others; save "
            "with np.savez"
        )
