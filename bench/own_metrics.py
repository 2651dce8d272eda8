"""Metrics of a user's own, named in a matrix by import path.

    [matrix]
    metrics = ["mypackage.module:my_metric"]

where ``my_metric`` is a `bench.metrics.Metric` whose ``measure`` turns an `Encoded` into a number,
or a number and its standard error, or None where it is not defined. It is measured on the train and
the test split of every cell, and then treated like any other: rows, leaderboard, claims, gate. What
the pages must know of it is kept in ``metrics.json`` beside the rows.
"""

import importlib
import json
import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.errors import MatrixError, shown
from bench.files import write_atomically
from bench.metrics import METRICS, SHIPPED, Metric
from vaelib.measurements import Measurement
from vaelib.models import VAE
from vaelib.posterior import AggregatePosterior

__all__ = [
    "Encoded",
    "NotDefinedError",
    "measure",
    "measured",
    "metric_problems",
    "recall",
    "register",
    "remember",
]

_FILE = "metrics.json"


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
        return self.model.family.aggregate(self.mean, self.scale)


def register(paths: Sequence[str]) -> tuple[Metric, ...]:
    """Make metrics known under their names, for this process.

    Args:
        paths: import paths ``"package.module:attribute"``.

    Returns:
        The metrics.

    Raises:
        MatrixError: for a path that leads to no metric, or a name that is taken.
    """
    found: dict[str, Metric] = {}
    for place, path in enumerate(paths):
        at = f"matrix.metrics.{place}"
        module, separator, attribute = path.partition(":")
        if not separator:
            raise MatrixError(
                f'{at}: expected an import path "package.module:metric", got {shown(path)}; the '
                "suite's own metrics are measured anyway"
            )
        try:
            metric = operator.attrgetter(attribute)(importlib.import_module(module))
        except (Exception, SystemExit) as error:  # a module may raise anything
            reason = f"{type(error).__name__}: {error}"
            raise MatrixError(f"{at}: cannot import {shown(path)} ({reason})") from error
        for problem in metric_problems(metric):
            raise MatrixError(f"{at}: {shown(path)} is no metric: {problem}")
        if metric.name in found:
            raise MatrixError(f'{at}: the name "{metric.name}" is taken by an earlier metric')
        found[metric.name] = metric
    METRICS.update(found)
    return tuple(found.values())


def metric_problems(metric: object) -> Iterator[str]:
    """Whether an object is a metric of a user's own.

    Args:
        metric: anything.

    Yields:
        What is wrong.
    """
    if not isinstance(metric, Metric):
        yield f"expected a bench.metrics.Metric, got {type(metric).__name__}"
        return
    for name in ("name", "unit", "symbol", "summary", "reference"):
        text = getattr(metric, name)
        if not isinstance(text, str) or not text.strip() or not text.isprintable():
            yield f"{name} must be one line of text, got {text!r}"
    if not str(metric.name).isidentifier():
        yield f"name must be letters, digits and _, got {metric.name!r}"
    if str(metric.name).endswith("_test"):
        yield "a name that ends in _test is that of a statistic with a p-value; choose another"
    if metric.name in SHIPPED:
        yield f"{metric.name} is a metric of the suite; choose another name"
    if metric.better not in ("lower", "higher", None):
        yield f'better must be "lower", "higher" or None, got {metric.better!r}'
    if metric.margin is not None and not metric.margin > 0:
        yield f"margin must be positive or None, got {metric.margin!r}"
    if metric.better is not None and metric.margin is None:
        yield "a metric with a direction needs a margin: the largest difference without meaning"
    if not callable(metric.measure):
        yield f"measure must be a function of an Encoded, got {metric.measure!r}"


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
    got = metric.measure(encoded)
    value, error = got if isinstance(got, tuple) and len(got) == 2 else (got, None)
    try:
        numbers = [None if number is None else float(number) for number in (value, error)]
    except (TypeError, ValueError):
        raise TypeError(
            f"metric {metric.name} must return a number, a pair of number and standard error, or "
            f"None; got {type(got).__name__}"
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
    for metric in register(paths):
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


def remember(folder: Path, names: Iterable[str]) -> None:
    """Keep what pages must know of own metrics beside the rows.

    Args:
        folder: of a matrix's results.
        names: of its own metrics.
    """
    path = folder / _FILE
    kept = [asdict(replace(METRICS[name], measure=None)) for name in names]
    if kept:
        text = json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
        if not path.is_file() or path.read_text("utf-8") != text:
            write_atomically(path, text.encode())
    else:
        path.unlink(missing_ok=True)


def recall(folder: Path) -> None:
    """Make own metrics known again from what was kept; those that are known stay as they are.

    Args:
        folder: of a matrix's results.
    """
    path = folder / _FILE
    if not path.is_file():
        return
    kept: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    for fields in kept:
        METRICS.setdefault(fields["name"], Metric(**fields))
