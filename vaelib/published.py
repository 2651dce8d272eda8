"""Published image sets, verified: from the files that are there, else downloaded by torchvision.

MNIST and the sets in its format are four files each, gzipped or unpacked. Whoever packs a file
again changes the checksum of the wrapper, not of what is in it: so it is the unpacked bytes that
are verified. Of KMNIST only checksums of the published gzip files are known, those of torchvision;
its unpacked files are held to their sizes. CIFAR-10 is read by torchvision.
"""

import gzip
import hashlib
import io
import math
import os
import stat
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from vaelib.reading import check_kind, read_bytes

__all__ = ["read_published"]

_SHAPES: dict[str, tuple[int, ...]] = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}
_TEST = "t10k-labels-idx1-ubyte"

_UNPACKED: dict[str, dict[str, str]] = {
    "MNIST": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "FashionMNIST": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
    "KMNIST": {},
}
"""MD5 of the unpacked bytes."""
_PACKED: dict[str, dict[str, str]] = {
    "KMNIST": {
        "train-images-idx3-ubyte": "bdb82020997e1d708af4cf47b453dcf7",
        "train-labels-idx1-ubyte": "e144d726b3acfaa3e44228e80efcd344",
        "t10k-images-idx3-ubyte": "5c965bf0a639b31b8f53240b1b52f4d7",
        "t10k-labels-idx1-ubyte": "7320c461ea6c1c855c0b718fb2a4b134",
    },
}
"""MD5 of the gzip file, where nothing else is known."""

_GZIP = b"\x1f\x8b"
_UNSIGNED_BYTES = 8  # the type in the head of an IDX file


