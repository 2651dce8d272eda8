"""Tests of points against any prior that can be sampled: a fresh sample of it is the other one.

For N(0, I) the one-sample tests of :mod:`vaelib.stats.goodness_of_fit` are sharper and cheaper;
other priors have no such null. The kernel's bandwidths depend on D and the prior alone, never on
the points: √D · (¼, ½, 1, 2, 4) times the prior's scale, which is 1 for N(0, I).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from scipy.stats import chi2
from torch import Tensor

from vaelib.arguments.plain import check_callable
from vaelib.stats.checks import as_points, check_generator
from vaelib.stats.kernels import bandwidth_grid, median_bandwidth
from vaelib.stats.mmd import mmd_squared_unbiased
from vaelib.stats.nulls import SignificanceResult
from vaelib.stats.two_sample import energy_two_sample_test, mmd_two_sample_test

__all__ = [
    "PRIOR_TESTS",
    "PriorTest",
    "energy_prior_test",
    "mmd_prior_test",
    "mmd_squared_prior",
    "prior_scale",
]

Draw = Callable[[int, torch.Generator], Tensor]
"""Maps a number of rows and a generator to as many draws of the prior, (rows, D)."""

PriorTest = Callable[[Tensor, Draw, torch.Generator], SignificanceResult]

_SCALE_ROWS = 1000


def prior_scale(draw: Draw, generator: torch.Generator) -> float:
    """The scale of a prior: median distance of two draws over that of two draws of N(0, I).

    A median, so that it is defined for heavy tails too.

    Args:
        draw: The prior.
        generator: Random stream of 1,000 draws.

    Returns:
        s, about 1 for N(0, I) and about s for N(m, s² I), in the unit of the points.

    Raises:
        ValueError: If at least half of all pairs of draws coincide: the prior has no scale.
    """
    check_callable(draw, "draw")
    check_generator(generator)
    draws = as_points(draw(_SCALE_ROWS, generator), "draws of the prior")
    typical = math.sqrt(2 * float(chi2.median(draws.shape[1])))
    return median_bandwidth(draws) / typical


def mmd_squared_prior(z: Tensor, draw: Draw, generator: torch.Generator) -> float:
    """Unbiased MMD² of points to a prior, at the bandwidth √D times the prior's scale.

    Given the bandwidth its mean is the MMD² of both distributions; it may be negative.

    Args:
        z: Points, shape (n, D), n >= 2.
        draw: The prior.
        generator: Random stream of the draws that give the scale, then of n fresh ones to compare
            with.

    Returns:
        MMD² in squared kernel units, Gaussian kernel.
    """
    z = as_points(z)
    bandwidth = math.sqrt(z.shape[-1]) * prior_scale(draw, generator)
    return float(mmd_squared_unbiased(z, draw(len(z), generator), [bandwidth]))


def mmd_prior_test(z: Tensor, draw: Draw, generator: torch.Generator) -> SignificanceResult:
    """Permutation MMD test of points against as many fresh draws of a prior.

    Args:
        z: One row per distinct input, shape (n, D), n >= 2.
        draw: The prior.
        generator: Random stream of the draws and permutations.

    Returns:
        The result; the statistic is the largest MMD² over the bandwidths, in standard deviations
        of its permutations.
    """
    z = as_points(z)
    scale = prior_scale(draw, generator)
    grid = [h * scale for h in bandwidth_grid(z.shape[-1])]
    fresh = draw(len(z), generator)
    return mmd_two_sample_test(z, fresh, generator=generator, bandwidths=grid)


def energy_prior_test(z: Tensor, draw: Draw, generator: torch.Generator) -> SignificanceResult:
    """Permutation energy test of points against as many fresh draws of a prior.

    Args:
        z: One row per distinct input, shape (n, D), n >= 2.
        draw: The prior.
        generator: Random stream of the draws and permutations.

    Returns:
        The result; the statistic is the energy distance in standard deviations of its
        permutations.
    """
    check_callable(draw, "draw")
    check_generator(generator)
    z = as_points(z)
    return energy_two_sample_test(z, draw(len(z), generator), generator=generator)


PRIOR_TESTS: dict[str, PriorTest] = {
    "mmd_test": mmd_prior_test,
    "energy_test": energy_prior_test,
}
