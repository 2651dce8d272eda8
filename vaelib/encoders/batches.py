"""Data in the forms that people have them in, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from vaelib.arguments.plain import kind_of
from vaelib.arguments.tables import as_numbers
from vaelib.arguments.tensors import as_tensor
from vaelib.encoders.names import INPUTS
from vaelib.encoders.seen import line_of, seen

__all__ = ["Batches", "batches_of", "input_of", "inputs_of", "is_anndata", "mapped", "rows_of"]

_RANDOM = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)
_LINES = "encode(model, torch.stack(inputs)), or a DataLoader"


@dataclass(frozen=True)
class Batches:
    """Batches in order, and of how many inputs they are.

    Attributes:
        each: gives them.
        inputs: N; None where only the end tells.
        sliced: whether they are rows of one tensor, of which there may be fewer.
    """

    each: Callable[[], Iterator[Any]]
    inputs: int | None
    sliced: bool = False


def batches_of(data: Any, batch_size: int) -> Batches:  # noqa: ANN401
    """Batches of a tensor, array, table, list, dictionary, Dataset, DataLoader or AnnData.

    Args:
        data: as :func:`vaelib.encode` takes it.
        batch_size: inputs at once, where the data do not say it themselves.

    Returns:
        The batches.

    Raises:
        TypeError: for what is no data.
        ValueError: for data without inputs, or in parts of different lengths.
    """
    if isinstance(data, DataLoader):
        known = None if isinstance(data.dataset, IterableDataset) else _length(data)
        return Batches(lambda: iter(data), known)
    if is_anndata(data):
        return _sliced(data, batch_size, int(data.n_obs), rows=False)
    if isinstance(data, list) and (not data or not _is_table(data)):
        return _of_items(data, batch_size)
    if isinstance(data, Mapping) or (isinstance(data, tuple) and not _is_table(data)):
        return _of_parts(data, batch_size)
    if isinstance(data, Tensor | np.ndarray | list | tuple) or hasattr(data, "to_numpy"):
        return _of_numbers(data, batch_size)
    items = hasattr(data, "__getitem__") and isinstance(data, Sized)
    if isinstance(data, str | bytes | type) or not (items or hasattr(data, "__iter__")):
        raise TypeError(
            "data must be a tensor, array, list, dictionary, Dataset or DataLoader, got "
            f"{seen(data)}; load it first, or wrap it in a DataLoader"
        )
    if items or isinstance(data, IterableDataset):
        return _of_items(data, batch_size)
    return Batches(lambda: iter(data), None)


def inputs_of(data: Any, name: str = "data") -> Any:  # noqa: ANN401
    """The inputs themselves, where they come as :func:`vaelib.encode` takes them.

    Args:
        data: batches or items, of which what goes into an encoder is taken; or numbers.
        name: what to call them in an error.

    Returns:
        A tensor of shape (N, ...) of what are batches or items; what are numbers, or no data, as
        it is.

    Raises:
        ValueError: for a loader that shuffles, or what goes together in no tensor.
    """
    if isinstance(data, Tensor | np.ndarray) or hasattr(data, "to_numpy") or data is None:
        return data
    if isinstance(data, list | tuple) and (not data or _is_table(data)):
        return data
    if isinstance(data, DataLoader) and _shuffles(data):
        raise ValueError(
            f"{name} must come in the order in which they were encoded, got a DataLoader that "
            "shuffles; make one with shuffle=False, and encode that"
        )
    items = isinstance(data, Mapping | DataLoader | IterableDataset | list | tuple)
    if not (items or is_anndata(data) or (hasattr(data, "__getitem__") and not _is_text(data))):
        return data
    parts = [input_of(batch) for batch in batches_of(data, 256).each()]
    tensors = [as_tensor(part, name) for part in parts if isinstance(part, Tensor | np.ndarray)]
    if len(tensors) != len(parts) or len({one.shape[1:] for one in tensors}) != 1:
        raise ValueError(f"{name} must be inputs of one shape, got {seen(data)}; torch.stack(them)")
    return torch.cat([one.cpu() for one in tensors])


def _shuffles(loader: DataLoader[Any]) -> bool:
    """Whether it gives the inputs in another order each time."""
    samplers = loader.sampler, getattr(loader.batch_sampler, "sampler", None)
    return any(isinstance(one, _RANDOM) for one in samplers)


def _is_text(data: object) -> bool:
    return isinstance(data, str | bytes | type)


def is_anndata(data: object) -> bool:
    """Whether data are annotated in the manner of anndata.

    Args:
        data: any.

    Returns:
        True for what has a matrix X and the names of its rows.
    """
    return not isinstance(data, type) and all(hasattr(data, n) for n in ("X", "obs", "n_obs"))


def _length(loader: DataLoader[Any]) -> int | None:
    try:
        return len(loader.dataset) if loader.sampler is not None else None  # type: ignore[arg-type]
    except TypeError:
        return None


def _is_table(data: Any) -> bool:  # noqa: ANN401
    """Whether lists in lists hold plain numbers."""
    first = data
    while isinstance(first, list | tuple) and first:
        first = first[0]
    return isinstance(first, int | float) and not isinstance(first, bool)


def _of_numbers(data: Any, batch_size: int) -> Batches:  # noqa: ANN401
    numbers = as_numbers(data, "data")
    x = as_tensor(numbers, "data")
    if x.dim() < 2 or 0 in x.shape:
        raise ValueError(
            f"data must be of shape (N, ...) with N at least 1, got {seen(numbers)}; one input x "
            "is x[None], a row of numbers x[:, None]"
        )
    if isinstance(numbers, Tensor):
        x = numbers.detach()  # in its own type, which encoders may ask for
    elif not isinstance(data, np.ndarray) and x.is_floating_point():
        x = x.to(torch.get_default_dtype())  # lists and tables have no type of their own
    elif data is numbers and numbers.dtype.kind in "iu":
        x = torch.from_numpy(np.array(numbers, numbers.dtype.newbyteorder("=")))
    return _sliced(x, batch_size, len(x), rows=True)


def _sliced(x: Any, batch_size: int, count: int, rows: bool) -> Batches:  # noqa: ANN401
    starts = range(0, count, batch_size)
    return Batches(lambda: (x[start : start + batch_size] for start in starts), count, sliced=rows)


def _of_items(data: Any, batch_size: int) -> Batches:  # noqa: ANN401
    """Inputs one by one, put together as torch does it."""
    if isinstance(data, Sized) and not len(data):
        raise ValueError(f"data must hold at least 1 input, got an empty {kind_of(data)}")
    if isinstance(data, list):
        numbers = [part for part in data if isinstance(part, Tensor | np.ndarray)]
        if len({tuple(part.shape) for part in numbers}) > 1:
            raise ValueError(
                f"data in a list must be inputs of one shape, got {seen(data)}; batches go "
                "together by torch.cat(data)"
            )
    loader: DataLoader[Any] = DataLoader(data, batch_size=batch_size)

    def each() -> Iterator[Any]:
        try:
            yield from loader
        except (TypeError, RuntimeError, KeyError) as error:
            raise ValueError(
                f"data must be inputs that go together in batches, got {seen(data)} "
                f"({line_of(error)}); {_LINES}"
            ) from error

    return Batches(each, len(data) if isinstance(data, Sized) else None)


def _of_parts(data: Any, batch_size: int) -> Batches:  # noqa: ANN401
    """Arrays of as many rows, by name or in order."""
    pairs = data.items() if isinstance(data, Mapping) else enumerate(data)
    numbers = {key: as_numbers(part, f"data[{key!r:.30}]") for key, part in pairs}
    held = {key: part for key, part in numbers.items() if isinstance(part, Tensor | np.ndarray)}
    lengths = {len(part) if part.ndim else 0 for part in held.values()}
    if len(held) != len(numbers) or len(lengths) != 1 or lengths == {0}:
        raise ValueError(
            "data in parts must be tensors or arrays of as many inputs each, at least 1, got "
            f"{seen(data)}; to give an encoder more than x, use a DataLoader and call="
        )
    tensors = {
        key: part if isinstance(part, Tensor) else as_tensor(part, f"data[{key!r:.30}]")
        for key, part in held.items()
    }
    count = lengths.pop()

    def each() -> Iterator[Any]:
        for start in range(0, count, batch_size):
            batch = {key: part[start : start + batch_size] for key, part in tensors.items()}
            yield batch if isinstance(data, Mapping) else tuple(batch.values())

    return Batches(each, count)


def mapped(batch: Any, change: Callable[[Tensor], Tensor]) -> Any:  # noqa: ANN401
    """A batch with every tensor changed; arrays, and sparse rows of AnnData, become tensors.

    Args:
        batch: tensors, alone or in dictionaries, tuples and lists.
        change: what to do with each.

    Returns:
        The batch.
    """
    if isinstance(batch, Tensor):
        return change(batch)
    if isinstance(batch, np.ndarray) and batch.dtype.kind in "fiu":
        return change(as_tensor(batch, "data"))
    if isinstance(batch, Mapping):
        return {key: mapped(part, change) for key, part in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(mapped(part, change) for part in batch))
    if isinstance(batch, tuple | list):
        return type(batch)(mapped(part, change) for part in batch)
    return batch


def input_of(batch: Any) -> Any:  # noqa: ANN401
    """What of a batch goes into the encoder, where nobody says it.

    Args:
        batch: as a loader gives it.

    Returns:
        The tensor of a dictionary under a name among ``INPUTS``, the first of a tuple or list,
        the matrix of AnnData; all else as it is.

    Raises:
        ValueError: for a dictionary without such a name.
    """
    if is_anndata(batch):
        x = batch.X
        x = x.toarray() if hasattr(x, "toarray") else np.asarray(x)
        return as_tensor(x, "X of data")
    if isinstance(batch, Mapping):
        name = next((name for name in INPUTS if name in batch), None)
        name = next(iter(batch)) if name is None and len(batch) == 1 else name
        if name is None:
            raise ValueError(
                f"what goes into the encoder must be named among {', '.join(INPUTS)}, got "
                f"{seen(batch)}; pass call=lambda batch: "
                f"model(batch[{next(iter(batch), 'x')!r:.30}])"
            )
        return batch[name]
    return batch[0] if isinstance(batch, tuple | list) and batch else batch


def rows_of(batch: Any) -> int:  # noqa: ANN401
    """How many inputs a batch holds.

    Args:
        batch: as a loader gives it.

    Returns:
        The length of its first part that has rows; 0 where none has.
    """
    if is_anndata(batch):
        return int(batch.n_obs)
    if isinstance(batch, Tensor | np.ndarray):
        return len(batch) if batch.ndim else 0
    parts = batch.values() if isinstance(batch, Mapping) else batch
    if not isinstance(batch, Mapping | tuple | list):
        return 0
    return next((rows for part in parts if (rows := rows_of(part))), 0)
