"""Tests and distances of two samples, where the prior has no closed form or there is none.

Both tests are permutation tests of a quadratic form wᵀ K w: w_i is 1/n for the rows of one sample
and -1/m for those of the other, and K holds a kernel of all pairs of the pooled sample. Permuting
the labels permutes w alone, so that K is computed once and one matrix product serves all
permutations; K is streamed in tiles of rows and never held.

References:
    Gretton et al. (2012), A Kernel Two-Sample Test, JMLR 13.
    Székely and Rizzo (2013), Energy statistics, J. Statistical Planning and Inference 143.
    Bonneel, Rabin, Peyré and Pfister (2015), Sliced and Radon Wasserstein barycenters, JMIV 51.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaelib.arguments.plain import as_count, check_callable, shown
from vaelib.arguments.tensors import as_number
from vaelib.numerics.gaussian_kernel import gaussian
from vaelib.stats.checks import as_bandwidths, as_two_sets, check_generator
from vaelib.stats.kernels import Kernel, median_bandwidth, of_kernel, symmetric_tiles
from vaelib.stats.nulls import SignificanceResult, largest_standardized, p_value

__all__ = ["energy_two_sample_test", "mmd_two_sample_test", "sliced_wasserstein"]

_ROWS = 256  # of the kernel in memory: few enough for 20,000 points, enough for a matrix product
_FLOOR = 1e-7  # of a standard deviation, kernels being at most 1: less is near rounding
_TIE = 1e-8  # in standard deviations: permutations that give one split are ties


def mmd_two_sample_test(
    x: Tensor,
    y: Tensor,
    *,
    generator: torch.Generator,
    bandwidths: Sequence[float] | None = None,
    kernel: Kernel = gaussian,
    permutations: int = 200,
) -> SignificanceResult:
    """Permutation test of equal distributions by the biased MMD².

    Args:
        x: Points, shape (n, D), n >= 2; one row per independent draw.
        y: Points, shape (m, D), m >= 2.
        generator: Random stream of the permutations.
        bandwidths: Bandwidths of the kernel; None takes (½, 1, 2) times the median distance of the
            pooled sample, which no permutation changes.
        kernel: A kernel of :mod:`vaelib.stats.kernels`.
        permutations: Number of permutations.

    Returns:
        The result; the statistic is the largest MMD² over the bandwidths in standard deviations
        of its permutations, and so it is for each permutation.
    """
    check_callable(kernel, "kernel")
    _check(generator, permutations)
    x, y = as_two_sets(x, y)
    if bandwidths is None:
        median = median_bandwidth(torch.cat([x, y]))
        bandwidths = (median / 2, median, median * 2)
    return _permutation_test(x, y, kernel, as_bandwidths(bandwidths), permutations, generator)


def energy_two_sample_test(
    x: Tensor, y: Tensor, *, generator: torch.Generator, permutations: int = 200
) -> SignificanceResult:
    """Permutation test of equal distributions by the energy distance.

    Args:
        x: Points, shape (n, D), n >= 2; one row per independent draw.
        y: Points, shape (m, D), m >= 2.
        generator: Random stream of the permutations.
        permutations: Number of permutations.

    Returns:
        The result; the statistic is the energy distance in standard deviations of its
        permutations.
    """
    _check(generator, permutations)
    x, y = as_two_sets(x, y)
    pooled = torch.cat([x, y])
    radius = max(float((pooled - pooled.mean(0)).norm(dim=1).max()), torch.finfo(x.dtype).tiny)
    return _permutation_test(x, y, _negative_distance, (radius,), permutations, generator)


def sliced_wasserstein(
    x: Tensor,
    y: Tensor,
    *,
    generator: torch.Generator,
    projections: int = 200,
    order: float = 2.0,
) -> float:
    """Sliced Wasserstein distance of two samples: an effect size in the unit of the points.

    The mean over random directions of the one-dimensional distances W_p^p, to the power 1/p. With
    n = m = 500 draws of N(0, I) and D = 8 it is about 0.1, not 0: compare at equal n.

    Args:
        x: Points, shape (n, D), n >= 2.
        y: Points, shape (m, D), m >= 2.
        generator: Random stream of the directions.
        projections: Number of directions.
        order: p >= 1.

    Returns:
        The distance, 0 when the samples are equal.

    Raises:
        ValueError: If a sample is bad, ``projections`` < 1 or ``order`` < 1.
    """
    check_generator(generator)
    x, y = as_two_sets(x, y)
    as_count(projections, "projections", 1)
    power = as_number(order, "order")
    if not 1 <= power < float("inf"):
        raise ValueError(f"order must be finite and at least 1, got {shown(order)}")
    directions = torch.randn(x.shape[1], projections, generator=generator, dtype=torch.float64)
    directions /= directions.norm(dim=0)
    n, m = len(x), len(y)
    # Both quantile functions are constant between multiples of 1/(n m) that are 0 mod m or mod n.
    steps = torch.unique(torch.cat([torch.arange(n) * m, torch.arange(m) * n]))
    width = torch.diff(steps, append=torch.tensor([n * m])) / (n * m)
    x_sorted, y_sorted = (x @ directions).sort(0).values, (y @ directions).sort(0).values
    gaps = (x_sorted[steps // m] - y_sorted[steps // n]).abs() ** power
    return float((width.double() @ gaps).mean() ** (1 / power))


def _check(generator: torch.Generator, permutations: int) -> None:
    check_generator(generator)
    if as_count(permutations, "permutations", 0) < 19:
        raise ValueError(f"permutations must be at least 19 (p = .05 at best), got {permutations}")


def _permutation_test(
    x: Tensor,
    y: Tensor,
    kernel: Kernel,
    bandwidths: Sequence[float],
    permutations: int,
    generator: torch.Generator,
) -> SignificanceResult:
    """Test equal distributions by the largest standardised wᵀ K w over all bandwidths."""
    pooled = torch.cat([x, y])
    weight = torch.full((len(pooled),), 1 / len(x), dtype=torch.float64)
    weight[len(x) :] = -1 / len(y)
    orders = [torch.randperm(len(pooled), generator=generator) for _ in range(permutations)]
    weights = torch.stack([weight, *(weight[order] for order in orders)], 1)
    forms = _quadratic_forms(kernel, bandwidths, pooled, weights)
    # The observed split is standardised like all others: none may stand out by that.
    statistic, values = largest_standardized(forms[0], forms, floor=_FLOOR)
    return SignificanceResult(
        statistic, p_value(statistic, values[1:], tolerance=_TIE), permutations
    )


def _quadratic_forms(
    kernel: Kernel, bandwidths: Sequence[float], points: Tensor, weights: Tensor
) -> Tensor:
    """wᵀ K w of every column w of ``weights`` (N, P) for H bandwidths, shape (P, H)."""
    forms = torch.zeros(weights.shape[1], len(bandwidths), dtype=torch.float64)
    for rows, squared in symmetric_tiles(points, rows=_ROWS):
        for i, h in enumerate(bandwidths):
            values = of_kernel(kernel(squared, h), squared)
            values[:, : len(values)] *= 0.5  # holds both orders of a pair, the rest one
            product = values @ weights[rows.start :]
            forms[:, i] += 2 * torch.linalg.vecdot(weights[rows], product, dim=0)
    return forms


def _negative_distance(squared: Tensor, radius: float) -> Tensor:
    """-r / (2 radius): the kernel of the energy distance, in [-1, 0] within the radius."""
    return squared.sqrt().mul_(-0.5 / radius)
