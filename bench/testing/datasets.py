"""Is it a data set?"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from bench.testing.contract import require
from bench.testing.promises import BrokenError, attempt, option_problems, require_shape
from vaelib.datasets import Dataset

__all__ = ["check_dataset"]


def check_dataset(target: Callable[..., Dataset], **options: Any) -> None:  # noqa: ANN401
    """Whether a function makes a data set: numbers in memory that split, and always the same.

    Args:
        target: made from the options.
        **options: its keyword-only arguments.

    Raises:
        ContractError: with everything that is wrong.
    """
    require(target, "a data set", _dataset(target, options))


def _dataset(target: Callable[..., Dataset], options: dict[str, Any]) -> Iterator[str]:
    yield from option_problems(target, ())
    data, again = (attempt("making it", lambda: target(**options)) for _ in range(2))
    if not isinstance(data, Dataset):
        raise BrokenError(f"expected a vaelib.datasets.Dataset, got {type(data).__name__}")
    x, labels = data.x, data.labels
    if not isinstance(x, Tensor) or x.dtype != torch.float32 or x.dim() < 2 or x.is_cuda:
        got = f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise BrokenError(f"x must be float32 of shape (n, ...) on the CPU, got {got}")
    if bad := int((~x.isfinite()).sum()):
        yield f"x must be finite, got {bad} values that are not"
    if x.dim() == 4 and not 0 <= float(x.min()) <= float(x.max()) <= 1:
        yield f"images must hold values in [0, 1], got {float(x.min()):g} to {float(x.max()):g}"
    if labels is not None and (labels.dtype != torch.int64 or labels.shape != (len(x),)):
        yield (
            f"labels must be int64 of shape ({len(x)},), got {labels.dtype} of shape "
            f"{tuple(labels.shape)}"
        )
    if data.fingerprint != again.fingerprint:
        yield "two calls must give the same data; draw from a stream of a fixed seed"
    split = attempt("split(0)", data.split, 0)
    parts = {name: getattr(split, name) for name in ("train", "validation", "test")}
    if empty := [name for name, part in parts.items() if not len(part)]:
        yield f"every part of the split needs points, got none for {', '.join(empty)}"
    if len(set(torch.cat(list(parts.values())).tolist())) != sum(map(len, parts.values())):
        yield "the parts of the split must be disjoint"
    if data.log_density is not None:
        what = "log_density(x)"
        require_shape(what, attempt(what, data.log_density, x), (len(x),), torch.float32)
