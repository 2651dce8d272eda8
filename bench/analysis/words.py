"""The words of a verdict: where an effect lies, against 0 and against the smallest that matters.

Let d be an effect in the direction that is claimed, and m >= 0 its margin. Of the seeds it is asked
on which side of -m, 0 and m the effect lies, six one-sided t tests of ``d <= b`` and ``d >= b``:

* **larger than the margin**: d > m is shown.
* **smaller than the margin**: d < m is shown; *present* where d > 0 is, too.
* **absent within the margin**: -m < d < m is shown, and d > 0 is not.
* **opposite**: d < 0 is shown, and it is not shown to lie within the margin.
* **inconclusive**: none of these. It may be *present* all the same: d > 0 is shown, d > m or
  d < m is not.

Where m = 0 there is one boundary, and *larger* or *opposite* is said. A claim of equivalence has
one, too: **absent within the margin** says that all of its effects lie in (-m, m), and it holds;
**larger than the margin** that one of them lies outside.

Where a claim has K effects, d is the smallest of them: ``d > b`` takes the largest of their
p-values (all must hold), ``d < b`` the smallest times K.

**The error.** With probability 1 - alpha no word of a family of n claims is wrong. Within a claim:
what is said of d at several boundaries is nested (d > m implies d > 0), so a wrong statement
includes one at the two boundaries nearest to d on either side; each side has half of the level, as
in a two-sided interval. Over claims: Holm's step-down over all boundaries of all claims, with the
logic of Shaffer (1986): an effect lies on one boundary at most, so that the closed test of a set of
true hypotheses counts claims, not boundaries. The k-th smallest p-value is multiplied by the number
of claims of which a boundary is not decided yet.

Holm's correction over one p-value of each claim is not enough: where all n effects are 0, all are
quickly shown to lie below m, and the last would be asked at level alpha whether it is present.
Closed testing proves the level for effects on a boundary, under any dependence of the claims. That
the direction is right where they lie between two is Shaffer's (1980) for independent claims; the
tests count it for dependent ones.

References:
    Shaffer (1980), Control of directional errors with stagewise multiple test procedures, Annals of
    Statistics 8; Shaffer (1986), Modified sequentially rejective multiple test procedures, JASA 81;
    Schuirmann (1987), A comparison of the two one-sided tests procedure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from bench.analysis.comparison import paired_t
from bench.analysis.replicates import LEVEL
from vaelib.numerics.arrays import Floats

__all__ = ["VERDICTS", "Judgement", "Sides", "Verdict", "judge", "sides", "sides_of_equivalence"]

Verdict = Literal[
    "larger than the margin",
    "smaller than the margin",
    "absent within the margin",
    "opposite",
    "inconclusive",
]
VERDICTS: tuple[Verdict, ...] = (
    "larger than the margin",
    "smaller than the margin",
    "absent within the margin",
    "opposite",
    "inconclusive",
)
"""In the order in which pages count them."""

_P_FLOOR = 5e-13  # nobody should believe a t tail further out than this


@dataclass(frozen=True)
class Sides:
    """On which side of its boundaries an effect lies: one-sided p-values.

    Attributes:
        boundaries: In ascending order, the margin last; shape (B,).
        above: That the effect lies above each, shape (B,).
        below: That it lies below each, shape (B,).
        weakest: Which of the K effects is the hardest to show where it is claimed.
        contrary: Which of them is the easiest to show elsewhere.
    """

    boundaries: tuple[float, ...]
    above: Floats
    below: Floats
    weakest: int
    contrary: int

    @property
    def p_values(self) -> Floats:
        """Of the better decided side of each boundary, shape (B,)."""
        doubled: Floats = np.minimum(1.0, 2 * np.minimum(self.above, self.below))
        return doubled


@dataclass(frozen=True)
class Judgement:
    """The word for one effect.

    Attributes:
        verdict: The word.
        present: Whether the effect is shown to have the claimed direction.
        p_value: Of the boundaries that the word rests on, the largest; of the margin where nothing
            is said.
        p_holm: The same, corrected over the claims.
    """

    verdict: Verdict
    present: bool
    p_value: float
    p_holm: float


def sides(least: Floats, most: Floats, margin: float, floor: float) -> Sides:
    """Ask on which side of 0 and of the margin an effect lies, in the claimed direction.

    Args:
        least: What the effect is at least, for each seed, shape (S, K).
        most: What it is at most; the same values where it is known, NaN where there is no limit.
        margin: The smallest effect that matters.
        floor: Margin of the metric, see `bench.analysis.comparison.paired_t`.

    Returns:
        Its sides of -margin, 0 and margin, or of 0 alone where there is no margin.
    """
    boundaries = (-margin, 0.0, margin) if margin else (0.0,)
    above, _ = _tails(least, boundaries, floor)
    _, below = _tails(most, boundaries, floor)
    count = least.shape[1]
    shown_below = np.minimum(1.0, count * below.min(axis=1))
    weakest, contrary = int(above[-1].argmax()), _lowest(below, most)
    return Sides(boundaries, above.max(axis=1), shown_below, weakest, contrary)


def _lowest(below: Floats, most: Floats) -> int:
    """Which effect is shown the best to lie low; of equally sure ones, the lowest on average."""
    sure = np.flatnonzero(below[-1] == below[-1].min())
    return int(sure[np.nan_to_num(most.mean(axis=0)[sure], nan=np.inf).argmin()])


def sides_of_equivalence(least: Floats, most: Floats, margin: float, floor: float) -> Sides:
    """Ask whether the largest size of an effect lies above or below the margin.

    Args:
        least: What the effects are at least, of any sign, shape (S, K).
        most: What they are at most; the same values where they are known, NaN where there is no
            limit.
        margin: The smallest size that matters.
        floor: Margin of the metric.

    Returns:
        The sides of the margin alone.
    """
    above, _ = _tails(least, (-margin, margin), floor)
    _, below = _tails(most, (-margin, margin), floor)
    inside = np.maximum(above[0], below[1])
    beyond = np.minimum(above[1], below[0])
    outside = np.minimum(1.0, 2 * least.shape[1] * beyond.min(keepdims=True))
    weakest, contrary = int(inside.argmax()), int(beyond.argmin())
    return Sides((margin,), outside, inside.max(keepdims=True), weakest, contrary)


def _tails(effects: Floats, boundaries: Sequence[float], floor: float) -> tuple[Floats, Floats]:
    """One-sided p-values that mean effects lie above, and below, boundaries; shape (B, K)."""
    mean, half, _ = paired_t(effects, floor, LEVEL)
    freedom = len(effects) - 1
    if freedom < 1:
        nothing = np.ones((len(boundaries), effects.shape[1]))
        return nothing, nothing
    error = half / stats.t.ppf((1 + LEVEL) / 2, freedom)
    t = (mean - np.asarray(boundaries)[:, None]) / error
    tails = [
        np.maximum(np.nan_to_num(stats.t.sf(one, freedom), nan=1.0), _P_FLOOR) for one in (t, -t)
    ]
    return tails[0], tails[1]


def judge(claims: Sequence[Sides], equivalent: Sequence[bool], alpha: float) -> list[Judgement]:
    """Find the words for one family of claims.

    Args:
        claims: The sides of each one's effect.
        equivalent: Which are claims of equivalence.
        alpha: Probability of any wrong word.

    Returns:
        One judgement for each, in their order.
    """
    adjusted = _step_down([claim.p_values for claim in claims])
    return [
        _word(claim, p_holm, same, alpha)
        for claim, p_holm, same in zip(claims, adjusted, equivalent, strict=True)
    ]


def _step_down(families: Sequence[Floats]) -> list[Floats]:
    """Adjusted p-values where at most one hypothesis of each family is true (Shaffer 1986)."""
    if not families:
        return []
    owner = np.repeat(np.arange(len(families)), [len(family) for family in families])
    p_values = np.concatenate(families)
    order = np.argsort(p_values, kind="stable")
    left = np.bincount(owner)
    adjusted, largest = np.empty(len(order)), 0.0
    for place in order:
        largest = max(largest, min(1.0, p_values[place] * np.count_nonzero(left)))
        adjusted[place] = largest
        left[owner[place]] -= 1
    return np.split(adjusted, np.cumsum([len(family) for family in families])[:-1])


def _word(claim: Sides, p_holm: Floats, equivalent: bool, alpha: float) -> Judgement:
    shown = p_holm <= alpha
    above, below = shown & (claim.above < claim.below), shown & (claim.below < claim.above)
    margin, zero, minus = -1, -2, -3  # places of the boundaries, where there are three
    lone = len(above) == 1
    present = bool(above[margin] if lone else above[zero]) and not equivalent
    verdict: Verdict = "inconclusive"
    rests = [margin]
    if above[margin]:
        verdict = "larger than the margin"
    elif below[margin] and lone:
        verdict = "absent within the margin" if equivalent else "opposite"
    elif below[margin] and present:
        verdict, rests = "smaller than the margin", [margin, zero]
    elif below[margin] and above[minus]:
        verdict, rests = "absent within the margin", [margin, minus]
    elif below[margin] and below[zero]:
        verdict, rests = "opposite", [zero]
    elif below[margin]:
        verdict = "smaller than the margin"
    return Judgement(verdict, present, claim.p_values[rests].max(), p_holm[rests].max())
