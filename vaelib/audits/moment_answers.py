"""Scale, location and correlation of z against N(0, I): answers from its moments alone."""

import math
from dataclasses import dataclass

import torch
from scipy.special import ndtri
from torch import Tensor

from vaelib.posterior import AggregatePosterior

__all__ = ["MARGINS", "Answer", "Moments", "Range", "correlation", "decide", "location", "scale"]

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
    """

    inputs: int
    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, mean: Tensor, scale: Tensor) -> "Moments":
        """Those of an aggregate posterior, of means and scales of shape (N, D); 0 of points."""
        if not bool((scale != 0).any()):
            return cls.of_sample(mean)
        return cls(len(mean), *AggregatePosterior(mean, scale).moments())

    @classmethod
    def of_sample(cls, z: Tensor) -> "Moments":
        """Those of points, shape (n, D)."""
        z = z.double()
        return cls(len(z), z.mean(0), torch.cov(z.T).reshape(z.shape[1], z.shape[1]))


def scale(moments: Moments) -> Answer:
    """Whether the variances are those of N(0, I)."""
    variance = moments.covariance.diagonal()
    dimensions = len(variance)
    average = float(variance.mean())
    second = float((variance + moments.mean.square()).mean())
    squared = float(moments.covariance.square().sum()) / dimensions**2
    half = 1.96 * math.sqrt(2 * squared / moments.inputs)
    margin = MARGINS["second_moment"]
    words = ("too narrow", "right", "too wide")
    verdict = decide((average - half, average + half), 1 - margin, 1 + margin, words)
    worst = int((variance.log().abs()).argmax())
    one = float(variance[worst])
    wide = _quantile(dimensions) * one * math.sqrt(2 / moments.inputs)
    margin = MARGINS["variance"]
    single = decide((one - wide, one + wide), 1 - margin, 1 + margin, words)
    if verdict == "right" and single != "right":
        verdict = "right on average only" if single != "undecided" else verdict
    sentence = (
        f"The variance per dimension averages {average:.3g} where N(0, I) has 1 "
        f"(E|z|²/D = {second:.3g}); the dimension furthest off, {worst}, has {one:.3g}."
    )
    return Answer("scale", verdict, sentence, "variance", average, (average - half, average + half))


def location(moments: Moments) -> Answer:
    """Whether the mean is 0."""
    worst = int(moments.mean.abs().argmax())
    value = float(moments.mean[worst].abs())
    deviation = math.sqrt(float(moments.covariance[worst, worst]) / moments.inputs)
    half = _quantile(len(moments.mean)) * deviation
    interval = (max(0.0, value - half), value + half)
    verdict = decide(interval, 0, MARGINS["location"], ("", "centred", "shifted"))
    sentence = (
        f"The mean furthest from 0, of dimension {worst}, is {float(moments.mean[worst]):.3g}."
    )
    return Answer("location", verdict, sentence, "largest |mean|", value, interval)


def correlation(moments: Moments) -> Answer:
    """Whether the dimensions are uncorrelated."""
    deviation = moments.covariance.diagonal().sqrt()
    dimensions = len(deviation)
    if dimensions == 1:
        return Answer("correlation", "none", "There is one dimension.")
    table = (moments.covariance / torch.outer(deviation, deviation)).abs()
    table.fill_diagonal_(0)
    place = int(table.argmax())
    value = float(table.flatten()[place])
    half = _quantile(dimensions * (dimensions - 1) // 2) * (1 - value**2)
    half /= math.sqrt(moments.inputs)
    interval = (max(0.0, value - half), min(1.0, value + half))
    verdict = decide(interval, 0, MARGINS["correlation"], ("", "none", "correlated"))
    pair = f"{place // dimensions} and {place % dimensions}"
    sentence = f"The largest absolute correlation, of dimensions {pair}, is {value:.3g}."
    return Answer("correlation", verdict, sentence, "largest |correlation|", value, interval)


def _quantile(comparisons: int) -> float:
    return float(ndtri(1 - 0.025 / max(1, comparisons)))


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
