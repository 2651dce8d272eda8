"""Which inputs are which: who fits, who is evaluated, once for all calls, and who came before."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["Marks", "Seen", "is_evaluated", "marks_of"]

Marks = npt.NDArray[np.uint64]
"""Numbers that look random and belong to one identity each."""

_KEPT = 1 << 16  # marks remembered at most: half a megabyte
_HALF = np.uint64(1 << 63)
_ALL = (1 << 64) - 1


def marks_of(ids: Tensor, salt: int) -> Marks:
    """Mix identities, one to one.

    Args:
        ids: Integers, shape (n,), int64.
        salt: Another salt gives unrelated marks.

    Returns:
        Marks of shape (n,), in the order of ids.

    References:
        Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators, OOPSLA.
    """
    x = ids.numpy().astype(np.uint64)
    start = np.array([salt & _ALL], np.uint64)
    with np.errstate(over="ignore"):
        for _ in range(2):
            x = (x ^ start) + np.uint64(0x9E3779B97F4A7C15)
            x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            x = x ^ (x >> np.uint64(31))
    return x


def is_evaluated(ids: Tensor, salt: int) -> Tensor:
    """Which inputs are evaluated, about half; the others fit.

    It depends on an input's identity alone, so that it is the same at every call.

    Args:
        ids: Integers, shape (n,), int64.
        salt: Of the run.

    Returns:
        Shape (n,), bool.
    """
    return torch.from_numpy(marks_of(ids, salt) < _HALF)


class Seen:
    """Identities that came before, in constant memory.

    Up to 65,536 all are remembered, beyond that those with the smallest marks. So none is taken for
    another that came before, and of many that come back some are found.

    Args:
        marks: What an earlier run remembers.
    """

    def __init__(self, marks: Marks | None = None) -> None:
        self.marks = np.empty(0, np.uint64) if marks is None else marks

    def repeated(self, marks: Marks) -> int:
        """How many of these are known to have come before."""
        return int(np.isin(marks, self.marks).sum())

    def add(self, marks: Marks) -> None:
        """Remember these too, as far as their marks are among the smallest of all that came."""
        self.marks = np.union1d(self.marks, marks)[:_KEPT]
