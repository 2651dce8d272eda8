"""Metrics of a user's own, named in a matrix by import path.

    [matrix]
    metrics = ["mypackage.module:my_metric"]

where ``my_metric`` is a `bench.metrics.Metric` whose ``measure`` turns an `Encoded` into a number,
or a number and its standard error, or None where it is not defined. It is measured on the train and
the test split of every cell, and then treated like any other: rows, leaderboard, claims, gate. What
the pages must know of it is kept in ``metrics.json`` beside the rows.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from bench.metrics.metric import Metric, metric_at
from vaelib.audits.measurement import Measurement
from vaelib.box_posterior import aggregate
from vaelib.models import VAE
from vaelib.posterior import AggregatePosterior

__all__ = ["Encoded", "NotDefinedError", "measure", "measured"]


class NotDefinedError(Exception):
    """A metric is not defined here; the text says why. Raise it in ``measure``, or return None."""


@dataclass(frozen=True)
class Encoded:
    """What a metric of your own may look at: one split of one trained replicate.

    Of a split of more than 5,000 inputs, a random 5,000.

    Attributes:
        mean: posterior means of the N inputs, shape (N, D), on the CPU.
        scale: their standard deviations, shape (N, D).
        model: the trained model, in eval mode, on the device of ``x``.
        x: the inputs, shape (N, *data_shape).
        labels: their classes, shape (N,), or None.
        generator: the only source of randomness to use.
    """

    mean: Tensor
    scale: Tensor
    model: VAE
    x: Tensor
    labels: Tensor | None
    generator: torch.Generator

    @cached_property
    def posterior(self) -> AggregatePosterior:
        """The aggregate posterior of the split; that of a deterministic encoder has no density."""
        return aggregate(self.model.family, self.mean, self.scale)


def measure(metric: Metric, encoded: Encoded) -> tuple[float | None, float | None]:
    """Measure one metric on one split.

    Args:
        metric: of a user's own.
        encoded: what it looks at.

    Returns:
        Value and standard error; None where it is not defined, or exact.

    Raises:
        TypeError: if it returns something else than numbers.
    """
    assert metric.measure is not None
    result = metric.measure(encoded)
    pair = isinstance(result, tuple) and len(result) == 2
    value, error = result if pair else (result, None)
    try:
        numbers = [None if number is None else float(number) for number in (value, error)]
    except (TypeError, ValueError):
        raise TypeError(
            f"metric {metric.name} must return a number, a pair of number and standard error, or "
            f"None; got {type(result).__name__}"
        ) from None
    finite = [
        number if number is not None and math.isfinite(number) else None for number in numbers
    ]
    return finite[0], finite[1]


def measured(paths: Sequence[str], split: str, encoded: Encoded) -> Iterator[Measurement]:
    """Measure a matrix's own metrics on one split.

    Args:
        paths: as in the matrix.
        split: its name.
        encoded: what they look at.

    Yields:
        One row each.

    Raises:
        RuntimeError: if a metric raises, naming it.
    """
    for metric in map(metric_at, paths):
        try:
            value, error = measure(metric, encoded)
            note = "" if value is not None else "not defined here"
        except NotDefinedError as reason:
            value, error, note = None, None, str(reason) or "not defined here"
        except Exception as raised:  # anybody's code raises anything
            raise RuntimeError(
                f"metric {metric.name} on {split}: {type(raised).__name__}: {raised}"
            ) from raised
        yield Measurement(split, metric.name, value, error, message=note)
