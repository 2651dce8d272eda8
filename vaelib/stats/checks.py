"""The checks of arguments that every statistic shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsFloat

import torch
from torch import Tensor

__all__ = [
    "as_bandwidths",
    "as_features",
    "as_pair",
    "as_points",
    "as_two_sets",
    "check_least",
    "check_level",
    "check_positive",
    "check_same_nets",
]

_LARGEST = 1e50  # products of several larger values come near the largest number


def as_points(
    value: Tensor, name: str = "z", *, rows: int = 2, device: torch.device | str | None = "cpu"
) -> Tensor:
    """Check a set of points and bring it to float64, detached.

    Args:
        value: Points, shape (..., n, D); leading axes are a batch of sets.
        name: What to call the argument in an error.
        rows: The fewest rows allowed.
        device: Where to; None leaves it where it is.

    Returns:
        The points in float64, shape (..., n, D).

    Raises:
        TypeError: If ``value`` is not a tensor.
        ValueError: If it has no float32 or float64 type, fewer than two axes, too few rows, no
            dimension, or a value that is not finite or not below 1e50 in size.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")
    if value.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"{name} must be float32 or float64, got {value.dtype}; convert it first")
    if value.dim() < 2 or value.shape[-2] < rows or value.shape[-1] < 1:
        wanted = f"(n, D) with n >= {rows} and D >= 1"
        raise ValueError(f"{name} must have shape {wanted}, got {tuple(value.shape)}")
    points = value.detach().to(device, torch.float64)
    good = points.abs() < _LARGEST
    if not bool(good.all()):
        bad = f"{int((~good).sum())} NaN, infinite or larger values"
        raise ValueError(f"{name} must be finite and below {_LARGEST:g} in size, got {bad}")
    return points


def as_pair(x: Tensor, y: Tensor, *, rows: int = 2) -> tuple[Tensor, Tensor]:
    """Check two samples of the same space.

    Args:
        x: Points, shape (..., n, D).
        y: Points, shape (..., m, D).
        rows: The fewest rows allowed in each.

    Returns:
        Both in float64 on the CPU.

    Raises:
        ValueError: If either is no valid set of points or all but their rows differ in shape.
    """
    x, y = as_points(x, "x", rows=rows), as_points(y, "y", rows=rows)
    if x.shape[:-2] != y.shape[:-2] or x.shape[-1] != y.shape[-1]:
        shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise ValueError(f"x and y must have shapes (n, D) and (m, D) with one D, got {shapes}")
    return x, y


def as_two_sets(x: Tensor, y: Tensor, *, rows: int = 2) -> tuple[Tensor, Tensor]:
    """Check two samples of the same space, each one set of points.

    Args:
        x: Points, shape (n, D).
        y: Points, shape (m, D).
        rows: The fewest rows allowed in each.

    Returns:
        Both in float64 on the CPU.

    Raises:
        ValueError: If either is no valid set of points, or a batch of sets, or they differ in D.
    """
    x, y = as_pair(x, y, rows=rows)
    if x.dim() != 2:
        raise ValueError(f"x and y must have shapes (n, D) and (m, D), got {tuple(x.shape)}")
    return x, y


def as_features(features: Tensor, *, device: torch.device | str | None = None) -> Tensor:
    """Check features of images.

    Args:
        features: Of T nets, shape (T, n, d) or (n, d).
        device: Where to; None leaves them where they are.

    Returns:
        The features in float64, shape (T, n, d).
    """
    x = as_points(features, "features", device=device)
    return x.reshape(-1, *x.shape[-2:])


def check_same_nets(ours: Tensor, theirs: Tensor) -> None:
    """Check that two samples of features come from the same nets.

    Args:
        ours: Shape (T, n, d).
        theirs: Shape (T, m, d).

    Raises:
        ValueError: If they differ in nets or dimensions.
    """
    if ours.shape[::2] != theirs.shape[::2]:
        shapes = f"{tuple(ours.shape[::2])} and {tuple(theirs.shape[::2])}"
        raise ValueError(f"features must have the same nets and dimensions, got {shapes}")


def as_bandwidths(bandwidths: Sequence[float]) -> tuple[float, ...]:
    """Check a set of kernel bandwidths.

    Args:
        bandwidths: Bandwidths, in the unit of the points.

    Returns:
        They as a tuple of floats.

    Raises:
        ValueError: If there is none, or one is not positive and finite.
    """
    if len(bandwidths) == 0:
        raise ValueError("bandwidths must hold at least one value, got none")
    return tuple(check_positive(float(h), "bandwidth") for h in bandwidths)


def check_positive(value: float, name: str) -> float:
    """Check that a number is positive and finite.

    Args:
        value: The number.
        name: What to call it in an error.

    Returns:
        The number.

    Raises:
        ValueError: If it is not.
    """
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return value


def check_least(value: int, name: str, least: int) -> int:
    """Check that a count is large enough.

    Args:
        value: The count.
        name: What to call it in an error.
        least: The least that will do.

    Returns:
        The count.

    Raises:
        ValueError: If it is smaller.
    """
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return value


def check_level(alpha: object) -> None:
    """Check the level of a test or of one end of an interval.

    Args:
        alpha: The level.

    Raises:
        ValueError: If it is no number between 0 and 1.
    """
    if not isinstance(alpha, SupportsFloat) or not 0 < float(alpha) < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}")
