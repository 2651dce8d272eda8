"""What is said of the values that a function returned in a world, by the KL that is known."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from vaelib.worlds.expected import LEVEL, band

__all__ = ["FAULTS", "KINDS", "MEANING", "Kind", "word_for"]

Kind = Literal["estimate", "lower", "upper"]
KINDS: tuple[Kind, ...] = get_args(Kind)

FAULTS = ("biased low", "biased high", "wrong sign", "noisy", "too high", "too low")
"""Words for what deviates; the others are right, holds, refuses and no posteriors."""

MEANING: dict[Kind, str] = {
    "estimate": "right: the mean over draws is off by less than .05 nats, or a fifth of the KL. "
    "Biased: it is, and by more than its 95 % interval; noisy: it is, and may be by chance, which "
    "more draws tell. Wrong sign: biased, and below 0 beyond its interval where the KL is not 0.",
    "lower": "holds: above the KL in no more draws than a bound of level .975 may be.",
    "upper": "holds: below the KL in no more draws than a bound of level .975 may be.",
}
"""What the words mean, of each kind."""

_CONFIDENCE = 0.95  # of the interval of a mean over draws, before it is called biased
_CHANCE = 0.001  # of a bound that holds its level to be called broken in a world


def word_for(kind: Kind, kl: float, values: Sequence[float]) -> str:
    """The word for what was returned.

    Args:
        kind: what the values are.
        kl: of the world, in nats.
        values: one of each draw that was answered, in nats.

    Returns:
        One of `FAULTS`, or "right" of an estimate, "holds" of a bound, "refuses" of fewer than two
        values.
    """
    if len(values) < 2:
        return "refuses"
    found = np.array(values)
    return _of_estimate(kl, found) if kind == "estimate" else _of_bound(kl, kind, found)


def _of_estimate(kl: float, values: np.ndarray) -> str:
    """By the mean; it is biased only where its interval over the draws leaves the band."""
    from scipy import stats

    low, high = band(kl)
    mean = values.mean()
    if low <= mean <= high:
        return "right"
    quantile = stats.t.ppf((1 + _CONFIDENCE) / 2, len(values) - 1)
    half = quantile * values.std(ddof=1) / math.sqrt(len(values))
    if mean - half > high:
        return "biased high"
    if mean + half < low:
        return "wrong sign" if kl > 0 and mean + half < 0 else "biased low"
    return "noisy"


def _of_bound(kl: float, kind: Kind, values: np.ndarray) -> str:
    """By how many draws it is broken in, which a bound of its level is rarely in."""
    from scipy import stats

    slack = 1e-9 * max(1.0, kl)  # of sums in floats
    beyond = values > kl + slack if kind == "lower" else values < kl - slack
    if stats.binom.sf(beyond.sum() - 1, len(values), LEVEL) >= _CHANCE:
        return "holds"
    return "too high" if kind == "lower" else "too low"
