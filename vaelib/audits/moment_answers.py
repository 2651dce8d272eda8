"""Scale, location and correlation of z against N(0, I): answers from its moments alone.

Intervals are those of normal draws, over all dimensions or pairs together (Bonferroni), and hold
from 3 inputs on: χ² of variances (of their average with Satterthwaite's degrees of freedom),
Student's t of means, and of correlations Fisher's z with the half-width that is exact at 0.
"""

import math
from dataclasses import dataclass

import torch
from scipy.special import chdtri, stdtrit
from torch import Tensor

from vaelib.audits.collapse import carried
from vaelib.posterior import AggregatePosterior
from vaelib.stats.stack.certify import LEAST

__all__ = [
    "MARGINS",
    "Answer",
    "Moments",
    "Range",
    "correlation",
    "decide",
    "location",
    "scale",
    "unlike",
]

Range = tuple[float, float]

MARGINS: dict[str, float] = {
    "second_moment": 0.1,
    "variance": 0.2,
    "location": 0.1,
    "correlation": 0.1,
    "shape_gain": 0.05,
    "hole_mass": 0.01,
}
"""How far from its matched value an effect may be."""

_LEAST = 3  # inputs: two lie on a line, whatever they are drawn from


@dataclass(frozen=True)
class Answer:
    """One question and its answer.

    Attributes:
        question: in few words.
        verdict: in few words; ``"undecided"`` where the interval holds the margin.
        sentence: what it means.
        effect: name of the number that decides.
        value: of the effect; None where there is none.
        interval: both ends of the effect's 95 % interval, None where it has none.
        p_value: of a test of the same question, where there is one.
    """

    question: str
    verdict: str
    sentence: str
    effect: str = ""
    value: float | None = None
    interval: Range | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class Moments:
    """Mean, covariance and number of inputs of one split.

    Attributes:
        inputs: N.
        mean: of z, shape (D,).
        covariance: of z, shape (D, D).
        carried: nats that each dimension carries about the input at most, shape (D,); None of
            points, and of so few inputs that nothing is said of their match.
    """

    inputs: int
    mean: Tensor
    covariance: Tensor
    carried: Tensor | None = None

    @classmethod
    def of(cls, mean: Tensor, scale: Tensor) -> "Moments":
        """Those of an aggregate posterior, of means and scales of shape (N, D); 0 of points."""
        if not bool((scale != 0).any()):
            return cls.of_sample(mean)
        carry = carried(mean, scale) if len(mean) >= LEAST else None
        return cls(len(mean), *AggregatePosterior(mean, scale).moments(), carry)

    @classmethod
    def of_sample(cls, z: Tensor) -> "Moments":
        """Those of points, shape (n, D)."""
        z = z.double()
        return cls(len(z), z.mean(0), torch.cov(z.T).reshape(z.shape[1], z.shape[1]))


def scale(moments: Moments) -> Answer:
    """Whether the variances are those of N(0, I)."""
    variance = moments.covariance.diagonal()
    average = float(variance.mean())
    second = float((variance + moments.mean.square()).mean())
    worst = int((variance.log().abs()).argmax())
    words = ("too narrow", "right", "too wide")
    verdict, interval = "undecided", None
    if moments.inputs >= _LEAST:
        freedom = moments.inputs - 1.0
        square = float(moments.covariance.square().sum())
        joint = freedom * float(variance.sum()) ** 2 / square if square > 0 else freedom
        low, high = _variance_factors(joint, 1, moments.inputs)
        interval = average * low, average * high
        margin = MARGINS["second_moment"]
        verdict = decide(interval, 1 - margin, 1 + margin, words)
        low, high = _variance_factors(freedom, len(variance), moments.inputs)
        margin = MARGINS["variance"]
        each = [
            decide((one * low, one * high), 1 - margin, 1 + margin, words)
            for one in (float(variance.min()), float(variance.max()))
        ]
        if verdict == "right" and not set(each) <= {"right", "undecided"}:
            verdict = "right on average only"
    sentence = (
        f"The variance per dimension averages {average:.3g} where N(0, I) has 1 "
        f"(E|z|²/D = {second:.3g}); the dimension furthest off, {worst}, has "
        f"{float(variance[worst]):.3g}."
    )
    return Answer("scale", verdict, sentence, "variance", average, interval)


