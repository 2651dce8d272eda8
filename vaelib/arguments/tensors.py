"""Tensors and arrays of real numbers, labels and indices; numbers that may come as one of them."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vaelib.arguments.plain import as_count, kind_of, shown

__all__ = [
    "Numbers",
    "as_array",
    "as_device",
    "as_index",
    "as_labels",
    "as_number",
    "as_tensor",
    "as_values",
    "check_finite",
    "check_floating",
    "number_of",
]

Numbers = Tensor | npt.NDArray[np.generic]
"""What a tensor may be given as."""

_FLOATS = (torch.float32, torch.float64)
_INTEGERS = (
    *(torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.uint8, torch.uint16, torch.uint32, torch.uint64),
)
_OTHERS = (torch.float16, torch.bfloat16, *_INTEGERS)
_WIDEST = 8  # bytes of a number that torch knows


def as_tensor(value: object, name: str, axes: str = "") -> Tensor:
    """Real numbers as a tensor of float32 or float64, without gradients.

    Args:
        value: a tensor or NumPy array of real numbers.
        name: what to call the argument in an error.
        axes: a letter for each axis, none of which may be empty: "nD" asks for shape (n, D). Empty,
            any shape will do.

    Returns:
        The same numbers: float32 and float64 as they are, all others in float64.

    Raises:
        TypeError: for what is neither a tensor nor an array.
        ValueError: for other than real numbers, no values, or another shape.
    """
    x = _tensor(value, name)
    if x.dtype not in _FLOATS:
        if x.dtype not in _OTHERS:
            raise ValueError(f"{name} must hold real numbers, got {x.dtype}; convert it first")
        x = x.double()
    if axes and (x.dim() != len(axes) or 0 in x.shape):
        raise ValueError(f"{name} must have shape {_shape(axes)}, got {tuple(x.shape)}")
    return x.resolve_neg()


def _tensor(value: object, name: str, numbers: str = "fiu") -> Tensor:
    """A tensor of what has values, without gradients."""
    if isinstance(value, np.ndarray):
        return _of_array(value, name, numbers)
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} must be a torch.Tensor or a NumPy array, got {kind_of(value)}; "
            "convert it first"
        )
    _check_values(value, name)
    return value.detach() if value.requires_grad else value


def _of_array(value: np.ndarray, name: str, numbers: str) -> Tensor:
    """A copy: torch takes no array whose memory is read-only, reversed or of another byte order."""
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(f"{name} must have no mask, got a masked array; fill it first")
    if value.dtype.kind not in numbers:
        got = str(value.dtype)[:40]
        wanted = "real numbers" if "f" in numbers else "integers"
        raise ValueError(f"{name} must hold {wanted}, got dtype {got}; convert it first")
    native = value.dtype.newbyteorder("=")
    kind = native if native.itemsize <= _WIDEST else np.dtype(np.float64)
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.array(value, kind, order="C"))


def _check_values(value: Tensor, name: str) -> None:
    """Refuse a tensor without values, or whose values lie in no common memory."""
    if value.layout != torch.strided or value.is_nested:
        raise ValueError(f"{name} must be dense, got layout {value.layout}; use to_dense() first")
    if value.is_meta and type(value) in (Tensor, torch.nn.Parameter):
        raise ValueError(f"{name} must have values, got a tensor on device meta; load it first")


def _shape(axes: str) -> str:
    inside = f"({axes},)" if len(axes) == 1 else f"({', '.join(axes)})"
    return f"{inside} with {' and '.join(dict.fromkeys(axes))} at least 1"


def as_values(value: object, name: str, least: int = 1) -> Tensor:
    """One row of finite numbers, shape (n,).

    Args:
        value: a tensor or array.
        name: what to call it in an error.
        least: the least n that will do.

    Returns:
        The numbers in float32 or float64.

    Raises:
        ValueError: for another shape, fewer numbers, or some that are not finite.
    """
    x = as_tensor(value, name)
    if x.dim() != 1:
        raise ValueError(f"{name} must have shape (n,), got {tuple(x.shape)}")
    as_count(len(x), name, least)
    return check_finite(x, name)


def as_array(value: object, name: str) -> npt.NDArray[np.float64]:
    """Real numbers as an array of float64.

    Args:
        value: a tensor or array.
        name: what to call it in an error.

    Returns:
        The numbers; the array itself where it is one of float64.
    """
    if type(value) is np.ndarray and value.dtype == np.float64 and value.dtype.isnative:
        return value
    array: npt.NDArray[np.float64] = as_tensor(value, name).cpu().double().numpy()
    return array


def as_labels(value: object, name: str, rows: int, of: str) -> Tensor:
    """Labels of rows: integers.

    Args:
        value: a tensor or array, shape (rows,).
        name: what to call it in an error.
        rows: n.
        of: what each label is one of.

    Returns:
        The labels in int64, shape (n,).

    Raises:
        ValueError: for what is no tensor or array, other than integers, or another shape.
    """
    if not isinstance(value, Tensor | np.ndarray):
        raise ValueError(f"{name} must be a tensor or array of integers, got {kind_of(value)}")
    x = _tensor(value, name, "biu")
    if x.dtype not in (torch.bool, *_INTEGERS) or x.shape != (rows,):
        raise ValueError(
            f"{name} must be integers of shape ({rows},), one label per {of}, got {x.dtype} of "
            f"shape {tuple(x.shape)}"
        )
    return x.to(torch.int64)


def as_index(value: object, name: str, rows: int) -> Tensor:
    """Some of n rows.

    Args:
        value: their numbers, or for each row whether it is one of them; a tensor or array.
        name: what to call it in an error.
        rows: n.

    Returns:
        The same, int64 or bool, of one axis.

    Raises:
        ValueError: for other than these, or rows that are not there.
    """
    x = _tensor(value, name, "biu")
    if x.dim() != 1 or x.dtype not in (torch.bool, *_INTEGERS):
        raise ValueError(
            f"{name} must be integers or truths of shape (M,), got {x.dtype} of shape "
            f"{tuple(x.shape)}"
        )
    if x.dtype == torch.bool and len(x) != rows:
        raise ValueError(f"{name} must have one truth for each of {rows} rows, got {len(x)}")
    if x.dtype == torch.bool or len(x) == 0:
        return x
    least, most = (int(end) for end in x.aminmax())
    if least < -rows or most >= rows:
        raise ValueError(f"{name} must be below {rows}, got {least} to {most}")
    return x.to(torch.int64)


def as_device(device: object) -> torch.device | None:
    """A device that is there.

    Args:
        device: its name, or the device; None for where the values are.

    Returns:
        The device, or None.

    Raises:
        ValueError: for a device that this machine does not have.
        TypeError: for what names none.
    """
    if device is None:
        return None
    if not isinstance(device, str | torch.device):
        raise TypeError(f"device must be a name or a torch.device, got {kind_of(device)}")
    try:
        made = torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch's words for it fill pages
        raise ValueError(f"device must be one of this machine's, got {device!s:.40}") from error
    _check_values(made, "what is on the device")
    return made.device


def as_number(value: object, name: str) -> float:
    """A real number, as one of Python's; infinity and NaN are left to the caller.

    Args:
        value: as of :func:`number_of`.
        name: what to call it in an error.

    Returns:
        The number.

    Raises:
        TypeError: for what is no number.
    """
    number = value if type(value) is float else number_of(value)
    if number is None:
        raise TypeError(f"{name} must be a number, got {shown(value)}")
    return number


def number_of(value: object) -> float | None:
    """What number something is.

    Args:
        value: a real number of Python's or NumPy's, or a tensor or array of no axes.

    Returns:
        The number, infinite where a float cannot hold it; None for all else.
    """
    if isinstance(value, Tensor | np.ndarray):
        if value.ndim:
            return None
        try:
            return float(as_tensor(value, "value"))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value == abs(value) else -math.inf
    except Exception:  # a number of a user's own class
        return None


def check_finite(x: Tensor, name: str) -> Tensor:
    """Refuse numbers that are not finite.

    Args:
        x: the numbers.
        name: what to call them in an error.

    Returns:
        The same tensor.

    Raises:
        ValueError: for NaN or infinity.
    """
    if bad := int((~x.isfinite()).sum()):
        raise ValueError(f"{name} must be finite, got {bad} values that are not")
    return x


def check_floating(**tensors: object) -> None:
    """Ask for no more than dense tensors of floats: for what is called in loops.

    Args:
        **tensors: by their names, of which _ is a space.

    Raises:
        TypeError: for what is no such tensor.
    """
    for key, value in tensors.items():
        name = key.replace("_", " ")
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{name} must be a torch.Tensor, got {kind_of(value)}; convert it first"
            )
        if value.dtype not in _FLOATS:
            raise TypeError(f"{name} must be float32 or float64, got {value.dtype}; convert it")
        _check_values(value, name)
