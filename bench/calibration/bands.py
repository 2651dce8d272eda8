"""Bands that counts are held against, and exact intervals of rates."""

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = ["BAND", "band", "clopper_pearson"]

BAND = 0.999
"""Coverage of the bands that counts are held against."""


def band(rate: float, repetitions: int, nulls: int = 0, draws: int = 0) -> tuple[int, int]:
    """Counts that an event of this rate has with probability 99.9 %.

    Repetitions that rank their statistic among the same null draws are not independent: given B
    draws the rate is Beta(rate (B + 1), (1 - rate) (B + 1)), and the count beta-binomial.

    Args:
        rate: Probability of the event.
        repetitions: Of the experiment.
        nulls: Sets of null draws, each shared by an equal part of the repetitions; 0 where the
            repetitions are independent.
        draws: B, the draws of a set.

    Returns:
        The smallest and the largest count.

    Example:
        >>> band(0.05, 1500)
        (49, 104)
        >>> band(0.05, 1500, nulls=1, draws=999)
        (37, 125)
    """
    tail = (1 - BAND) / 2
    if not nulls:
        law = stats.binom(repetitions, rate)
        return int(law.ppf(tail)), int(law.ppf(1 - tail))
    share = repetitions // nulls
    law_of_share = stats.betabinom(share, rate * (draws + 1), (1 - rate) * (draws + 1))
    mass: npt.NDArray[np.float64] = law_of_share.pmf(np.arange(share + 1))
    total = mass
    for _ in range(nulls - 1):
        total = np.convolve(total, mass)
    low, high = np.searchsorted(total.cumsum(), [tail, 1 - tail])
    return int(low), int(high)


def clopper_pearson(count: int, repetitions: int, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval of a rate.

    Args:
        count: Events.
        repetitions: Trials.
        level: Coverage.

    Returns:
        Its ends.

    References:
        Clopper and Pearson (1934), The use of confidence or fiducial limits, Biometrika 26.
    """
    interval = stats.binomtest(count, repetitions).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)
