"""Rank correlation over configurations, with intervals over configurations and seeds.

The configurations of a matrix are taken as drawn from those that one might have tried, and the
seeds, which all of them share, as drawn too. One resample draws K configurations and S seeds, both
with replacement and apart from each other, averages the drawn seeds of each drawn configuration,
and ranks these means: the bootstrap of two crossed factors (Owen 2007). All variables are resampled
alike, so that differences of correlations are paired.

Its percentile interval has no width where all resamples order the configurations alike, as few
configurations do by chance. The interval is therefore the hull of it and of Fisher's, which knows
nothing of seeds and is too short where they make up much of the means' variance.
``python -m tests.correlations`` counts how often each covers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from vaelib.numerics.arrays import Floats

__all__ = [
    "FEW_CONFIGURATIONS",
    "Correlations",
    "Resampled",
    "fisher_interval",
    "hull",
    "least_shown",
    "mean_interval",
    "percentile_interval",
    "spearman",
    "unit_ranks",
]

FEW_CONFIGURATIONS = 7
"""With as many or fewer, no interval is given and nothing is claimed."""

_DRAWS = 4000
_NOTHING = np.empty(0)
_ROUNDING = 1e-12  # means that are as close, relative to the largest, are tied


def unit_ranks(values: Floats) -> Floats:
    """Ranks, centred and of unit length, so that their product is Spearman's correlation.

    Args:
        values: Shape (..., K).

    Returns:
        Of the same shape, ties at their mean rank; NaN along an axis that holds a NaN or one value
        alone.
    """
    ranks = stats.rankdata(values, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    length = np.sqrt((ranks**2).sum(axis=-1, keepdims=True))
    with np.errstate(invalid="ignore"):
        unit: Floats = ranks / length
    return unit


def spearman(first: Floats, second: Floats) -> Floats:
    """Spearman's rank correlation along the last axis.

    Args:
        first: Shape (..., K).
        second: The same.

    Returns:
        Shape (...); NaN where either is constant or holds a NaN.
    """
    product: Floats = (unit_ranks(first) * unit_ranks(second)).sum(axis=-1)
    return product


def fisher_interval(value: float, count: int, level: float) -> tuple[float, float]:
    """Interval of a rank correlation from its Fisher transform (Bonett & Wright 2000).

    A perfect order counts as half-way to the next possible correlation, 1 - 12/(K (K² - 1)).

    Args:
        value: Spearman's correlation.
        count: K, the independent pairs.
        level: Coverage.

    Returns:
        Both ends.

    Raises:
        ValueError: For fewer than four pairs.
    """
    if count < 4:
        raise ValueError(f"expected at least 4 configurations, got {count}; give no interval")
    most = 1 - 6 / (count * (count**2 - 1))
    kept = min(max(value, -most), most)
    error = np.sqrt((1 + kept**2 / 2) / (count - 3))
    reach = float(stats.norm.ppf((1 + level) / 2) * error)
    return float(np.tanh(np.arctanh(kept) - reach)), float(np.tanh(np.arctanh(kept) + reach))


def least_shown(count: int, level: float) -> float:
    """The smallest correlation whose Fisher interval excludes 0.

    Args:
        count: K, the independent pairs.
        level: Coverage.

    Returns:
        Between 0 and 1; 1 where no correlation is large enough.
    """
    most = 1 - 6 / (count * (count**2 - 1))

    def low(value: float) -> float:
        return fisher_interval(value, count, level)[0]

    return float(optimize.brentq(low, 0.0, most)) if low(most) > 0 else 1.0


def percentile_interval(resamples: Floats, level: float) -> tuple[float, float]:
    """The quantiles of a statistic's resamples.

    Args:
        resamples: Shape (B,), NaN where a resample does not define it.
        level: Coverage.

    Returns:
        Both ends; all numbers where no resample defines it.
    """
    defined = resamples[np.isfinite(resamples)]
    if not len(defined):
        return -np.inf, np.inf
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def hull(value: float, count: int, resamples: Floats, level: float) -> tuple[float, float]:
    """The interval of a rank correlation: the hull of Fisher's and the percentile interval.

    Args:
        value: Spearman's correlation.
        count: K, the configurations.
        resamples: Of the correlation, over configurations and seeds, shape (B,).
        level: Coverage.

    Returns:
        Both ends, within [-1, 1].
    """
    lows, highs = zip(
        fisher_interval(value, count, level), percentile_interval(resamples, level), strict=True
    )
    return max(min(lows), -1.0), min(max(highs), 1.0)


def mean_interval(
    values: Sequence[float], intervals: Sequence[tuple[float, float]]
) -> tuple[float, float, float]:
    """The mean of independent estimates and its interval, from theirs (Zou & Donner 2008).

    Args:
        values: The estimates.
        intervals: Both ends of each.

    Returns:
        Mean and both ends.
    """
    estimates, ends = np.asarray(values), np.asarray(intervals)
    mean, count = float(estimates.mean()), len(estimates)
    below, above = np.sqrt(((ends - estimates[:, None]) ** 2).sum(axis=0)) / count
    return mean, mean - float(below), mean + float(above)


@dataclass(frozen=True, eq=False)
class Correlations:
    """Correlations of several variables with one, over the same configurations and seeds.

    Attributes:
        values: One for each variable; NaN where it is constant.
        resamples: Shape (B,) each, of the same resamples.
        configurations: K.
        seeds: The fewest seeds of a configuration.
    """

    values: tuple[float, ...]
    resamples: tuple[Floats, ...]
    configurations: int
    seeds: int


class Resampled:
    """Variables of one set of configurations and seeds, and their resamples.

    Args:
        variables: Of each name, values of shape (S, K), NaN where a cell has none.
        draws: B, the resamples.

    Raises:
        ValueError: If the shapes differ.
    """

    def __init__(self, variables: Mapping[str, Floats], draws: int = _DRAWS) -> None:
        shapes = {values.shape for values in variables.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 2:
            raise ValueError(f"expected variables of one shape (S, K), got {sorted(shapes)}")
        self._variables, self._draws = variables, draws
        self._kept: dict[tuple[str, bytes], tuple[Floats, Floats]] = {}

    def correlations(self, names: Sequence[str], target: str) -> Correlations:
        """Correlate variables with another, over the cells in which all of them have a value.

        Args:
            names: Of the variables.
            target: Name of the other.

        Returns:
            Their correlations, NaN below three configurations; without resamples where these are
            too few.
        """
        values = np.array([self._variables[name] for name in (*names, target)])
        present: npt.NDArray[np.bool_] = np.isfinite(values).all(axis=0)
        seeds = present.sum(axis=0)
        count = int((seeds > 0).sum())
        fewest = int(seeds[seeds > 0].min()) if count else 0
        if count < 3:
            nothing = (np.nan,) * len(names), (_NOTHING,) * len(names)
            return Correlations(*nothing, count, fewest)
        value, resamples = self._ranks(target, present)
        ranks = [self._ranks(name, present) for name in names]
        return Correlations(
            tuple(float((one * value).sum()) for one, _ in ranks),
            tuple((many * resamples).sum(axis=-1) for _, many in ranks),
            count,
            fewest,
        )

    def _ranks(self, name: str, present: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Unit ranks of the means over the cells that are present, and of their resamples."""
        key = name, present.tobytes()
        if key not in self._kept:
            columns = present.any(axis=0)
            values = np.where(present, self._variables[name], np.nan)[:, columns]
            means = _means(values, np.ones((1, len(values))))
            count = int(columns.sum())
            drawn = np.empty((0, count))
            if count > FEW_CONFIGURATIONS:
                places = np.random.default_rng(1).integers(0, count, (self._draws, count))
                drawn = np.take_along_axis(_means(values, self._counts), places, axis=1)
            step = _ROUNDING * float(np.abs(means).max(initial=0.0)) or 1.0
            whole, drawn = (unit_ranks(np.round(each / step)) for each in (means, drawn))
            self._kept[key] = whole[0], drawn
        return self._kept[key]

    @cached_property
    def _counts(self) -> Floats:
        """How often each resample draws each seed, shape (B, S)."""
        seeds = len(next(iter(self._variables.values())))
        shares = np.full(seeds, 1 / seeds)
        return np.random.default_rng(0).multinomial(seeds, shares, self._draws).astype(float)


def _means(values: Floats, counts: Floats) -> Floats:
    """Means over seeds, each counted as often as it was drawn; NaN where none was drawn.

    Args:
        values: Shape (S, K), NaN where there is none.
        counts: Shape (B, S).

    Returns:
        Shape (B, K). Seeds are added up one by one: a matrix product would add up each column in
        an order of its own, and break ties.
    """
    total = np.zeros((len(counts), values.shape[1]))
    number = np.zeros_like(total)
    for seed, row in enumerate(values):
        total += counts[:, seed, None] * np.where(np.isfinite(row), row, 0.0)
        number += counts[:, seed, None] * np.isfinite(row)
    with np.errstate(invalid="ignore"):
        means: Floats = total / number
    return means