def unlike(train: Moments, heldout: Moments) -> str:
    """Whether held-out inputs have another law than training inputs, by their variances.

    Args:
        train: of the training inputs.
        heldout: of the held-out ones.

    Returns:
        A sentence; empty where the intervals of both variances meet, or are within a tenth.
    """
    one, other = scale(train), scale(heldout)
    if not one.interval or not other.interval or not one.value or not other.value:
        return ""
    meet = one.interval[0] <= other.interval[1] and other.interval[0] <= one.interval[1]
    margin = MARGINS["second_moment"]
    if meet or abs(math.log(one.value / other.value)) <= math.log1p(margin):
        return ""
    return (
        f"Held-out inputs have another law than training inputs, with a variance of "
        f"{other.value:.3g} per dimension where those have {one.value:.3g}: this is said of "
        "held-out inputs alone."
    )


def location(moments: Moments) -> Answer:
    """Whether the mean is 0."""
    size = moments.mean.abs()
    worst = int(size.argmax())
    value = float(size[worst])
    sentence = (
        f"The mean furthest from 0, of dimension {worst}, is {float(moments.mean[worst]):.3g}."
    )
    if moments.inputs < _LEAST:
        return Answer("location", "undecided", sentence, "largest |mean|", value)
    freedom = moments.inputs - 1
    half = _quantile(len(size), freedom) * (moments.covariance.diagonal() / freedom).sqrt()
    interval = max(0.0, float((size - half).max())), float((size + half).max())
    verdict = decide(interval, 0, MARGINS["location"], ("", "centred", "shifted"))
    return Answer("location", verdict, sentence, "largest |mean|", value, interval)


def correlation(moments: Moments) -> Answer:
    """Whether the dimensions are uncorrelated."""
    deviation = moments.covariance.diagonal().sqrt()
    dimensions = len(deviation)
    if dimensions == 1:
        return Answer("correlation", "none", "There is one dimension.")
    if moments.inputs < _LEAST:
        few = f"Of fewer than {_LEAST} inputs no correlation can be told."
        return Answer("correlation", "undecided", few)
    table = (moments.covariance / torch.outer(deviation, deviation)).nan_to_num_(0.0).abs_()
    table.fill_diagonal_(0)
    place = int(table.argmax())
    value = min(1.0, float(table.flatten()[place]))
    freedom = moments.inputs - 2
    student = _quantile(dimensions * (dimensions - 1) // 2, freedom)
    half = math.atanh(student / math.sqrt(freedom + student**2))
    centre = math.atanh(min(value, 1 - 1e-15))
    interval = max(0.0, math.tanh(centre - half)), math.tanh(centre + half)
    verdict = decide(interval, 0, MARGINS["correlation"], ("", "none", "correlated"))
    pair = f"{place // dimensions} and {place % dimensions}"
    sentence = f"The largest absolute correlation, of dimensions {pair}, is {value:.3g}."
    return Answer("correlation", verdict, sentence, "largest |correlation|", value, interval)


def _quantile(comparisons: int, freedom: float) -> float:
    """Of Student's t, two-sided at 5 % over all comparisons together."""
    return float(stdtrit(freedom, 1 - 0.025 / max(1, comparisons)))


def _variance_factors(freedom: float, comparisons: int, inputs: int) -> Range:
    """What a variance of normal draws is multiplied by for both ends of its interval."""
    tail = 0.025 / comparisons
    low, high = freedom / chdtri(freedom, tail), freedom / chdtri(freedom, 1 - tail)
    unbiased = inputs / (inputs - 1)  # a mixture's variance is divided by N, a sample's by N - 1
    return float(low), float(high) * unbiased


def decide(interval: Range, low: float, high: float, words: tuple[str, str, str]) -> str:
    """Put an interval to its margins.

    Args:
        interval: both ends.
        low: the lower margin.
        high: the upper one.
        words: for an interval below, between and above the margins.

    Returns:
        The word, or ``"undecided"`` where the interval holds a margin.
    """
    if interval[1] < low:
        return words[0]
    if interval[0] > high:
        return words[2]
    return words[1] if low <= interval[0] and interval[1] <= high else "undecided"
