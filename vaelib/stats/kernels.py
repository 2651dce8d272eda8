"""Kernels of a distance, their bandwidths, and sums of them over all pairs of points.

All pairs are visited in tiles of rows and, within one sample, once: memory stays at a few tiles
whatever the number of points, and a tile stays in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from vaelib.arguments.plain import as_count, check_callable
from vaelib.arguments.tensors import check_floating
from vaelib.numerics.exp2 import BITS, powers_
from vaelib.numerics.gaussian_kernel import gaussian
from vaelib.numerics.pairs import (
    Sample,
    distance_factors,
    pair_weights,
    tile_rows,
    tiles_within,
)
from vaelib.stats.checks import as_bandwidths, as_points, check_bandwidth

__all__ = [
    "BANDWIDTH_FACTORS",
    "KERNELS",
    "Kernel",
    "bandwidth_grid",
    "cross_tiles",
    "inverse_multiquadric",
    "kernel_sums",
    "laplace",
    "median_bandwidth",
    "of_kernel",
    "pair_total",
    "squared_distances",
    "symmetric_tiles",
]

Kernel = Callable[[Tensor, float], Tensor]
"""Squared distances and a bandwidth in, kernel values of the same shape out."""

BANDWIDTH_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)


def inverse_multiquadric(squared: Tensor, bandwidth: float) -> Tensor:
    """Inverse multiquadric (IMQ) kernel (1 + r² / h²)^(-1/2): heavy tails, sees far points.

    Args:
        squared: Squared distances r², any shape.
        bandwidth: h, in the unit of the points.

    Returns:
        Kernel values in (0, 1], the shape of ``squared``.
    """
    check_floating(squared=squared)
    bandwidth = check_bandwidth(bandwidth)
    return (squared * bandwidth**-2).add_(1).rsqrt_()


def laplace(squared: Tensor, bandwidth: float) -> Tensor:
    """Laplace kernel exp(-r / h): not smooth at 0, sees fine detail.

    Args:
        squared: Squared distances r², any shape.
        bandwidth: h, in the unit of the points.

    Returns:
        Kernel values in (0, 1], the shape of ``squared``.
    """
    check_floating(squared=squared)
    bandwidth = check_bandwidth(bandwidth)
    return powers_(squared.sqrt().mul_(-BITS / bandwidth))


def bandwidth_grid(dimensions: int) -> tuple[float, ...]:
    """Bandwidths for points compared with N(0, I), fixed by their dimension alone.

    Args:
        dimensions: D.

    Returns:
        √D · (¼, ½, 1, 2, 4).

    Raises:
        ValueError: If D is less than 1.
    """
    as_count(dimensions, "dimensions", 1)
    return tuple(dimensions**0.5 * factor for factor in BANDWIDTH_FACTORS)


def median_bandwidth(x: Tensor, *, rows: int = 1000) -> float:
    """Median distance between two points: the usual bandwidth for features of no known scale.

    Args:
        x: Points, shape (n, D).
        rows: At most about so many rows are used, evenly spaced, so that no randomness enters.

    Returns:
        The median distance, in the unit of the points.

    Raises:
        ValueError: If the points are bad, or at least half of all pairs coincide.
    """
    as_count(rows, "rows", 1)
    x = as_points(x, "x")
    if x.dim() != 2:
        raise ValueError(f"x must have shape (n, D), got {tuple(x.shape)}")
    x = x[:: -(-len(x) // rows)]
    median = float(torch.nn.functional.pdist(x).median())
    if median == 0:
        raise ValueError("x must have distinct rows, got a median distance of 0; give a bandwidth")
    return median


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Squared Euclidean distances by one matrix product, clamped at 0.

    Both are first shifted by the median of a few rows, so that neither a common offset nor an
    outlier costs digits.

    Args:
        x: Points in float64, shape (..., n, D).
        y: Points in float64, shape (..., m, D).

    Returns:
        Squared distances, shape (..., n, m).
    """
    _check_pair(x, y)
    left, right = distance_factors(x, y)
    return (left @ right.mT).clamp_(min=0)


def _check_pair(x: Tensor, y: Tensor) -> None:
    """Points of one space, by their kind and shape alone: their values were checked before."""
    check_floating(x=x, y=y)
    if min(x.dim(), y.dim()) < 2 or x.shape[:-2] != y.shape[:-2] or x.shape[-1] != y.shape[-1]:
        shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise ValueError(f"x and y must have shapes (..., n, D) and (..., m, D), got {shapes}")
    if 0 in x.shape or 0 in y.shape or x.dtype != y.dtype:
        kinds = f"{x.dtype} of {tuple(x.shape)} and {y.dtype} of {tuple(y.shape)}"
        raise ValueError(f"x and y must have rows and dimensions of one type, got {kinds}")


