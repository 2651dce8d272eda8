"""Values that would hide what the others say: named by a gate, not averaged."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["absurd"]

_FAR = 50.0
"""Times the margin and the spread of the nearest majority. Of five seeds drawn from the measured
matrices of this repository, 19,956 times, none lay further off than 26 times."""
_BELIEVED = 1e6  # times the margin and the spread of the run: more is no improvement


def absurd(
    run: "pd.Series[float]", baseline: "pd.Series[float]", margin: float, *, higher: bool
) -> str:
    """What nobody would believe of one metric of a configuration.

    Args:
        run: the values of each seed, finite.
        baseline: the same of the baseline.
        margin: the largest worsening that does not matter.
        higher: whether a higher value is better.

    Returns:
        The seeds that lie far from the majority of their side, or how far all of a run is better
        than its baseline where no improvement is so large; empty where there is nothing.
    """
    with np.errstate(over="ignore"):  # numbers of 300 digits are what is looked for
        sides = {"run": (run, baseline), "baseline": (baseline, run)}
        found = [
            f"{what} in the {whose}"
            for whose, (own, other) in sides.items()
            if (what := _far(own, other, margin))
        ]
        low, high = _majority(run.to_numpy(float))
        before, now = float(baseline.median()), float(run.median())
        gained = now - before if higher else before - now
        if not found and gained > _BELIEVED * (margin + high - low):
            found = [f"the median was {before:.4g} in the baseline and is {now:.4g} in the run"]
    return "; ".join(found)


def _far(values: "pd.Series[float]", other: "pd.Series[float]", margin: float) -> str:
    """The seeds that lie far from the majority, if there are any."""
    numbers = values.to_numpy(float)
    if len(values) < 3:  # two seeds cannot tell which of them it is; those of the other side do
        numbers = np.concatenate([numbers, other.to_numpy(float)])
    low, high = _majority(numbers)
    reach = _FAR * (margin + high - low)
    far = np.abs(values.to_numpy(float) - (low + high) / 2) > reach
    if not far.any():
        return ""
    seeds = ", ".join(str(seed) for seed in values.index[far])
    which = f"seed {seeds} has" if far.sum() == 1 else f"seeds {seeds} have"
    odd = ", ".join(f"{value:.4g}" for value in values[far])
    return f"{which} {odd}, the others {low:.4g} to {high:.4g}"


def _majority(numbers: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Ends of the shortest interval that holds more than half of the numbers."""
    ordered, most = np.sort(numbers), len(numbers) // 2 + 1
    first = int((ordered[most - 1 :] - ordered[: len(ordered) - most + 1]).argmin())
    return float(ordered[first]), float(ordered[first + most - 1])
