"""Simulation-based calibration: are the ranks of the truth under q(z|x) uniform?

Draw z from the prior and x from p(x|z): then z is a draw of the true posterior p(z|x), so that its
rank under q(z|x) is uniform for every x if q(z|x) is that posterior. Ranks are given as **scores**,
quantiles of N(0, 1): for a Gaussian q(z|x) the score of z_j is (z_j - mean_j) / scale_j, exactly.
The dimensions of q(z|x) are independent, so that under it the sum of D squared scores is chi-square
with D degrees of freedom. Its rank is that of log q(z|x) from the densest point outwards, and the
share of ranks up to a is the coverage of the region that holds a of q(z|x): it sees what single
dimensions do not, such as posterior correlations that q(z|x) leaves out.

| ranks of one dimension | scores | the encoder |
|---|---|---|
| too many near 0 and 1 | spread above 1 | too sure: its scales are too narrow |
| too many near .5 | spread below 1 | too cautious: its scales are too wide |
| too many near one end | mean not 0 | off to one side |

The test is the picture: the p-value is exact for n independent ranks, and below .05 just where the
empirical distribution function leaves its simultaneous 95 % band.

References:
    Talts, Betancourt, Simpson, Vehtari and Gelman, Validating Bayesian inference algorithms with
    simulation-based calibration, 2018.
    Säilynoja, Bürkner and Vehtari, Graphical test for discrete uniformity and its applications in
    goodness-of-fit evaluation and multiple sample comparison, 2022 (the band).
    Hermans et al., A crisis in simulation-based inference? Beware, your posterior approximations
    can be unfaithful, 2022 (coverage of the region of highest density).
    Lemos et al., Sampling-based accuracy testing of posterior estimators for general inference,
    2023 (regions around any point).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.special import ndtr
from scipy.stats import binom, chi2, poisson
from torch import Tensor

from vaelib.arguments.plain import as_count, shown
from vaelib.arguments.tensors import as_array, as_tensor
from vaelib.numerics.arrays import Floats
from vaelib.stats.checks import check_level
from vaelib.stats.jackknife import Estimate
from vaelib.stats.multiple_testing import holm
from vaelib.stats.nulls import SignificanceResult

__all__ = ["GRID", "Calibration", "band", "calibration"]

GRID = 100
"""Intervals of equal length at whose ends the distribution function of ranks is looked at."""

_LARGEST = 1e70  # fourth powers of them, of which there are many, are numbers
_EXACT = 1e-10  # p-values from here on are exact; of smaller ones 1 - P has lost its digits
_NEGLIGIBLE = 1e-20  # terms of a Poisson law that are left out
_SAME = 1 + 1e-9  # levels that differ by rounding


@dataclass(frozen=True)
class Calibration:
    """What n ranks say of an encoder.

    Attributes:
        test: of the D dimensions and the joint rank together. Statistic: the largest distance of an
            empirical distribution function from the uniform one. P-value: the smallest after Holm's
            correction. ``per_dimension``: the D corrected p-values, then that of the joint rank.
        joint: of the joint rank alone, not corrected.
        scale: of each dimension the scale of q(z|x) over that with which z scatters about its mean,
            shape (D,): 1 where calibrated, below 1 where q(z|x) is too narrow; NaN where z lay
            outside the support of q(z|x).
        scale_error: its standard errors, shape (D,).
        shift: how far z lies from the mean of q(z|x), on average, shape (D,), in scales of q(z|x).
        overall: that ratio of all dimensions together, from the mean of their variances; its
            standard error allows for dependence between the dimensions of one draw.
        counts: ranks up to 1/GRID, 2/GRID, ..., 1, shape (D + 1, GRID), the joint rank last.
    """

    test: SignificanceResult
    joint: SignificanceResult
    scale: Floats
    scale_error: Floats
    shift: Floats
    overall: Estimate
    counts: np.ndarray

    @property
    def interval(self) -> tuple[Floats, Floats]:
        """Ends of the 95 % normal interval of ``scale``, each of shape (D,)."""
        return self.scale - 1.96 * self.scale_error, self.scale + 1.96 * self.scale_error


def calibration(scores: Tensor, joint: Tensor | None = None) -> Calibration:
    """Test whether ranks are uniform, and measure how they are not.

    Args:
        scores: normal quantiles of the ranks of z_j under q(z_j|x), one row per simulated z, shape
            (n, D); infinite where z lies outside the support of q(z|x).
        joint: ranks of a joint statistic, shape (n,), in [0, 1]; without it those of the sum of
            squared scores, which is right where the dimensions of q(z|x) are independent.

    Returns:
        The calibration. The level of each test is exact at every n, but for ties of counts, which
        make it smaller; Holm's correction holds whatever the dependence between dimensions.

    Raises:
        ValueError: for scores or ranks that are none, or fewer than 2 of them.

    Example:
        >>> import torch
        >>> scores = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)).double()
        >>> calibration(scores).test.p_value > 0.05
        True
        >>> too_narrow = calibration(scores / torch.tensor([1.0, 0.8]))
        >>> [p <= 0.05 for p in too_narrow.test.per_dimension], too_narrow.scale.round(1).tolist()
        ([False, True, True], [1.0, 0.8])
    """
    x = _checked(scores)
    ranks = _joint_ranks(x) if joint is None else as_array(joint, "joint")
    if ranks.shape != (len(x),) or not ((ranks >= 0) & (ranks <= 1)).all():
        raise ValueError(f"joint must hold {len(x)} ranks in [0, 1], got shape {ranks.shape}")
    counts = _counts(np.column_stack([ndtr(x), ranks]))
    p_values = np.array([_p_value(row[:-1], len(x)) for row in counts])
    distance = np.abs(counts / len(x) - np.arange(1, GRID + 1) / GRID).max(1)
    adjusted = holm(p_values)
    mean, centred = _centred(x)
    variance, variance_error = _variance(centred**2)
    ratio, error = _ratio(variance, variance_error)
    overall = _ratio(*_variance((centred**2).mean(1)))
    return Calibration(
        SignificanceResult(
            float(distance.max()), float(adjusted.min()), 0, tuple(adjusted.tolist())
        ),
        SignificanceResult(float(distance[-1]), float(p_values[-1]), 0),
        ratio,
        error,
        mean,
        Estimate(float(overall[0]), float(overall[1])),
        counts,
    )


def _checked(scores: Tensor) -> Floats:
    kind = scores.dtype if isinstance(scores, Tensor | np.ndarray) else None
    floats = kind.is_floating_point if isinstance(kind, torch.dtype) else kind and kind.kind == "f"
    given = as_tensor(scores, "scores") if floats else None
    if given is None or given.dim() != 2:
        got = shown(scores) if kind is None else kind if given is None else tuple(given.shape)
        raise ValueError(
            f"scores must be a floating-point tensor or array of shape (n, D), got {got}"
        )
    as_count(len(given), "rows of scores", 2)
    as_count(given.shape[1], "dimensions of scores", 1)
    x: Floats = given.cpu().double().numpy()
    if bad := int(np.isnan(x).sum()):
        raise ValueError(f"scores must be numbers or infinite, got {bad} NaN")
    if bool((np.isfinite(x) & (np.abs(x) >= _LARGEST)).any()):
        raise ValueError(f"scores must be below {_LARGEST:g} in size, or infinite, got others")
    return x


def _joint_ranks(x: Floats) -> Floats:
    ranks: Floats = chi2.cdf((x**2).sum(1), x.shape[1])
    return ranks


def _counts(ranks: Floats) -> np.ndarray:
    """Of each column, how many ranks are at most k/GRID, k = 1 ... GRID, shape (columns, GRID)."""
    ends = np.arange(1, GRID) / GRID
    inner = [np.searchsorted(np.sort(column), ends, side="right") for column in ranks.T]
    return np.column_stack([inner, np.full(ranks.shape[1], len(ranks))]).astype(np.int64)


def _centred(x: Floats) -> tuple[Floats, Floats]:
    """Mean and deviations from it; NaN in a dimension with infinite scores."""
    x = np.where(np.isfinite(x).all(0), x, np.nan)
    mean: Floats = x.mean(0)
    return mean, x - mean


def _variance(squares: Floats) -> tuple[Floats, Floats]:
    """Mean of squared deviations with n - 1, and its standard error over the rows."""
    n = len(squares)
    return squares.sum(0) / (n - 1), squares.std(0) / math.sqrt(n - 1)


def _ratio(variance: Floats, error: Floats) -> tuple[Floats, Floats]:
    """1 / sqrt(variance) and its standard error, to first order."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.asarray(variance) ** -0.5
        return ratio, 0.5 * ratio**3 * error


