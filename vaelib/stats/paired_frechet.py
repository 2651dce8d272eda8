"""Differences of Fréchet distances to the same real features, with an interval that pairs.

Of two samples x and y of n features each, and real ones r,

    cost = FD(x, r) - FD(y, r)

each corrected for its bias as :mod:`vaelib.stats.frechet` says, in shares of tr C_r. Both share the
reference and its noise, so the error is that of the difference: group g is left out of x, y and r
at once, and the interval is Student's with G - 1 degrees of freedom.

Halves of the samples must still show their covariance: a covariance of d features from n/2 rows
that are hardly more is of too low a rank, and the correction, first order in d/n, no longer does.
So n must be at least ``ROWS_PER_FEATURE`` d.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from vaelib.arguments.plain import as_count
from vaelib.stats.checks import as_features, check_same_nets
from vaelib.stats.frechet import FeatureGaussians, frechet_gaussians
from vaelib.stats.jackknife import GROUPS, Estimate, jackknife_error

__all__ = ["LEAST", "ROWS_PER_FEATURE", "Difference", "FrechetDistances", "most_features"]

ROWS_PER_FEATURE = 5
"""Rows that every feature needs for the interval of a difference to hold what it should."""

LEAST = 8 * GROUPS
"""The fewest rows of each sample: below, the error of the jackknife is too unsteady."""

_LEVEL = 0.95


class Difference(NamedTuple):
    """One Fréchet distance less another, as shares of tr C_real.

    Attributes:
        value: the difference.
        standard_error: of the difference, from all samples without one group each.
        low: lower end of the interval of 95 %.
        high: its upper end.
        visible: the least difference that would have been told from 0 in 8 of 10 such samples.
    """

    value: float
    standard_error: float
    low: float
    high: float
    visible: float


def most_features(rows: int) -> int:
    """How many features a difference of so many rows may be taken in.

    Args:
        rows: n of each sample.

    Returns:
        n / 5, rounded down.

    Raises:
        ValueError: for fewer than 160 rows.

    Example:
        >>> most_features(360)
        72
    """
    return as_count(rows, "rows", LEAST) // ROWS_PER_FEATURE


class FrechetDistances:
    """Fréchet distances of several samples to one real sample; groups are left out at once.

    Args:
        samples: name -> features of a sample, shape (T, n, d) or (n, d); the rows shuffled, but
            those of samples that depend on each other in one order.
        real: features of real data, of as many rows, nets and dimensions.

    Raises:
        TypeError: for samples without names.
        ValueError: for features that are bad, too few for their dimensions, differ in shape, or
            real ones that are constant.
    """

    def __init__(self, samples: Mapping[str, Tensor], real: Tensor) -> None:
        r = as_features(real, device="cpu")
        most = most_features(r.shape[1])
        if r.shape[2] > most:
            raise ValueError(
                f"real must have at least {ROWS_PER_FEATURE} rows for each feature, got "
                f"{r.shape[1]:,} rows of {r.shape[2]:,}; keep {most} principal components"
            )
        law = FeatureGaussians(r)
        scale = law.covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
        if not bool((scale > 0).all()):
            raise ValueError("real features must vary, got a covariance of trace 0")
        if not isinstance(samples, Mapping):
            raise TypeError(
                f"samples must be features by name, got a {type(samples).__name__}; give a dict"
            )
        self._values: dict[str, float] = {}
        self._without: dict[str, Tensor] = {}
        for name, features in samples.items():
            x = as_features(features, device="cpu")
            check_same_nets(x, r)
            if x.shape[1] != r.shape[1]:
                raise ValueError(
                    f"{name} must have as many rows as real, {r.shape[1]:,}, got {x.shape[1]:,}"
                )
            own = FeatureGaussians(x)
            raw = frechet_gaussians(own.mean, own.covariance, law.mean, law.covariance)
            self._values[name], self._without[name] = _corrected(raw, scale)

    def distance(self, name: str) -> Estimate:
        """One distance, as a share of tr C_real: 0 in the mean for equal laws.

        Args:
            name: of the sample.

        Returns:
            The mean over the nets, and its jackknife standard error.
        """
        return Estimate(self._values[name], jackknife_error(self._without[name]))

    def difference(self, name: str, other: str) -> Difference:
        """One distance less another.

        Args:
            name: of the one sample.
            other: of the other.

        Returns:
            The difference and its interval, as shares of tr C_real.
        """
        from scipy.stats import t

        value = self._values[name] - self._values[other]
        error = jackknife_error(self._without[name] - self._without[other])
        wide, seen = (float(t.ppf(level, GROUPS - 1)) for level in (0.5 + _LEVEL / 2, 0.8))
        reach = wide * error
        return Difference(value, error, value - reach, value + reach, (wide + seen) * error)


def _corrected(raw: Tensor, scale: Tensor) -> tuple[float, Tensor]:
    """The distance of all rows and those without each group, means over the nets.

    Args:
        raw: of the subsets of :class:`vaelib.stats.frechet.FeatureGaussians`, shape (3 + 2 G, T).
        scale: tr C_real of the same.

    Returns:
        The value, and shape (G,).

    Raises:
        ValueError: for features whose squares overflow.
    """
    halves, without, shorter = raw[1:3], raw[3 : 3 + GROUPS], raw[3 + GROUPS :]
    value = (2 * raw[0] - halves.mean(0)) / scale[0]
    other = torch.where(torch.arange(GROUPS).unsqueeze(1) < GROUPS // 2, halves[1], halves[0])
    each = (2 * without - (shorter + other) / 2) / scale[3 : 3 + GROUPS]
    if not math.isfinite(float(value.sum())):
        raise ValueError("features must be of a size that can be squared, got larger ones")
    return float(value.mean()), each.mean(1)
