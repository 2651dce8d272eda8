"""Files that say what they hold, and that it is what was written.

A seal is an identity, which tells what a file holds from all else, and a sha256 of that and of all
other bytes. Arrays carry it as the comment of the zip archive that an .npz is, which ``np.load``
passes over; a JSON object as its last field, so that both stay what they were for other readers.
It finds damage, mix-ups and edits; it is no signature, and who can write a file can seal it.
"""

import hashlib
import io
import json
import os
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vaelib.files import sweep, write_atomically
from vaelib.reading import only_files, read_bytes

__all__ = [
    "CacheWarning",
    "SealError",
    "identity_of",
    "keep",
    "packed",
    "recall",
    "sealed_json",
    "unpacked",
    "unsealed_json",
    "verify",
]

Identity = Mapping[str, str]

_FIELD = b',\n "sha256": "'
_END = b'"\n}\n'


class SealError(ValueError):
    """A file is not what was written, or of something else than was asked for."""


class CacheWarning(UserWarning):
    """A cache could not be read or written, or not be trusted; what it lacks is computed again."""


def packed(
    arrays: Mapping[str, npt.ArrayLike], identity: Identity, *, compressed: bool = False
) -> bytes:
    """Arrays as a sealed .npz; equal arrays give equal bytes.

    Args:
        arrays: by name; numbers or text.
        identity: what they are.
        compressed: whether to spend time on fewer bytes.

    Returns:
        The file.
    """
    buffer = io.BytesIO()
    kept: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    save = np.savez_compressed if compressed else np.savez
    save(buffer, **kept)
    archive = buffer.getvalue()
    seal = {"identity": dict(identity), "sha256": _digest(archive, identity)}
    comment = json.dumps(seal, sort_keys=True).encode()
    return archive[:-2] + _sized(comment)


def verify(data: bytes, identity: Identity) -> None:
    """Compares a sealed .npz with what it should hold, before anything of it is unpacked.

    Args:
        data: the file.
        identity: what it should hold.

    Raises:
        SealError: where it is not what was written under this identity.
    """
    held, digest, comment = _seal(io.BytesIO(data))
    names = sorted(held.keys() | identity.keys())
    if other := [name for name in names if held.get(name) != identity.get(name)]:
        raise SealError(f"it is of another {other[0]}")
    archive = data.removesuffix(_sized(comment)) + b"\0\0"
    if not data.endswith(_sized(comment)) or _digest(archive, identity) != digest:
        raise SealError("its checksum is not that of what it holds")


def unpacked(data: bytes, identity: Identity) -> dict[str, np.ndarray]:
    """What `packed` packed.

    Args:
        data: the file.
        identity: what it should hold.

    Returns:
        The arrays by name.

    Raises:
        SealError: where it is not what was written under this identity.
    """
    verify(data, identity)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return dict(file)
    except Exception as error:  # damaged bytes raise anything, and a seal can be made for them
        raise SealError(f"it is no archive of arrays ({type(error).__name__})") from error


def identity_of(path: Path) -> dict[str, str]:
    """What a sealed .npz says that it holds; whether that is so is seen when it is unpacked.

    Args:
        path: the file.

    Returns:
        Its identity.

    Raises:
        OSError: where it cannot be read.
        SealError: where it has no seal.
    """
    with open(path, "rb", opener=only_files) as file:
        return _seal(file)[0]


def _seal(file: io.BytesIO | io.BufferedReader) -> tuple[dict[str, str], str, bytes]:
    """Identity, sha256 and the bytes of both."""
    try:
        with zipfile.ZipFile(file) as archive:
            comment = archive.comment
        seal = json.loads(comment)
        return dict(seal["identity"]), str(seal["sha256"]), comment
    except Exception as error:  # damaged bytes raise anything
        raise SealError("it is truncated or carries no checksum") from error


def _sized(comment: bytes) -> bytes:
    """The end of a zip archive, from the length of its comment on."""
    return struct.pack("<H", len(comment)) + comment


def _digest(data: bytes, identity: Identity) -> str:
    digest = hashlib.sha256(json.dumps(dict(identity), sort_keys=True).encode())
    digest.update(data)
    return digest.hexdigest()


def sealed_json(text: str) -> bytes:
    """A JSON object with a checksum of itself as its last field.

    Args:
        text: the object, a field on each line, which says itself what it is.

    Returns:
        The file.
    """
    assert text.endswith("\n}"), "an object with fields on lines of their own"
    data = text.encode()
    return data[:-2] + _FIELD + hashlib.sha256(data).hexdigest().encode() + _END


def unsealed_json(data: bytes) -> bytes:
    """The object that `sealed_json` sealed, not yet parsed.

    Args:
        data: the file.

    Returns:
        The object without its checksum.

    Raises:
        SealError: where it is not what was written.
    """
    body, field, tail = data.rpartition(_FIELD)
    if not field or not tail.endswith(_END):
        raise SealError("it is truncated or carries no checksum")
    body += b"\n}"
    if hashlib.sha256(body).hexdigest().encode() != tail.removesuffix(_END):
        raise SealError("its checksum is not that of what it holds")
    return body


def recall(path: Path, identity: Identity) -> dict[str, np.ndarray] | None:
    """What a cache keeps in a file; what cannot be read or trusted costs time, and a line.

    Where the file is another user's, and not for this one to read, it is this one's own beside it.

    Args:
        path: the file.
        identity: what it should hold.

    Returns:
        The arrays by name; None where there is no such file, or with a `CacheWarning`.
    """
    for one in (path, _own(path)):
        try:
            return unpacked(read_bytes(one), identity)
        except (FileNotFoundError, PermissionError):
            continue
        except (OSError, SealError) as error:
            _warn(f"{one} is not used but computed again: {_reason(error)}")
            break
    return None


def keep(path: Path, arrays: Mapping[str, npt.ArrayLike], identity: Identity) -> None:
    """Keeps arrays in a cache; where that is impossible, a `CacheWarning` says so.

    Args:
        path: the file, or one beside it where it is another user's; the folder is made and swept.
        arrays: by name.
        identity: what they are.
    """
    try:
        sweep(path.parent)
        data = packed(arrays, identity)
        try:
            write_atomically(path, data)
        except PermissionError:  # another user's, in a folder where only who made a file moves it
            write_atomically(_own(path), data)
    except (OSError, TypeError) as error:  # a full disk, or numbers that numpy does not have
        _warn(f"{path} cannot be kept and will be computed again: {_reason(error)}")


def _own(path: Path) -> Path:
    """Where this user keeps what another user's file stands in the way of."""
    return path.with_name(f"{path.stem}.of-{os.geteuid()}{path.suffix}")


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _warn(text: str) -> None:
    warnings.warn(text, CacheWarning, stacklevel=3)
