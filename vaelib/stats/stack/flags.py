"""What makes held-out z no held-out z: near-copies of training z, repeated rows, constant axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy import stats
from torch import Tensor

__all__ = ["Nearness", "constant_dimensions", "nearness", "repeated_rows"]

_QUERIES = 2000  # z whose neighbours are looked for
_AMONG = 20_000  # training z that they are looked for among
_LEVEL = 1e-6  # false alarms of an exchangeable pair of samples
_LEAST = 0.1  # of P(held-out nearer) above a half, below which more is not an alarm
_TAIL = 0.01


@dataclass(frozen=True)
class Nearness:
    """How near held-out z lie to training z, against training z to each other.

    Attributes:
        nearer: P(a held-out z is nearer to its neighbour than a training z to its own), ½ for
            draws of one law.
        close: share of held-out z that are nearer to a training z than 99 % of these to each
            other, .01 for draws of one law.
        flagged: whether either is too large for draws of one law, and by more than .1 or .02.
    """

    nearer: float
    close: float
    flagged: bool


def nearness(train: Tensor, heldout: Tensor, generator: torch.Generator) -> Nearness:
    """Compare nearest-neighbour distances: do the held-out z copy the training z?

    Draws of one law are exchangeable, so that the distance of a held-out z to the nearest of N
    training z has nearly the law of that of a training z to the nearest of the N - 1 others.
    2,000 of either are compared, among 20,000 training z at most. Copies whose noise is as large
    as the distance between neighbours are not seen, and laws of one dimension hardly at all.

    Args:
        train: z of the training inputs, shape (N, D).
        heldout: z of the held-out inputs, shape (n, D).
        generator: random stream of the choice.

    Returns:
        Both effects, and whether they are an alarm.
    """
    train = train[torch.randperm(len(train), generator=generator)[:_AMONG]]
    heldout = heldout[torch.randperm(len(heldout), generator=generator)[:_QUERIES]]
    own = _nearest(train[:_QUERIES], train, itself=True)
    other = _nearest(heldout, train)
    test = stats.mannwhitneyu(own.numpy(), other.numpy(), alternative="greater")
    nearer = float(test.statistic) / (len(own) * len(other))
    close = int((other < torch.quantile(own, _TAIL)).sum())
    level = _TAIL + 4 * math.sqrt(_TAIL / len(own))  # the quantile is an estimate
    tail = float(stats.binom.sf(close - 1, len(other), min(1.0, level)))
    flagged = (test.pvalue < _LEVEL and nearer > 0.5 + _LEAST) or (
        tail < _LEVEL and close > 3 * _TAIL * len(other)
    )
    return Nearness(nearer, close / len(other), bool(flagged))


def _nearest(queries: Tensor, among: Tensor, *, itself: bool = False) -> Tensor:
    """Distance of each query to the nearest point, or the nearest after itself."""
    return torch.cat(
        [
            torch.cdist(block, among).topk(1 + itself, largest=False).values[:, -1]
            for block in queries.split(500)
        ]
    )


def repeated_rows(*columns: Tensor) -> float:
    """The share of rows that equal an earlier row.

    Args:
        columns: tensors of shape (n, …), compared together.

    Returns:
        A share in [0, 1).
    """
    rows = torch.cat([column.reshape(len(column), -1) for column in columns], 1)
    return 1 - len(torch.unique(rows, dim=0)) / len(rows)


def constant_dimensions(mean: Tensor, scale: Tensor) -> list[int]:
    """Dimensions in which all z are one number: the KL is infinite there.

    Args:
        mean: shape (N, D).
        scale: shape (N, D); 0 for points.

    Returns:
        Their numbers.
    """
    spread = mean.var(0, correction=0) + scale.square().mean(0)
    small = spread <= 1e-20 * (1 + mean.square().mean(0))
    numbers: list[int] = torch.nonzero(small)[:, 0].tolist()
    return numbers
