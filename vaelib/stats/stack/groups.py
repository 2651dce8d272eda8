"""Held-out z that are not independent: a group of them counts as one."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["as_groups", "group_log_mean_exp", "group_mean"]


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
        return torch.arange(rows)
    if not isinstance(groups, Tensor):
        raise ValueError(f"groups must be a tensor of integers, got {type(groups).__name__}")
    if groups.shape != (rows,) or groups.is_floating_point():
        raise ValueError(
            f"groups must be integers of shape ({rows},), one label per z, "
            f"got {groups.dtype} of shape {tuple(groups.shape)}"
        )
    numbers: Tensor = torch.unique(groups.cpu(), return_inverse=True)[1]
    return numbers


def group_mean(values: Tensor, groups: Tensor) -> Tensor:
    """The mean of each group.

    Args:
        values: Shape (n,).
        groups: Numbers 0 … G - 1, shape (n,).

    Returns:
        Shape (G,), in the unit of the values.
    """
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
    peak = torch.full((int(groups.max()) + 1,), -torch.inf, dtype=logs.dtype)
    peak = peak.scatter_reduce(0, groups, logs, "amax")
    return peak + group_mean((logs - peak[groups]).exp(), groups).log()
