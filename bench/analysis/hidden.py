"""A second look at what a gate did not call worse: without the seeds that favour the run most.

A mean over five seeds is hidden by one of them that is far off, and not so far that it is absurd.
So up to (S - 1) / 2 seeds, those whose differences favour the run most, are left out, and the rest
is tested as before. Which they are depends on the data, but they are one of C(S, k) choices of k
seeds. For a choice that was fixed before, the mean of the rest over its standard error has
Student's law with S - k - 1 degrees of freedom, and the sum of the errors of all choices bounds
that of the worst. So each p-value is multiplied by the number of choices, and by the inverse of the
share of the error that is given to k. The least of them is again a p-value of normal differences,
and for tails that are heavier on both sides the bound is larger than the error.
"""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from vaelib.numerics.arrays import Floats

__all__ = ["hidden", "hiding"]

_ONE = 0.9  # share of the error for a single seed; larger minorities have the rest alike


def hidden(ours: Floats, theirs: Floats, margin: float) -> tuple[Floats, NDArray[np.intp]]:
    """Test whether K configurations are worse but for a minority of their S seeds.

    Args:
        ours: Values of one run, shape (S, K), larger where worse.
        theirs: Values of the other for the same seeds, shape (S, K).
        margin: Largest difference that does not matter, in the unit of the values.

    Returns:
        p-values of a mean difference beyond the margin, and how many seeds, those of the least
        differences, are left out where it is least; each of shape (K,). 1 and 0 for fewer than
        three seeds.
    """
    count = len(ours)
    ordered = np.sort(ours - theirs, axis=0)
    least, left_out = np.ones(ordered.shape[1]), np.zeros(ordered.shape[1], dtype=np.intp)
    most = (count - 1) // 2
    for k in range(1, most + 1):
        rest = ordered[k:]
        share = 1.0 if most == 1 else _ONE if k == 1 else (1 - _ONE) / (most - 1)
        deviation = np.maximum(rest.std(0, ddof=1), margin / 10)
        distance = (rest.mean(0) - margin) / deviation * math.sqrt(count - k)
        p_value = stats.t.sf(distance, count - k - 1) * math.comb(count, k) / share
        left_out = np.where(p_value < least, k, left_out)
        least = np.minimum(p_value, least)
    return least, left_out


def hiding(
    run: "pd.Series[float]", baseline: "pd.Series[float]", worsening: "pd.Series[float]", count: int
) -> str:
    """Say which seeds hide that a run is worse, and on which side they are odd.

    Args:
        run: Its values by seed.
        baseline: The same of the baseline.
        worsening: How much worse the run is, by seed.
        count: How many seeds are left out.

    Returns:
        Such as ``"one seed of the baseline hides it: seed 0 has 9, the others 1 to 2; without it
        the run is worse by 3"``.
    """
    odd = worsening.sort_values(kind="stable").index[:count]
    side, values = max(
        (("baseline", baseline), ("run", run)), key=lambda one: _oddness(one[1], odd)
    )
    others = values.drop(odd)
    which = "one seed" if count == 1 else f"{count} seeds"
    seeds = ", ".join(f"seed {seed} has {values[seed]:.4g}" for seed in odd)
    verb, them = ("hides", "it") if count == 1 else ("hide", "them")
    return (
        f"{which} of the {side} {verb} it: {seeds}, the others {others.min():.4g} to "
        f"{others.max():.4g}; without {them} worse by {worsening.drop(odd).mean():.3g}"
    )


def _oddness(values: "pd.Series[float]", odd: "pd.Index[int]") -> float:
    """How far some values lie from all others, in units of the spread of these."""
    others = values.drop(odd)
    far = float((values[odd] - others.median()).abs().max())
    spread = float(others.max() - others.min())
    return far / spread if spread else math.inf if far else 0.0
