"""Tests of points against N(0, I): a panel with complementary sight.

The null is that the *population* aggregate posterior equals the prior, so `z` must hold **one row
per distinct held-out input**: rows that share an input depend on each other, and with ten per input
a test at level .05 rejects a true null almost always.

| test | sees | blind to |
|---|---|---|
| :func:`mmd_test` | everything, at five scales | — |
| :func:`likelihood_ratio_test` | mean, scale, correlation | shape |
| :func:`henze_zirkler_test`, :func:`mardia_test` | shape | any Gaussian, N(0, 2I) included |
| :func:`ks_test` | each dimension | dependence |
| :func:`ksd_test` | everything, by the score | weights of separated modes |
| :func:`energy_test` | everything, at one scale | — |

All but the Kolmogorov–Smirnov test rank their statistic among draws of it under N(0, I), which
:class:`~vaelib.stats.nulls.NormalNull` keeps. n times a statistic that costs O(n²) has a limit law
within O(1/n): beyond 1,000 rows its null is drawn with 1,000. (The largest departure found is that
of Henze–Zirkler at D = 32 and n = 3,000, whose level .05 becomes about .06; at n = 2,500 and D = 8
1,000 runs found .066, with a 95 % interval from .051 to .083, and so do not exclude the same.)

References:
    Henze and Zirkler (1990), A class of invariant consistent tests for multivariate normality,
    Communications in Statistics 19.
    Mardia (1970), Measures of multivariate skewness and kurtosis, Biometrika 57.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.special import ndtr
from scipy.stats import ks_1samp
from torch import Tensor

from vaelib.arguments.plain import as_count, check_kind
from vaelib.numerics.pairs import Sample
from vaelib.stats.checks import as_points, as_sample
from vaelib.stats.energy import energy_distance_normal
from vaelib.stats.kernels import bandwidth_grid, pair_total
from vaelib.stats.mmd import mmd_squared_normal
from vaelib.stats.multiple_testing import holm
from vaelib.stats.nulls import (
    NormalNull,
    NullStatistic,
    SignificanceResult,
    largest_standardized,
    p_value,
)
from vaelib.stats.stein import ksd_squared

__all__ = [
    "GOODNESS_OF_FIT_TESTS",
    "GoodnessOfFitTest",
    "energy_test",
    "henze_zirkler_spread",
    "henze_zirkler_test",
    "ks_test",
    "ksd_test",
    "likelihood_ratio_test",
    "mardia_test",
    "mmd_test",
    "panel_nulls",
]

GoodnessOfFitTest = Callable[[Tensor, NormalNull], SignificanceResult]

_NULL = NormalNull()
_NULL_ROWS = 1000  # of a statistic that costs O(n²)
_ROUNDING = 1e-12  # a statistic of about 1 that varies by less has few digits left


def mmd_test(z: Tensor, null: NormalNull = _NULL) -> SignificanceResult:
    """One-sample MMD test with Gaussian kernels of bandwidths √D · (¼, ½, 1, 2, 4).

    Each n · MMD² is standardised by its null mean and standard deviation; the statistic is the
    largest of the five, and so it is inside each null draw.

    Args:
        z: One row per distinct input, shape (n, D).
        null: Where the null draws come from.

    Returns:
        The result; the statistic is in null standard deviations.

    Example:
        >>> z = 1.5 * torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
        >>> mmd_test(z, NormalNull(draws=99)).p_value
        0.01
    """
    z = _one_set(z, null)
    wanted = _mmd(*z.shape)
    return _ranked(*largest_standardized(wanted.function(z), null.of(*wanted)))


def _mmd(n: int, dimensions: int) -> NullStatistic:
    grid = bandwidth_grid(dimensions)

    def statistic(points: Tensor | Sample) -> Tensor:
        sample = as_sample(points)
        return mmd_squared_normal(sample, grid) * sample.points.shape[-2]

    return NullStatistic("mmd", statistic, min(n, _NULL_ROWS), dimensions, grid)


def likelihood_ratio_test(z: Tensor, null: NormalNull = _NULL) -> SignificanceResult:
    """Gaussian likelihood ratio test of mean 0 and covariance I.

    The statistic n (tr S + |m|² - D - log det S), with the sample mean m and the covariance S
    divided by n, is 2n times the KL divergence of N(m, S) from N(0, I).

    Args:
        z: One row per distinct input, shape (n, D), n > D.
        null: Where the null draws come from.

    Returns:
        The result. Where S is singular the statistic is infinite and the p-value the smallest.
    """
    z = _one_set(z, null, above_dimension=True)
    wanted = _likelihood_ratio(*z.shape)
    observed = wanted.function(z)[0] if _full_rank(z) else torch.tensor(math.inf)
    return _ranked(float(observed), null.of(*wanted)[:, 0])


def _likelihood_ratio(n: int, dimensions: int) -> NullStatistic:
    def statistic(points: Tensor | Sample) -> Tensor:
        sample = as_sample(points)
        log_det = 2 * sample.triangle.log().sum(-1) - dimensions * math.log(n)
        moments = sample.norms.sum(-1) / n
        return (n * (moments - dimensions - log_det))[..., None]

    return NullStatistic("likelihood-ratio", statistic, n, dimensions)


def henze_zirkler_test(z: Tensor, null: NormalNull = _NULL) -> SignificanceResult:
    """Henze–Zirkler test of normal shape, whatever the mean and covariance.

    The statistic is n times the squared MMD of the whitened points to N(0, I) at bandwidth 1 / β,
    β = ((2D + 1) n / 4)^(1/(D+4)) / √2.

    Args:
        z: One row per distinct input, shape (n, D), n > D.
        null: Where the null draws come from.

    Returns:
        The result. Where the covariance is singular the statistic is infinite and the p-value
        the smallest: such points do not come from N(0, I).

    Raises:
        ValueError: Where D is so large (about 90) that the statistic is 1 to machine precision,
            whatever the points.
    """
    z = _one_set(z, null, above_dimension=True)
    wanted = _henze_zirkler(*z.shape)
    observed = wanted.function(z)[0] if _full_rank(z) else torch.tensor(math.inf)
    return _ranked(float(observed), null.of(*wanted)[:, 0])


def _henze_zirkler(n: int, dimensions: int) -> NullStatistic:
    if henze_zirkler_spread(n, dimensions) < _ROUNDING:
        raise ValueError(
            "z must have fewer dimensions for this test, whose statistic is 1 to machine "
            f"precision, got D = {dimensions} with n = {n}"
        )
    bandwidth = math.sqrt(2) * ((2 * dimensions + 1) * n / 4) ** (-1 / (dimensions + 4))

    def statistic(points: Tensor | Sample) -> Tensor:
        white = as_sample(points).white
        return mmd_squared_normal(white, [bandwidth]) * white.points.shape[-2]

    rows = min(n, _NULL_ROWS)
    return NullStatistic("henze-zirkler", statistic, rows, dimensions, (bandwidth,))


def henze_zirkler_spread(n: int, dimensions: int) -> float:
    """Standard deviation of the Henze–Zirkler statistic of normal points, for large n.

    Args:
        n: Rows; they enter by the bandwidth.
        dimensions: D.

    Returns:
        The square root of the variance of Henze and Zirkler (1990), theorem 3.1.
    """
    as_count(n, "n", 1)
    as_count(dimensions, "dimensions", 1)
    d, b = dimensions, ((2 * dimensions + 1) * n / 4) ** (2 / (dimensions + 4)) / 2  # b = β²
    a, w = 1 + 2 * b, (1 + b) * (1 + 3 * b)
    same = 1 + 2 * d * b**2 / a**2 + 3 * d * (d + 2) * b**4 / (4 * a**4)
    cross = 1 + 3 * d * b**2 / (2 * w) + d * (d + 2) * b**4 / (2 * w**2)
    variance = 2 * (1 + 4 * b) ** (-d / 2) + 2 * a**-d * same - 4 * w ** (-d / 2) * cross
    return math.sqrt(max(0.0, variance))


def mardia_test(z: Tensor, null: NormalNull = _NULL) -> SignificanceResult:
    """Mardia's multivariate skewness and kurtosis, combined; whatever the mean and covariance.

    With whitened points w the skewness is mean_ij (w_i·w_j)³ and the kurtosis mean_i |w_i|⁴. The
    cube root of the one and the logarithm of the other, which are nearly normal, are standardised
    by their null means and standard deviations, and the second is taken in absolute value; the
    statistic is the larger, and so it is inside each null draw.

    Args:
        z: One row per distinct input, shape (n, D), n > D.
        null: Where the null draws come from.

    Returns:
        The result; the statistic is in null standard deviations. Where the covariance is singular
        it is infinite and the p-value the smallest: such points do not come from N(0, I).
    """
    z = _one_set(z, null, above_dimension=True)
    wanted = _mardia(*z.shape)
    draws = null.of(*wanted)
    mean, deviation = draws.mean(0), draws.std(0)

    def larger(values: Tensor) -> Tensor:
        standardized = (values - mean) / deviation
        return torch.maximum(standardized[..., 0], standardized[..., 1].abs())

    observed = larger(wanted.function(z)) if _full_rank(z) else torch.tensor(math.inf)
    return _ranked(float(observed), larger(draws))


def _mardia(n: int, dimensions: int) -> NullStatistic:
    def statistic(points: Tensor | Sample) -> Tensor:
        skewness, kurtosis = _skewness_and_kurtosis(points)
        return torch.stack([skewness ** (1 / 3), kurtosis.log()], -1)

    return NullStatistic("mardia", statistic, n, dimensions)


def ks_test(z: Tensor) -> SignificanceResult:
    """Kolmogorov–Smirnov test of every dimension against N(0, 1), Holm-corrected.

    Args:
        z: One row per distinct input, shape (n, D).

    Returns:
        The result: the largest distance of distribution functions, the smallest adjusted p-value,
        and the adjusted p-value of each dimension, from the exact law.
    """
    distance, p_values = ks_1samp(_one_set(z).numpy(), ndtr, method="exact", axis=0)
    adjusted = holm(np.maximum(p_values, np.finfo(np.float64).tiny))
    return SignificanceResult(
        float(np.max(distance)), float(adjusted.min()), 0, tuple(adjusted.tolist())
    )


def ksd_test(z: Tensor, null: NormalNull = _NULL) -> SignificanceResult:
    """Kernel Stein discrepancy test with the inverse multiquadric kernel of bandwidth 1.

    1 is the scale of each dimension of N(0, I); for D = 2 … 32 multiples of √D hardly do better.

    Args:
        z: One row per distinct input, shape (n, D).
        null: Where the null draws come from.

    Returns:
        The result; the statistic is n · KSD².
    """
    z = _one_set(z, null)
    wanted = _ksd(*z.shape)
    return _ranked(float(wanted.function(z)), null.of(*wanted)[:, 0])


def _ksd(n: int, dimensions: int) -> NullStatistic:
    def statistic(points: Tensor | Sample) -> Tensor:
        sample = as_sample(points)
        return ksd_squared(sample, [1.0]) * sample.points.shape[-2]

    return NullStatistic("ksd", statistic, min(n, _NULL_ROWS), dimensions, (1.0,))


def energy_test(z: Tensor, null: NormalNull = _NULL) -> SignificanceResult:
    """One-sample energy test of Székely and Rizzo, with all parameters known.

    Args:
        z: One row per distinct input, shape (n, D).
        null: Where the null draws come from.

    Returns:
        The result; the statistic is n times the energy distance.
    """
    z = _one_set(z, null)
    wanted = _energy(*z.shape)
    return _ranked(float(wanted.function(z)), null.of(*wanted)[:, 0])


def _energy(n: int, dimensions: int) -> NullStatistic:
    def statistic(points: Tensor | Sample) -> Tensor:
        sample = as_sample(points)
        return (energy_distance_normal(sample) * sample.points.shape[-2])[..., None]

    return NullStatistic("energy", statistic, min(n, _NULL_ROWS), dimensions)


def panel_nulls(n: int, dimensions: int, null: NormalNull = _NULL) -> None:
    """Draw the nulls of all tests of the panel that are defined, in one pass over the samples.

    Each test then finds its own, as it would have drawn it.

    Args:
        n: Rows of the points that will be tested.
        dimensions: D.
        null: Where the null draws come from, and are kept.
    """
    as_count(n, "n", 1)
    as_count(dimensions, "dimensions", 1)
    check_kind(null, NormalNull, "null")
    kinds = [_mmd, _ksd, _energy]
    if n > dimensions:
        kinds += [_likelihood_ratio, _mardia]
        if henze_zirkler_spread(n, dimensions) >= _ROUNDING:
            kinds.append(_henze_zirkler)
    null.together((kind(n, dimensions) for kind in kinds), shared=Sample)


def _ranked(statistic: float, null: Tensor) -> SignificanceResult:
    return SignificanceResult(statistic, p_value(statistic, null), len(null))


def _one_set(z: Tensor, null: NormalNull = _NULL, *, above_dimension: bool = False) -> Tensor:
    """Check that ``z`` is one (n, D) set of points, with n > D where a covariance is needed."""
    check_kind(null, NormalNull, "null")
    points = as_points(z)
    if points.dim() != 2:
        raise ValueError(f"z must have shape (n, D), got {tuple(points.shape)}")
    n, dimensions = points.shape
    if above_dimension and n <= dimensions:
        raise ValueError(
            f"z must have more rows than dimensions, got {n} rows and D = {dimensions}"
        )
    return points


def _full_rank(z: Tensor) -> bool:
    """Whether no dimension is constant or a linear function of the others, up to rounding."""
    return bool((Sample(z).triangle > 1e-10 * z.norm(dim=0)).all())


def _skewness_and_kurtosis(points: Tensor | Sample) -> tuple[Tensor, Tensor]:
    """Mardia's two statistics, shapes (...): the skewness in O(n D³) or O(n² D), the cheaper."""
    white = as_sample(points).white
    n, dimensions = white.points.shape[-2:]
    kurtosis = white.norms.square().mean(-1)
    if n < dimensions**2:  # the mean cube of the products of all pairs
        cubes = [pair_total(product.square().mul_(product)) for _, product in white.products()]
        return torch.stack(cubes).sum(0) / n**2, kurtosis
    # |mean of w ⊗ w ⊗ w|²
    pairs = (white.points[..., :, None] * white.points[..., None, :]).flatten(-2)
    third = pairs.mT @ white.points / n
    return third.square().sum((-2, -1)), kurtosis


GOODNESS_OF_FIT_TESTS: dict[str, GoodnessOfFitTest] = {
    "mmd_test": mmd_test,
    "likelihood_ratio_test": likelihood_ratio_test,
    "henze_zirkler_test": henze_zirkler_test,
    "mardia_test": mardia_test,
    "ks_test": lambda z, _: ks_test(z),
    "ksd_test": ksd_test,
    "energy_test": energy_test,
}