def read_published(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Read a set as its authors published it; a folder that has it is only read.

    Args:
        folder: for all sets; files in the format of MNIST lie in ``folder / name / "raw"``, with or
            without ``.gz``.
        name: ``"MNIST"``, ``"FashionMNIST"``, ``"KMNIST"`` or ``"CIFAR10"``.

    Returns:
        Images, shape (n, channels, height, width), uint8, the test images last; classes, shape
        (n,), integers; and how many test images there are.

    Raises:
        ValueError: where a file is missing and cannot be downloaded, cannot be read, or is not the
            one that was published.

    References:
        LeCun, Cortes and Burges, The MNIST database of handwritten digits, 1998: the IDX format.
    """
    if name not in _UNPACKED:
        parts = _torchvision(folder, name)
        pixels, classes = (
            np.concatenate([np.asarray(getattr(part, what)) for part in parts])
            for what in ("data", "targets")
        )
        return pixels.transpose(0, 3, 1, 2), classes, len(parts[1].data)
    raw = folder / name / "raw"
    try:
        if not (found := _found(raw)):
            _torchvision(folder, name)
            found = _found(raw)
        arrays = [_read(path, name, file) for file, path in found.items()]
    except OSError as error:
        raise ValueError(
            f"expected the files of {name} in {raw}, and {error.filename} cannot be read "
            f"({error.strerror}); allow it, or set VAEBENCH_DATA to another folder"
            if isinstance(error, PermissionError)
            else f"expected a file of {name} at {error.filename}, got "
            + (
                "a folder"
                if os.path.isdir(str(error.filename))
                else f"one that cannot be read ({error.strerror})"
                if os.path.isfile(str(error.filename))
                else "a pipe or a device"
                if os.path.exists(str(error.filename))
                else f"a link that leads nowhere, to {os.readlink(str(error.filename))}"
                if os.path.islink(str(error.filename))
                else f"none that can be read ({error.strerror})"
            )
            + "; put the original file there, or set VAEBENCH_DATA to another folder"
        ) from None
    images, classes = (
        np.concatenate([array for array in arrays if array.ndim == rank]) for rank in (3, 1)
    )
    return images[:, None], classes, _SHAPES[_TEST][0]


def _torchvision(folder: Path, name: str) -> list[Any]:
    """Training and test part as torchvision has them, downloaded where they are not there."""
    from torchvision import datasets

    where = folder / name / "raw" if name in _UNPACKED else folder
    before = set(where.iterdir()) if where.is_dir() else set()
    made = [one for one in (where, *where.parents) if not os.path.lexists(one)]
    try:
        own = getattr(datasets, name)
        return [own(folder, train=train, download=True) for train in (True, False)]
    except (OSError, RuntimeError) as error:
        lines = [line.strip(" :") for line in str(error).splitlines() if line.strip()]
        reason = ": ".join(dict.fromkeys(lines[:1] + lines[-1:])) or type(error).__name__
        with suppress(OSError):  # what it left of files, lest the next run takes it for the set
            for file in set(where.iterdir()) - before:
                file.unlink()
        with suppress(OSError):  # folders that it made and left empty
            for one in made:
                one.rmdir()
        raise ValueError(
            f"expected the files of {name} in {where}, and they are neither there nor can be "
            f"downloaded ({reason}); put the original files there, or set VAEBENCH_DATA to a "
            "folder that has them"
            if not (
                no := [p for p in (where, *where.parents) if os.path.lexists(p) and not p.is_dir()]
            )
            else f"expected a folder at {no[-1]}, got "
            + ("a file" if no[-1].exists() else "a link that leads nowhere")
            + f"; put the original files into {where}, or set VAEBENCH_DATA to where they are"
        ) from None


def _found(raw: Path) -> dict[str, Path]:
    """Where each of the four files lies; none where none is there."""
    found = {file: path for file in _SHAPES if (path := _place(raw, file)) is not None}
    for path in found.values():  # what is no file may be why the others are not there
        check_kind(os.stat(path).st_mode, path, (stat.S_IFREG,))
    for file in _SHAPES if found else ():
        if file not in found:
            raise ValueError(f"expected {file} or {file}.gz in {raw}, got neither; copy it there")
    return found


def _place(raw: Path, file: str) -> Path | None:
    for path in (raw / file, raw / f"{file}.gz"):
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        return path
    return None


def _read(path: Path, name: str, file: str) -> np.ndarray:
    """One file, verified; what is wrong with it is said with the checksum that it should have."""
    shape = _SHAPES[file]
    head = bytes([0, 0, _UNSIGNED_BYTES, len(shape)])
    head += b"".join(count.to_bytes(4, "big") for count in shape)
    size = len(head) + math.prod(shape)
    stored = unpacked = read_bytes(path)
    checksum, packed = _UNPACKED[name].get(file), None
    expected = f"{file} of {size:,} bytes" + (f" with MD5 {checksum}" if checksum else "")
    if path.suffix == ".gz":
        if packed := _PACKED.get(name, {}).get(file):
            expected = f"{file}.gz with MD5 {packed}"
        else:
            expected = f"the gzip of {expected}"
        unpacked = _unpacked(stored, size)
    right = len(unpacked) == size and unpacked.startswith(head)
    right &= checksum is None or _md5(unpacked) == checksum
    right &= packed is None or _md5(stored) == packed
    if right:
        return np.frombuffer(unpacked, np.uint8, offset=len(head)).reshape(shape)
    got = f"{len(unpacked):,} bytes with MD5 {_md5(unpacked)}"
    if packed:
        got = f"{len(stored):,} bytes with MD5 {_md5(stored)}"
    if stored.lstrip()[:1] == b"<":
        got = "a page of HTML or XML"
    elif stored.startswith(_GZIP) and unpacked is stored:
        got = "a gzip file, whose name ends in .gz"
    elif not unpacked:
        got = "a file that is cut off, damaged or no gzip" if stored else "an empty file"
    elif len(unpacked) > size:
        got = "a longer one"
    raise ValueError(f"{path}: expected {expected}, got {got}; copy or download it anew")


def _unpacked(stored: bytes, size: int) -> bytes:
    """What a gzip file holds, up to one byte more than it should; nothing where it is damaged."""
    try:
        with gzip.open(io.BytesIO(stored), "rb") as file:
            return file.read(size + 1)
    except (OSError, EOFError, zlib.error):
        return b""


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
