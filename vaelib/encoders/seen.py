"""What was seen, in the words of an error: type, shape, first values."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from vaelib.arguments.plain import kind_of, shown

__all__ = ["line_of", "seen"]

_LONGEST = 100
_FIRST = 3  # values, and parts of what has several


def seen(value: Any) -> str:  # noqa: ANN401  # whatever somebody hands over
    """Describe a value in one line of at most 100 characters.

    Args:
        value: any.

    Returns:
        Its type, and of numbers their type, shape and first values.

    Example:
        >>> seen([torch.zeros(2, 3), None])
        'list of 2 parts (Tensor float32 of shape (2, 3): 0, 0, 0; NoneType)'
    """
    text = _described(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _described(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, Tensor | np.ndarray):
        return _numbers(value)
    if isinstance(value, Distribution):
        shape = (*value.batch_shape, *value.event_shape)
        return f"{kind_of(value)} of shape {tuple(shape)}"
    if isinstance(value, Mapping):
        parts = [f"{key!s:.20} ({_short(part)})" for key, part in list(value.items())[:8]]
        more = ", ..." if len(value) > len(parts) else ""
        return f"{kind_of(value)} with {', '.join(parts) or 'nothing'}{more}"
    if isinstance(value, tuple | list):
        parts = [_short(part) for part in value[:_FIRST]]
        more = "; ..." if len(value) > len(parts) else ""
        return f"{kind_of(value)} of {len(value)} parts ({'; '.join(parts)}{more})"
    return shown(value)


def _short(value: Any) -> str:  # noqa: ANN401
    return kind_of(value) if isinstance(value, Mapping | tuple | list) else seen(value)


def _numbers(value: Tensor | np.ndarray) -> str:
    kind = str(value.dtype).removeprefix("torch.")[:20]
    text = f"{kind_of(value)} {kind} of shape {tuple(value.shape)}"
    try:
        flat = value.detach().flatten() if isinstance(value, Tensor) else np.ravel(value)
        first = [f"{float(number):.3g}" for number in flat[:_FIRST]]
    except Exception:  # sparse, meta, objects: the shape must do
        return text
    return f"{text}: {', '.join(first)}" if first else text


def line_of(error: BaseException) -> str:
    """An error of somebody else's code, in one line.

    Args:
        error: the error.

    Returns:
        Its type and the beginning of its text.
    """
    text = " ".join(str(error).split())
    if isinstance(error, torch.OutOfMemoryError):
        text = "out of memory"
    return f"{type(error).__name__}: {text:.80}" if text else type(error).__name__
