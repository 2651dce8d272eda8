"""Held-out z that are not independent: a group of them counts as one."""

from __future__ import annotations

import torch
from torch import Tensor

from vaelib.arguments.plain import as_count
from vaelib.arguments.tensors import as_labels, as_tensor

__all__ = ["as_groups", "as_numbers", "group_log_mean_exp", "group_mean"]

_MOST = 10**8  # groups, of which a number each is kept


def as_groups(groups: Tensor | None, rows: int) -> Tensor:
    """The group of each row, numbered from 0.

    Args:
        groups: Labels of shape (n,), integers of any values; None for rows that are independent.
        rows: n.

    Returns:
        Numbers 0 … G - 1 of shape (n,), int64.

    Raises:
        ValueError: For labels of another length, or that are no tensor of integers.
    """
    if groups is None:
        return torch.arange(as_count(rows, "rows", 0))
    labels = as_labels(groups, "groups", rows, "z")
    numbers: Tensor = torch.unique(labels.cpu(), return_inverse=True)[1]
    return numbers


def as_numbers(groups: Tensor, rows: int, name: str = "groups") -> Tensor:
    """Check that groups are numbered.

    Args:
        groups: Numbers 0 … G - 1 of shape (n,); some may be missing.
        rows: n.
        name: What to call them in an error.

    Returns:
        The numbers, int64.

    Raises:
        ValueError: For labels of another length, that are no integers, or no numbers of groups.
    """
    numbers = as_labels(groups, name, rows, "row")
    least, most = (int(end) for end in numbers.aminmax()) if rows else (0, -1)
    if least < 0 or most >= _MOST:
        raise ValueError(f"{name} must be numbers 0 … G - 1, got {least} to {most}")
    return numbers


def group_mean(values: Tensor, groups: Tensor) -> Tensor:
    """The mean of each group.

    Args:
        values: Shape (n,).
        groups: Numbers 0 … G - 1, shape (n,).

    Returns:
        Shape (G,), in the unit of the values.
    """
    values = as_tensor(values, "values", "n")
    groups = as_numbers(groups, len(values))
    counts = torch.bincount(groups)
    return torch.zeros(len(counts), dtype=values.dtype).index_add_(0, groups, values) / counts


def group_log_mean_exp(logs: Tensor, groups: Tensor) -> Tensor:
    """The log of the mean of exp of each group.

    Args:
        logs: Shape (n,), in nats.
        groups: Numbers 0 … G - 1, shape (n,).

    Returns:
        Shape (G,), in nats.
    """
    logs = as_tensor(logs, "logs", "n")
    groups = as_numbers(groups, len(logs))
    peak = torch.full((int(groups.max()) + 1,), -torch.inf, dtype=logs.dtype)
    peak = peak.scatter_reduce(0, groups, logs, "amax")
    return peak + group_mean((logs - peak[groups]).exp(), groups).log()
