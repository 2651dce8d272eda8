"""Tables of numbers as people have them: nested lists and data frames, beside tensors and arrays.

No library of data frames is imported: what has ``to_numpy`` and the types of its columns is one.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from vaelib.arguments.plain import kind_of
from vaelib.arguments.tensors import Numbers

__all__ = ["Frame", "Table", "as_numbers", "as_parts", "check_order"]

_KINDS = {"real numbers": "fiu", "integers": "biu"}
_NARROW = 2  # bytes: of floats of fewer torch knows neither sum nor product


class Frame(Protocol):
    """A data frame, or one of its columns."""

    def to_numpy(self) -> npt.NDArray[Any]:
        """All values."""


Table = Numbers | Frame | Sequence[Sequence[float]] | Sequence[float]
"""What a table of numbers may be given as."""


def as_numbers(value: object, name: str, what: str = "real numbers") -> Any:  # noqa: ANN401
    """A nested list or data frame as an array, a tensor of 8-bit floats in float64.

    Args:
        value: a table.
        name: what to call it in an error.
        what: it must hold, real numbers or integers.

    Returns:
        The numbers as an array or tensor; what is no table as it is, for
        :func:`vaelib.arguments.tensors.as_tensor` to take or refuse.

    Raises:
        ValueError: for lists that are no table of numbers, or a frame with a column of something
            else.

    Example:
        >>> as_numbers([[1, 2], [3, 4]], "mean").shape
        (2, 2)
    """
    if isinstance(value, Tensor):
        narrow = value.is_floating_point() and value.element_size() < _NARROW
        return value.double() if narrow else value
    if isinstance(value, list | tuple):
        return _of_lists(value, name, what)
    return _of_frame(value, name, what) if _is_frame(value) else value


def as_parts(value: object, of: str, words: Sequence[str]) -> Any:  # noqa: ANN401
    """Several tables that belong together, such as the mean and scale of held-out inputs.

    Args:
        value: a tuple or list of as many tables as there are words.
        of: whose they are, for errors.
        words: what each is called.

    Returns:
        Each as :func:`as_numbers` makes it; what are not as many, as it is.

    Raises:
        ValueError: as of :func:`as_numbers` and :func:`check_order`.
    """
    if not isinstance(value, tuple | list) or len(value) != len(words):
        return value
    check_order(value[0], value[1], f" of {of}")
    named = zip(value, words, strict=True)
    return tuple(
        as_numbers(part, f"{word} of {of}", "integers" if word == "conditions" else "real numbers")
        for part, word in named
    )


def check_order(mean: object, scale: object, of: str = "") -> None:
    """Refuse two data frames whose rows or columns are the same in another order.

    Args:
        mean: a table.
        scale: another.
        of: whose they are, for the error.

    Raises:
        ValueError: for frames of as many rows with different labels, or of the same columns in
            another order.
    """
    if not (_is_frame(mean) and _is_frame(scale)):
        return
    heads = [list(map(str, getattr(one, "columns", ()))) for one in (mean, scale)]
    if heads[0] != heads[1] and sorted(heads[0]) == sorted(heads[1]):
        raise ValueError(
            f"mean and scale{of} must have their columns in the same order, got frames of the same "
            "columns in another; take scale[mean.columns]"
        )
    first, second = getattr(mean, "index", None), getattr(scale, "index", None)
    if first is None or second is None or callable(first) or len(first) != len(second):
        return
    if list(first) != list(second):
        raise ValueError(
            f"mean and scale{of} must have their rows in the same order, got frames of different "
            "indices; take scale.loc[mean.index]"
        )


def _is_frame(value: object) -> bool:
    typed = hasattr(value, "dtypes") or hasattr(value, "dtype")
    return typed and not isinstance(value, type) and callable(getattr(value, "to_numpy", None))


def _of_frame(frame: Any, name: str, what: str) -> npt.NDArray[Any]:  # noqa: ANN401
    """Its values; missing ones are NaN."""
    values: npt.NDArray[Any] = frame.to_numpy()
    if values.dtype.kind in _KINDS[what]:
        return values
    if not hasattr(frame, "columns"):
        return _of_column(frame, name, what, "a column")
    columns = [
        _of_column(frame.iloc[:, place], name, what, f"column {label!s:.40}")
        for place, label in enumerate(frame.columns)
    ]
    return np.stack(columns, 1) if columns else np.empty((len(frame), 0))


def _of_column(column: Any, name: str, what: str, which: str) -> npt.NDArray[Any]:  # noqa: ANN401
    kind = column.dtype
    if getattr(kind, "kind", "O") not in _KINDS[what]:
        raise ValueError(
            f"{name} must hold {what}, got {which} of {kind!s:.40}; drop or convert it"
        )
    if what == "integers" and bool(column.isna().any()):
        raise ValueError(f"{name} must hold {what}, got {which} with missing values; fill them")
    to = np.int64 if what == "integers" else np.float64
    values: npt.NDArray[Any] = column.to_numpy(dtype=to, na_value=np.nan)
    return values


def _of_lists(value: Sequence[Any], name: str, what: str) -> npt.NDArray[Any]:
    """As an array, where each list is as long as the others beside it."""
    first = value[0] if len(value) else None
    if isinstance(first, Tensor):
        raise ValueError(
            f"{name} must be one table, got a {kind_of(value)} of tensors; torch.cat or "
            "torch.stack makes one of them"
        )
    try:
        values = np.array(value)
    except Exception as error:  # numpy's words for lists of many kinds, and whatever those raise
        raise ValueError(
            f"{name} must be a table of numbers, got lists of different lengths or of what are no "
            "numbers; make all rows as long"
        ) from error
    if values.size and values.dtype.kind not in _KINDS[what]:
        raise ValueError(
            f"{name} must hold {what}, got a {kind_of(value)} with other values; convert them first"
        )
    return values
