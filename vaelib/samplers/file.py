"""Samplers as a .safetensors file, which holds tensors and one text and can execute nothing."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaelib.arguments.plain import as_integer, kind_of
from vaelib.files import sweep, write_atomically
from vaelib.reading import only_files, read_bytes
from vaelib.samplers.kinds import Tensors, tensors_of
from vaelib.samplers.parsed import ALL, FORMAT, VERSION, Refused, about_of, sampler_of
from vaelib.samplers.sampler import Box, Sampler

__all__ = [
    "SUFFIX",
    "as_bytes",
    "check_installed",
    "conditions_of",
    "is_sampler",
    "load_sampler",
    "write_samplers",
]

_HEADER = 1 << 24  # bytes of a header that is looked at
_MOST = 1 << 33  # bytes of a file
_LONGEST = 100  # characters of a path that an error shows
SUFFIX = ".safetensors"
"""How the name of such a file ends."""

_LACKING = (
    "expected safetensors, which reads and writes samplers, got none; "
    "python -m pip install safetensors"
)


def check_installed() -> None:
    """Ask for the package that the files need.

    Raises:
        ValueError: where it is not installed.
    """
    try:
        import safetensors.torch  # noqa: F401
    except ImportError as error:
        raise ValueError(_LACKING) from error


def write_samplers(path: str | os.PathLike[str], samplers: Mapping[int | None, Sampler]) -> Path:
    """Write one sampler, or one for each condition.

    Args:
        path: of a new file, or of a sampler's, which is replaced.
        samplers: condition -> sampler, all of one D and prior; under None alone without one.

    Returns:
        The path.

    Raises:
        TypeError: for what is no path.
        ValueError: for a file that is no sampler's, another ending, a density that has no form as
            plain tensors, or where safetensors is not installed.
        OSError: where it cannot be written; it names the path.
    """
    place = _path(path)
    if place.suffix != SUFFIX:
        raise ValueError(f"path of a sampler must end in {SUFFIX}, got {_named(place)}")
    if os.path.lexists(place) and not is_sampler(place):
        raise ValueError(
            "path must be that of a new file or of an earlier sampler, got "
            f"{_named(place)}, which is neither; choose another"
        )
    data = as_bytes(samplers)
    if place.parent.is_dir():
        sweep(place.parent)
    write_atomically(place, data)
    return place


def as_bytes(samplers: Mapping[int | None, Sampler]) -> bytes:
    """What `write_samplers` writes.

    Args:
        samplers: as there.

    Returns:
        The file.

    Raises:
        ValueError: for a density that has no form as plain tensors, or without safetensors.
    """
    check_installed()
    from safetensors.torch import save

    first = next(iter(samplers.values()))
    tensors: Tensors = {}
    parts: dict[str, Any] = {}
    for label, sampler in samplers.items():
        name = ALL if label is None else str(label)
        parts[name] = _part(name, sampler, tensors)
    about = json.dumps(
        {
            "prior": _prior(first.box),
            "dimensions": first.dimensions,
            "code": first.about.code,
            "samplers": parts,
        },
        allow_nan=False,
    )
    tensors = {name: value.double().contiguous().clone() for name, value in tensors.items()}
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "about": about,
        "sha256": _digest(about, tensors),
    }
    data: bytes = save(tensors, metadata)
    return data


def _prior(box: Box | None) -> dict[str, Any]:
    if box is None:
        return {"name": "normal"}
    return {"name": "uniform", "low": box.low, "high": box.high}


def _part(name: str, sampler: Sampler, tensors: Tensors) -> dict[str, Any]:
    """What is said of one sampler; its tensors are put among the others."""
    rows = []
    for k, (candidate, weight) in enumerate(sampler.weights.items()):
        kind, own = tensors_of(sampler.candidates[candidate])
        tensors |= {f"{name}/{k}/{field}": value for field, value in own.items()}
        gain = sampler.about.gains.get(candidate)
        row = {"name": candidate, "kind": kind, "weight": weight, "gain": gain}
        rows.append(row | {"dimensions": sampler.dimensions})
    if sampler.gauge is not None:
        tensors |= dict(zip((f"{name}/shift", f"{name}/scale"), sampler.gauge, strict=True))
    about = sampler.about
    return {
        "N": about.rows,
        "n": about.heldout,
        "gain": about.gain,
        "gauge_gain": about.gauge_gain,
        "candidates": rows,
    }


def load_sampler(path: str | os.PathLike[str], condition: int | None = None) -> Sampler:
    """Read a sampler; nothing in the file is executed, and all of it is checked.

    Args:
        path: of a file that ``vaebench repair`` or ``save`` wrote.
        condition: which one, where there is one for each label.

    Returns:
        A density: ``sample(n, generator)`` draws latents of shape (n, D), float64, to decode;
        ``log_prob(z)`` is its log density at z of shape (n, D), in nats.

    Raises:
        TypeError: for what is no path, or a condition that is no integer.
        ValueError: for a file that is no sampler's, damaged, edited or of another version, for a
            condition that it lacks, or where safetensors is not installed.

    Example:
        >>> import tempfile
        >>> from vaelib import fit_density
        >>> z = 2 * torch.randn(1000, 3, generator=torch.Generator().manual_seed(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = fit_density(z).save(f"{folder}/sampler.safetensors")
        ...     sampler = load_sampler(path)
        >>> sampler.sample(5, torch.Generator().manual_seed(1)).shape
        torch.Size([5, 3])
    """
    place = _path(path)
    if condition is not None:
        condition = as_integer(condition, "condition")
    about, tensors = _opened(place)
    try:
        name = _chosen(list(about["samplers"]), condition)
        return sampler_of(about, name, tensors)
    except Refused as error:
        raise ValueError(f"{_named(place)}: {error}") from error


def conditions_of(path: str | os.PathLike[str]) -> list[int]:
    """The labels that a file has a sampler for.

    Args:
        path: of the file.

    Returns:
        They, ascending; empty where there is one sampler for all.

    Raises:
        TypeError: for what is no path.
        ValueError: for a file that is no sampler's.
    """
    about, _ = _opened(_path(path))
    return sorted(int(name) for name in about["samplers"] if name != ALL)


def is_sampler(path: Path) -> bool:
    """Whether a file says that it holds samplers, so that another may replace it.

    Args:
        path: of the file.

    Returns:
        False for what cannot be read, too.
    """
    try:
        with open(path, "rb", opener=only_files) as file:
            size = int.from_bytes(file.read(8), "little")
            header = file.read(size) if 0 < size <= _HEADER else b""
        return bool(json.loads(header)["__metadata__"]["format"] == FORMAT)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _path(path: object) -> Path:
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise TypeError(f"path must be that of a file, got {kind_of(path)}")
    if "\0" in os.fspath(path):
        raise ValueError("path must be that of a file, got one with a NUL")
    return Path(path)


def _named(path: Path) -> str:
    """A path as an error shows it, never long."""
    text = str(path)
    return text if len(text) <= _LONGEST else f"…{text[-_LONGEST:]}"


def _opened(path: Path) -> tuple[dict[str, Any], Tensors]:
    """What a file says of itself, and its tensors, both as they were written."""
    check_installed()
    from safetensors.torch import load

    try:
        data = read_bytes(path, _MOST)
    except OSError as error:
        raise ValueError(
            f"{_named(path)}: expected a sampler, got: {error.strerror or error}"
        ) from error
    if not data:
        raise ValueError(f"{_named(path)}: expected a sampler, got an empty file")
    try:
        tensors: Tensors = load(data)
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size]).get("__metadata__") or {}
    except Exception as error:  # damaged bytes raise anything
        raise ValueError(
            f"{_named(path)}: expected a {SUFFIX} file of tensors, got a damaged one or another "
            "kind, which is not opened any other way"
        ) from error
    try:
        about = about_of(metadata)
        if metadata.get("sha256") != _digest(metadata["about"], tensors):
            raise Refused("its checksum is not that of what it holds: damaged, or edited")
    except Refused as error:
        raise ValueError(f"{_named(path)}: {error}") from error
    return about, tensors


def _chosen(names: list[str], condition: int | None) -> str:
    if condition is None and names == [ALL]:
        return ALL
    known = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    if names == [ALL]:
        raise Refused(f"expected no condition, as one sampler is for all, got {condition}")
    if condition is None:
        raise Refused(f"expected a condition, one of {known}, got none")
    if str(condition) not in names:
        raise Refused(f"expected one of the conditions {known}, got {condition}")
    return str(condition)


def _digest(about: str, tensors: Mapping[str, Tensor]) -> str:
    """sha256 of the text and of all tensors, with their names, types and shapes."""
    digest = hashlib.sha256(about.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        if value.dtype == torch.float64:  # others are refused later
            digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()