def cross_tiles(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances of all pairs of two samples, by tiles of rows.

    Args:
        x: Points in float64, shape (..., n, D).
        y: Points in float64, shape (..., m, D).

    Yields:
        Rows of ``x``, and their squared distances to all of ``y``, shape (..., rows, m).
    """
    _check_pair(x, y)
    size = tile_rows(x, y.shape[-2])
    left, right = distance_factors(x, y)
    for start in range(0, x.shape[-2], size):
        chosen = slice(start, min(start + size, x.shape[-2]))
        yield chosen, (left[..., chosen, :] @ right.mT).clamp_(min=0)


def symmetric_tiles(x: Tensor, *, rows: int | None = None) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances of all pairs within one sample, each pair once, by tiles of rows.

    Args:
        x: Points in float64, shape (..., n, D).
        rows: Rows of a tile; None takes what the processor's cache holds.

    Yields:
        Rows i … j of ``x``, and their squared distances to rows i … n, shape (..., j - i, n - i),
        whose leading square holds both orders of a pair and exact zeros on its diagonal.
    """
    _check_pair(x, x)
    yield from tiles_within(x, None if rows is None else as_count(rows, "rows", 1))


def pair_total(values: Tensor) -> Tensor:
    """Sum over ordered pairs of values on one tile of :func:`symmetric_tiles`.

    Args:
        values: Symmetric values of the pairs, shape (..., rows, columns), columns >= rows.

    Returns:
        The leading square once, everything right of it twice, shape (...).

    Raises:
        ValueError: If there are fewer columns than rows.
    """
    check_floating(values=values)
    if values.dim() < 2 or values.shape[-1] < values.shape[-2]:
        raise ValueError(
            "values must have shape (..., rows, columns) with columns >= rows, got "
            f"{tuple(values.shape)}"
        )
    return (values @ pair_weights(values)).sum(-1)


def kernel_sums(
    kernel: Kernel, bandwidths: Sequence[float], x: Tensor | Sample, y: Tensor | None = None
) -> Tensor:
    """Sum a kernel over all ordered pairs, equal ones included.

    Args:
        kernel: The kernel.
        bandwidths: H bandwidths; one pass over the distances serves all.
        x: Points in float64, shape (..., n, D), or a sample of them.
        y: Points in float64, shape (..., m, D); None for the pairs within ``x``.

    Returns:
        The sums over n·m (or n²) pairs, shape (..., H).
    """
    check_callable(kernel, "kernel")
    bandwidths = as_bandwidths(bandwidths)
    sample = x if isinstance(x, Sample) else Sample(x)
    _check_pair(sample.points, sample.points if y is None else y)
    total = torch.zeros(*sample.points.shape[:-2], len(bandwidths), dtype=torch.float64)
    for _, squared in sample.tiles() if y is None else cross_tiles(sample.points, y):
        weights = pair_weights(squared) if y is None else squared.new_ones(squared.shape[-1:])
        for i, values in _over_bandwidths(kernel, bandwidths, squared):
            total[..., i] += (values @ weights.to(values)).sum(-1)
    return total


def _over_bandwidths(
    kernel: Kernel, bandwidths: Sequence[float], squared: Tensor
) -> Iterator[tuple[int, Tensor]]:
    """Evaluate a kernel at each bandwidth in turn.

    Half the bandwidth is the fourth power of a Gaussian kernel, at a quarter of the cost of exp.

    Yields:
        Index of the bandwidth and the kernel values, valid until the next are asked for.
    """
    values = squared
    for i in reversed(range(len(bandwidths))):
        halved = kernel is gaussian and bandwidths[i] * 2 in bandwidths[i + 1 : i + 2]
        if halved:
            values = values.square_().square_()
        else:
            values = of_kernel(kernel(squared, bandwidths[i]), squared)
        yield i, values


def of_kernel(values: Tensor, squared: Tensor) -> Tensor:
    """Check what a kernel of the user's made of a tile.

    Args:
        values: What it returned.
        squared: What it was given.

    Returns:
        The values.

    Raises:
        ValueError: If they have not the shape of the squared distances.
    """
    check_floating(values_of_kernel=values, squared=squared)
    if values.shape != squared.shape:
        got = f"{tuple(values.shape)} for {tuple(squared.shape)}"
        raise ValueError(f"kernel must keep the shape of squared distances, got {got}")
    return values


KERNELS: dict[str, Kernel] = {
    "gaussian": gaussian,
    "imq": inverse_multiquadric,
    "laplace": laplace,
}
