"""Files of tensors: .pt and .pth as torch.save writes them, and .safetensors."""

import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vaelib.latent_files.entries import Budget, Entry, Refused, lacking, short

__all__ = ["pt_entries", "safetensors_entries"]

_ANEW = 'torch.save({"mean": mean, "logvar": logvar}, path) of tensors'
_PICKLE = 1 << 20  # bytes of what names the tensors of a file
_DEEP = 3  # mappings inside each other


@contextmanager
def pt_entries(path: Path, most: int | None = None) -> Iterator[list[Entry]]:
    """The tensors of a file of torch.save: one, a list, or mappings of them.

    Nothing but tensors and plain containers of them is made: with ``weights_only`` torch refuses
    all else that the file names.

    Args:
        path: the file.
        most: numbers that one array may hold.

    Yields:
        What it holds, under keys joined by ``/``; members of a list are called 0, 1, ….

    Raises:
        Refused: for pickled objects, or what is no such file.
    """
    _check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of storages that earlier versions wrote
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # whatever is in it
        raise Refused(
            "expected tensors alone, got pickled objects, which are never loaded, or a damaged "
            f"file; save {_ANEW}"
        ) from error
    budget = Budget(path.stat().st_size, most)
    yield [_entry(name, value, budget) for name, value in _flat("", loaded, _DEEP)]


def _check_archive(path: Path) -> None:
    """Refuse what torch.save does not write, and what expands."""
    size = path.stat().st_size
    if not zipfile.is_zipfile(path):
        what = "an empty file" if not size else "a file of another kind, or of torch before 1.6"
        raise Refused(f"expected a .pt file, got {what}; save {_ANEW}")
    try:
        with zipfile.ZipFile(path) as file:
            members = file.infolist()
    except Exception as error:  # damaged bytes raise anything
        raise Refused(f"expected a readable .pt file, got a damaged one; save {_ANEW}") from error
    packed = any(one.compress_type != zipfile.ZIP_STORED for one in members)
    named = sum(one.file_size for one in members if one.filename.endswith(".pkl"))
    if packed or named > _PICKLE or sum(one.file_size for one in members) > size:
        raise Refused(f"expected a .pt file as torch.save writes it, got another; save {_ANEW}")


def _flat(name: str, value: object, deep: int) -> Iterator[tuple[str, object]]:
    """What is in mappings and lists, by joined names."""
    inner: Mapping[object, object] | None = None
    if isinstance(value, Mapping):
        inner = value
    elif isinstance(value, list | tuple):
        inner = dict(enumerate(value))
    if inner is None or not deep:
        yield name or "tensor", value
        return
    for key, part in inner.items():
        yield from _flat(f"{name}/{key}" if name else str(key), part, deep - 1)


def _entry(name: str, value: object, budget: Budget) -> Entry:
    shape = tuple(value.shape) if isinstance(value, Tensor) else ()
    kind = str(getattr(value, "dtype", type(value).__name__)).removeprefix("torch.")
    usable = (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and not (value.is_meta or value.is_quantized or value.is_complex())
        and value.dtype != torch.bool
    )

    def read() -> np.ndarray:
        if not usable or not isinstance(value, Tensor):
            raise Refused(f"{short(name)} must hold numbers, got {kind}")
        budget.take(name, shape)
        return _array(value)

    return Entry(name, shape, kind, usable, read)


def _array(value: Tensor) -> np.ndarray:
    """Integers as they are, all else in float64."""
    plain = value.detach()
    return np.asarray((plain.double() if plain.is_floating_point() else plain).numpy())


@contextmanager
def safetensors_entries(path: Path, most: int | None = None) -> Iterator[list[Entry]]:
    """The tensors of a .safetensors file, which holds nothing that could be executed.

    Args:
        path: the file.
        most: numbers that one array may hold.

    Yields:
        What it holds.

    Raises:
        Refused: where safetensors is not installed.
        Exception: whatever damaged bytes raise in it.
    """
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise Refused(lacking("safetensors", ".safetensors")) from error
    with safe_open(str(path), framework="pt") as file:
        budget = Budget(path.stat().st_size, most)

        def read(name: str, shape: tuple[int, ...]) -> np.ndarray:
            budget.take(name, shape)
            return _array(file.get_tensor(name))

        entries = []
        for name in file.keys():  # noqa: SIM118  # it is no mapping
            part = file.get_slice(name)
            shape, kind = tuple(part.get_shape()), _in_words(part.get_dtype())
            numbers = kind.startswith(("float", "bfloat", "int", "uint"))
            entries.append(Entry(name, shape, kind, numbers, partial(read, name, shape)))
        yield entries


def _in_words(kind: str) -> str:
    """F16 as float16."""
    for letters, word in (("BF", "bfloat"), ("F", "float"), ("I", "int"), ("U", "uint")):
        if kind.startswith(letters):
            return word + kind.removeprefix(letters).lower()
    return kind.lower()
