"""One estimator in one setting, and the oracle that it is held against."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

__all__ = ["NOT_PRINTED", "Case", "Estimate", "Promise"]

Promise = Literal["unbiased", "mean known", "at most", "exact"]
Estimate = tuple[float, float]
"""A value and its printed standard error."""

NOT_PRINTED = math.nan
"""In place of the standard error where none is printed."""


@dataclass(frozen=True)
class Case:
    """One estimator in one setting.

    Attributes:
        estimator: Name of the metric, or of the function where there is none.
        setting: What it is applied to.
        oracle: Its value.
        origin: Where the oracle comes from.
        promise: What the docstring promises of the mean over repetitions, against the oracle; of
            an exact estimator the estimate is its error, on a random input.
        estimate: Draws one repetition.
        repetitions: In the full form.
    """

    estimator: str
    setting: str
    oracle: Callable[[], float]
    origin: str
    promise: Promise
    estimate: Callable[[torch.Generator], Estimate]
    repetitions: int = 400
