"""What one matrix says about the predictors of sample quality, and what is asked of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.analysis.correlations import FEW_CONFIGURATIONS, mean_interval
from bench.metrics.registry import METRICS, Metrics

__all__ = [
    "KEYS",
    "OF_LATENTS",
    "TARGETS",
    "TRIVIAL",
    "Advantage",
    "Correlation",
    "Prediction",
    "average",
    "symbol",
]

TARGETS = {"quality": "quality of prior samples", "cost": "cost of the prior"}
"""What is predicted: the Fréchet distance of prior samples, and that less the distance of samples
of the aggregate posterior, paired within each model."""

OF_LATENTS = (
    *("certified_kl", "certified_kl_lower", "certified_kl_upper", "marginal_kl"),
    *("kl_per_dimension", "total_correlation", "moment_kl", "c2st_auc", "mmd_squared"),
    *("hole_mass", "elbo"),
)
"""Metrics that may predict it; those that a matrix adds come after."""

TRIVIAL = ("rate", "reconstruction", "training.steps", "latent_dim")
"""What predicts without a look at the match: two metrics, and two keys of a configuration."""

KEYS = {"training.steps": "training steps", "latent_dim": "latent dimension D"}
"""What pages call those keys."""


@dataclass(frozen=True)
class Correlation:
    """Spearman's correlation of one predictor with one target over configuration means.

    Attributes:
        predictor: Its name: a metric or a key.
        value: The correlation; NaN below three configurations, or where the predictor is constant.
        low: Lower end of its 95 % interval; NaN with too few configurations.
        high: Upper end.
        shown: Whether the interval excludes 0 when all predictors of the matrix are asked at once
            (Bonferroni).
        configurations: K.
        seeds: The fewest seeds of a configuration.
        noise: Share of the seeds in the variance of the predictor's configuration means.
        across_dimensions: Whether the number means the same at every latent dimension there is.
    """

    predictor: str
    value: float
    low: float
    high: float
    shown: bool
    configurations: int
    seeds: int
    noise: float
    across_dimensions: bool

    @property
    def trivial(self) -> bool:
        """Whether it predicts without a look at the match."""
        return self.predictor in TRIVIAL

    @property
    def enough(self) -> bool:
        """Whether there are configurations enough for an interval."""
        return self.configurations > FEW_CONFIGURATIONS and bool(np.isfinite(self.value))


@dataclass(frozen=True)
class Advantage:
    """By how much a number of the latents predicts better than a trivial predictor.

    Attributes:
        predictor: The number of the latents.
        trivial: The trivial predictor that is hardest to beat: of the least lower end.
        difference: Of the absolute correlations, over the configurations that have both.
        low: Lower end of its 95 % interval.
        high: Upper end.
        shown: Whether it is better than every trivial predictor: it is shown to predict at all,
            and all the differences' intervals exclude 0 with all predictors asked at once.
    """

    predictor: str
    trivial: str
    difference: float
    low: float
    high: float
    shown: bool


@dataclass(frozen=True)
class Prediction:
    """What predicts one target on one data set of one matrix.

    Attributes:
        matrix: Its name.
        data: Name of the data set; empty where the matrix has no other.
        target: A key of `TARGETS`.
        correlations: Of every predictor that rows hold and that is not constant.
        advantages: Of every number of the latents that has an interval; the shown ones first, then
            by their correlations.
        configurations: Those with a value of the target, collapsed ones left out.
        seeds: The fewest seeds of one of them.
        collapsed: How many were left out.
        least: The smallest correlation that its interval alone could show, all predictors asked at
            once; 1 where none is large enough.
        noise: Share of the seeds in the variance of the target's configuration means.
        symbols: Heading of each predictor.
    """

    matrix: str
    data: str
    target: str
    correlations: tuple[Correlation, ...]
    advantages: tuple[Advantage, ...]
    configurations: int
    seeds: int
    collapsed: int
    least: float
    noise: float
    symbols: Mapping[str, str]

    @property
    def enough(self) -> bool:
        """Whether anything is claimed."""
        return self.configurations > FEW_CONFIGURATIONS

    @property
    def place(self) -> str:
        """Name of the matrix, with that of the data set where it has several."""
        return f"{self.matrix} ({self.data})" if self.data else self.matrix

    @cached_property
    def by_name(self) -> dict[str, Correlation]:
        """Correlations by the names of their predictors."""
        return {one.predictor: one for one in self.correlations}

    def strongest(self, *, trivial: bool | None = None) -> Correlation | None:
        """The predictor of the largest absolute correlation that has an interval.

        Args:
            trivial: Whether to look at trivial predictors, or at the others; at all by default.

        Returns:
            Its correlation; None where no predictor has an interval.
        """
        asked = [one for one in self.correlations if one.enough and trivial in (None, one.trivial)]
        return max(asked, key=lambda one: abs(one.value), default=None)


def symbol(name: str, metrics: Metrics = METRICS) -> str:
    """What pages call a predictor.

    Args:
        name: A metric or a key.
        metrics: Known metrics.

    Returns:
        The symbol of a metric, or a key in words.
    """
    return KEYS[name] if name in KEYS else metrics.named(name).symbol


def average(name: str, predicted: Sequence[Prediction]) -> tuple[int, float, float, float] | None:
    """The mean of a predictor's correlations, each within one data set of one matrix.

    Args:
        name: Of the predictor.
        predicted: Predictions of one target.

    Returns:
        How many they are, their mean, and both ends of its 95 % interval, matrices taken as
        independent; None where fewer than two have an interval.
    """
    found = [p.by_name[name] for p in predicted if p.enough and name in p.by_name]
    found = [one for one in found if one.enough]
    if len(found) < 2:
        return None
    ends = [(one.low, one.high) for one in found]
    return len(found), *mean_interval([one.value for one in found], ends)
