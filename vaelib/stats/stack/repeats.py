"""Rows that are equal: repeats among inputs, copies of training inputs, and atoms of a law.

Equal rows need not be copies, as a law may have atoms: an encoder that is constant on some inputs,
or data of few values. Draws of atoms differ from repeats in how evenly they come, and from copies
in how often they fall on one side.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from vaelib.arguments.plain import check_flag
from vaelib.arguments.tensors import as_tensor
from vaelib.stats.checks import as_two_sets

__all__ = [
    "at_atoms",
    "copied_rows",
    "distinct_rows",
    "first_of_copies",
    "lone_rows",
    "repeated_rows",
]

_LEVEL = 0.001
_FEW = 0.01  # share of rows that repeat others
_FINE = 0.9  # values of a dimension for each row that is another


def repeated_rows(*columns: Tensor, atoms: bool = False) -> float:
    """The share of rows that equal an earlier row.

    Args:
        columns: tensors of shape (n, …), compared together.
        atoms: whether the law may have some, of which the rows are no copies: the value that occurs
            most often, and those that occur more than √n times, unless they occur more evenly than
            independent draws of whatever law do but once in 1,000 times.

    Returns:
        A share in [0, 1).

    Raises:
        ValueError: for no rows, or columns of different lengths.
    """
    check_flag(atoms, "atoms")
    counts = np.sort(_counts(*columns)[0])
    n = int(counts.sum())
    if atoms:
        often = counts[counts > math.sqrt(n)]
        if not _too_even(often):
            counts = counts[:-1]
            counts = counts[counts <= math.sqrt(n)]
    return int((counts - 1).sum()) / n


def distinct_rows(*columns: Tensor) -> int:
    """How many rows there are at least, if all but the value that occurs most often is no atom.

    Args:
        columns: tensors of shape (n, …), compared together.

    Returns:
        Rows of that value, and one for each other value.

    Raises:
        ValueError: as :func:`repeated_rows`.
    """
    counts = _counts(*columns)[0]
    return int(counts.max()) + len(counts) - 1


def first_of_copies(*columns: Tensor) -> Tensor:
    """Of rows that were copied the first, where it is copies that repeat.

    Draws of atoms are spread over them less evenly than copies over what they are of, rounded
    numbers repeat in each dimension more often than rows do, and of one dimension neither is told
    from the other: there all rows are kept.

    Args:
        columns: tensors of shape (n, …), compared together.

    Returns:
        Which rows to keep, ascending: all where fewer than 1 % repeat others, or are no copies.

    Raises:
        ValueError: as :func:`repeated_rows`.
    """
    counts, number = _counts(*columns)
    n = len(number)
    every = torch.arange(n)
    if n - len(counts) <= _FEW * n or columns[0].dim() < 2 or columns[0].shape[1] < 2:
        return every
    wide = columns[0].reshape(n, -1)
    values = max(len(torch.unique(wide[:, j])) for j in range(wide.shape[1]))
    if values < _FINE * len(counts) or not _too_even(counts):
        return every
    first = np.unique(number, return_index=True)[1]
    return torch.from_numpy(np.sort(first))


def lone_rows(z: Tensor) -> Tensor:
    """The rows that no other row equals, in their order.

    Args:
        z: shape (N, D).

    Returns:
        Shape (M, D).

    Raises:
        ValueError: for no rows.
    """
    z = as_tensor(z, "z", "ND")
    counts, number = _counts(z)
    return z[torch.from_numpy(counts[number] == 1).to(z.device)]


def at_atoms(z: Tensor, train: Tensor) -> Tensor:
    """Which rows equal several training rows.

    Args:
        z: shape (n, D).
        train: shape (N, D).

    Returns:
        Booleans of shape (n,).

    Raises:
        ValueError: for shapes that do not belong together.
    """
    z, train = as_tensor(z, "z", "nD"), as_tensor(train, "train", "ND")
    if z.shape[1] != train.shape[1] or not len(train):
        raise ValueError(
            f"z and train must have shapes (n, D) and (N, D), got {tuple(z.shape)} and "
            f"{tuple(train.shape)}"
        )
    counts, number = _counts(torch.cat([train.double(), z.double().to(train.device)]))
    often = np.bincount(number[: len(train)], minlength=len(counts)) > 1
    return torch.from_numpy(often[number[len(train) :]]).to(z.device)


def copied_rows(train: Tensor, heldout: Tensor) -> float:
    """Prove that held-out rows are exact copies of training rows.

    Of independent draws, of whatever two laws, the pairs of equal rows are of one row from either
    side with probability 1/2 at most, as 2 λ μ <= λ² + μ². Copies are of one row from either side.
    Each value that occurs more than once gives the share of its pairs that are so, a number in
    [0, 1] of mean 1/2 at most, and Hoeffding's inequality bounds how far their sum exceeds that.

    Args:
        train: z of the training inputs, shape (N, D).
        heldout: z of the held-out inputs, shape (n, D).

    Returns:
        The share of the held-out rows that these pairs exceed one half by; 0 where independent
        draws would exceed it as far more than once in 1,000 times.

    Raises:
        ValueError: for samples that are bad or differ in D.

    References:
        Hoeffding, Probability inequalities for sums of bounded random variables, 1963.
    """
    train, heldout = as_two_sets(train, heldout)
    counts, number = _counts(torch.cat([train, heldout]))
    own = np.bincount(number[: len(train)], minlength=len(counts)).astype(np.float64)
    often = counts > 1
    pairs = counts[often] * (counts[often] - 1) / 2
    across = own[often] * (counts[often] - own[often]) / pairs
    excess = float((across - 0.5).sum())
    if excess <= 0 or math.exp(-2 * excess**2 / len(pairs)) > _LEVEL:
        return 0.0
    return min(1.0, 2 * excess / len(heldout))


def _counts(*columns: Tensor) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How often each value occurs, and the number of the value of each row."""
    columns = tuple(as_tensor(column, "columns") for column in columns)
    lengths = {column.shape[:1] for column in columns}
    if len(lengths) != 1 or not lengths.pop() or not all(c.numel() for c in columns):
        shapes = ", ".join(str(tuple(column.shape)) for column in columns) or "none"
        raise ValueError(f"columns must have as many rows, at least 1, got shapes {shapes}")
    rows = torch.cat([column.reshape(len(column), -1) for column in columns], 1)
    array = np.ascontiguousarray((rows + 0.0).cpu().numpy())  # -0 is 0
    bytes_of = array.view(np.dtype((np.void, array.dtype.itemsize * array.shape[1])))[:, 0]
    _, number, counts = np.unique(bytes_of, return_inverse=True, return_counts=True)
    return counts, number.reshape(-1)


def _too_even(counts: NDArray[np.int64]) -> bool:
    """Whether draws of so many values are hardly ever spread so evenly, however likely each is."""
    if len(counts) < 2:
        return False
    total, mean = int(counts.sum()), float(counts.mean())
    evenness = float(((counts - mean) ** 2).sum() / mean)
    exactly = math.lgamma(total + 1) - total * math.log(len(counts))
    exactly -= sum(math.lgamma(count + 1) for count in counts.tolist())
    probability = float(stats.chi2.cdf(evenness, len(counts) - 1))
    return max(probability, math.exp(exactly)) < _LEVEL