def _p_value(counts: np.ndarray, n: int) -> float:
    """How often n uniform ranks have, somewhere on the grid, a count as rare as the rarest here."""
    ends = np.arange(1, GRID) / GRID
    # a count is as rare as twice the smaller of its binomial tails
    tails = np.minimum(binom.cdf(counts, n, ends), binom.cdf(n - counts, n, ends[::-1]))
    rarest = min(1.0, 2 * float(tails.min()))
    at_most = (GRID - 1) * rarest  # by the sum over the grid
    if at_most < _EXACT:
        return max(at_most, float(np.finfo(np.float64).tiny))
    exact = 1 - _inside(*_bounds(n, rarest), n)
    return min(1.0, exact if exact >= _EXACT else min(_EXACT, at_most))


def _bounds(n: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest counts on the grid that are less rare than a level."""
    ends, least = np.arange(1, GRID) / GRID, level / 2 * _SAME
    low = np.clip(binom.ppf(min(least, 1.0), n, ends), 0, n).astype(np.int64)
    while (up := (binom.cdf(low, n, ends) <= least) & (low < n)).any():
        low += up
    while (down := (low > 0) & (binom.cdf(low - 1, n, ends) > least)).any():
        low -= down
    return low, n - low[::-1]


def _inside(low: np.ndarray, high: np.ndarray, n: int) -> float:
    """Probability that the counts of n uniform ranks stay between bounds all along the grid."""
    # The counts of the intervals are independent Poisson variables given their sum: a convolution
    # for each, restricted to the bounds. All terms are positive.
    if (low > high).any():
        return 0.0
    kernel = poisson.pmf(np.arange(n + 1), n / GRID)
    kernel = kernel[: 1 + int(np.flatnonzero(kernel > _NEGLIGIBLE)[-1])]
    start, weights = 0, np.ones(1)
    for a, b in zip([*low, n], [*high, n], strict=True):
        reached = np.convolve(weights, kernel)  # counts from start on
        weights = np.zeros(b - a + 1)
        first, last = max(a, start), min(b, start + len(reached) - 1)
        if first > last:
            return 0.0
        weights[first - a : last - a + 1] = reached[first - start : last - start + 1]
        start = a
    return float(weights[0] / poisson.pmf(n, n))


def band(n: int, level: float = 0.95) -> tuple[Floats, Floats]:
    """The simultaneous band of the distribution function of n uniform ranks.

    All counts within it are less rare than one and the same level, the largest at which the whole
    function stays inside with at least the wanted probability.

    Args:
        n: ranks.
        level: probability that the function stays inside.

    Returns:
        Lower and upper ends at 1/GRID, ..., (GRID - 1)/GRID, as shares of n, each of shape
        (GRID - 1,). Do not edit them.

    Raises:
        ValueError: for n below 1 or a level outside (0, 1).

    Example:
        >>> low, high = band(1000)
        >>> float(low[49]), float(high[49])
        (0.453, 0.547)
    """
    as_count(n, "n", 1)
    check_level(level, "level")
    return _band(int(n), float(level))


@lru_cache(32)
def _band(n: int, level: float) -> tuple[Floats, Floats]:
    least, most = math.log((1 - level) / GRID), math.log(1 - level)
    for _ in range(40):
        middle = (least + most) / 2
        if _inside(*_bounds(n, math.exp(middle)), n) >= level:
            least = middle
        else:
            most = middle
    low, high = _bounds(n, math.exp(least))
    return low / n, high / n
