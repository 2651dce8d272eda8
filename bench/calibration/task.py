"""What the suite's own calibration is made of: tasks, cases of estimators, bands of counts."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats

from vaelib.seeding import stream

__all__ = ["BAND", "NOT_PRINTED", "Case", "Estimate", "Promise", "Task", "band", "clopper_pearson"]

Promise = Literal["unbiased", "mean known", "at most", "exact"]
Estimate = tuple[float, float]
"""A value and its printed standard error."""

NOT_PRINTED = math.nan
"""In place of the standard error where none is printed."""

BAND = 0.999
"""Coverage of the bands that counts are held against."""


@dataclass(frozen=True)
class Task:
    """A number of repetitions of one experiment, to be run somewhere.

    Attributes:
        subject: Key of ``bench.calibration.run.SUBJECTS``: what kind of experiment.
        name: Which one.
        repetitions: How many.
        part: Parts of one experiment draw from streams of their own.
        again: 0; 1 where the experiment is repeated because its first run fell out of its band.
    """

    subject: str
    name: str
    repetitions: int
    part: int = 0
    again: int = 0

    @property
    def generator(self) -> torch.Generator:
        """The stream of this task, at its start."""
        return stream(f"validate {self.subject} {self.name} {self.part}", self.again)


@dataclass(frozen=True)
class Case:
    """One estimator in one setting.

    Attributes:
        estimator: Name of the metric, or of the function where there is none.
        setting: What it is applied to.
        oracle: Its value.
        source: Where the oracle comes from.
        promise: What the docstring promises of the mean over repetitions, against the oracle; of
            an exact estimator the estimate is its error, on a random input.
        estimate: Draws one repetition.
        repetitions: In the full form.
    """

    estimator: str
    setting: str
    oracle: Callable[[], float]
    source: str
    promise: Promise
    estimate: Callable[[torch.Generator], Estimate]
    repetitions: int = 400

    @property
    def name(self) -> str:
        """Estimator and setting."""
        return f"{self.estimator}: {self.setting}"


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
    given = stats.betabinom(share, rate * (draws + 1), (1 - rate) * (draws + 1))
    mass: npt.NDArray[np.float64] = given.pmf(np.arange(share + 1))
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
