"""HDF5: .h5 and .hdf5 of data sets, and .h5ad, where latents lie in ``obsm``."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vaelib.latent_files.entries import Budget, Entry, Refused, lacking, short

__all__ = ["hdf5_entries"]

_MEMBERS = 100
_DEEP = 4  # groups inside each other


@contextmanager
def hdf5_entries(path: Path, most: int | None = None) -> Iterator[list[Entry]]:
    """The data sets of an HDF5 file; links to other files are listed and never followed.

    Args:
        path: the file. Of an .h5ad, what lies in ``obsm`` and ``layers``.
        most: numbers that one array may hold.

    Yields:
        What it holds, under paths without the first ``/``; of ``obsm``, under names alone.

    Raises:
        Refused: where h5py is not installed.
        Exception: whatever damaged bytes raise in it.
    """
    try:
        import h5py
    except ImportError as error:
        raise Refused(lacking("h5py", path.suffix)) from error
    with h5py.File(path, "r") as file:
        budget, found = Budget(path.stat().st_size, most), list[tuple[str, Any]]()
        if path.suffix.lower() == ".h5ad":
            for part in ("obsm", "layers"):
                if file.get(part, getlink=True).__class__ is h5py.HardLink:
                    _walk(h5py, file[part], "" if part == "obsm" else f"{part}/", found, 1)
        else:
            _walk(h5py, file, "", found, _DEEP)
        yield [_entry(name, data, budget) for name, data in found]


def _walk(h5py: Any, group: Any, before: str, found: list[tuple[str, Any]], deep: int) -> None:  # noqa: ANN401
    """Data sets of a group and of those in it, in the order of their names."""
    for name in group:
        if len(found) >= _MEMBERS:
            raise Refused(f"expected at most {_MEMBERS} arrays, got more; save those of z alone")
        link = group.get(name, getlink=True)
        value = group[name] if isinstance(link, h5py.HardLink) else None
        if isinstance(value, h5py.Group) and deep > 1:
            _walk(h5py, value, f"{before}{name}/", found, deep - 1)
        else:
            found.append((before + name, value if isinstance(value, h5py.Dataset) else None))


def _entry(name: str, data: Any, budget: Budget) -> Entry:  # noqa: ANN401
    shape = () if data is None or data.shape is None else tuple(data.shape)
    kind = "a link or a group" if data is None else short(data.dtype)
    own = data is not None and not data.external and not data.is_virtual
    numbers = own and data.shape is not None and data.dtype.kind in "iuf"
    return Entry(
        name, shape, kind, bool(numbers), partial(_read, name, data, bool(numbers), budget)
    )


def _read(name: str, data: Any, numbers: bool, budget: Budget) -> np.ndarray:  # noqa: ANN401
    if not numbers:
        raise Refused(f"{short(name)} must hold numbers of this file's own, got something else")
    budget.take(name, tuple(data.shape))
    return np.asarray(data[()])
