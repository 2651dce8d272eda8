"""The metrics that are known, as a value: the suite's, and those that a matrix adds."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from bench.errors import DamagedError, MatrixError, foreign, reason, shown
from bench.metrics.certified import CERTIFIED
from bench.metrics.encoder import ENCODER
from bench.metrics.latent_tests import TESTS
from bench.metrics.latents import MATCH
from bench.metrics.likelihood import LIKELIHOOD
from bench.metrics.metric import Metric, Table, metric_at
from bench.metrics.samples import SAMPLES

__all__ = [
    "METRICS",
    "OF_SAMPLES",
    "Metrics",
    "metric_problems",
    "own_metrics",
    "recall",
    "remember",
]

_FILE = "metrics.json"


class Metrics(Mapping[str, Metric]):
    """Known metrics by their names; it never changes.

    Args:
        suite: the suite's metrics, in the order in which pages list them.
        own: those that a matrix adds, which come after.
    """

    def __init__(self, suite: Iterable[Metric], own: Iterable[Metric] = ()) -> None:
        self._suite = tuple(suite)
        self._own = tuple(own)
        self._named = {metric.name: metric for metric in (*self._suite, *self._own)}

    def __getitem__(self, name: str) -> Metric:
        """The metric of a name; a KeyError where there is none."""
        return self._named[name]

    def __iter__(self) -> Iterator[str]:
        """Goes through the names."""
        return iter(self._named)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._named)

    def __hash__(self) -> int:
        """Of the names, in their order."""
        return hash(tuple(self))

    @property
    def own(self) -> tuple[Metric, ...]:
        """Those that are not the suite's."""
        return self._own

    def with_own(self, own: Iterable[Metric]) -> "Metrics":
        """The suite's metrics and, instead of the present ones, others of a matrix's own.

        Args:
            own: the matrix's.

        Returns:
            Another value; this one stays as it is.
        """
        return Metrics(self._suite, own)

    def named(self, name: str) -> Metric:
        """Look a metric up.

        Args:
            name: one of the names.

        Returns:
            The metric.

        Raises:
            ValueError: If there is no such metric; the message lists the known ones.

        Example:
            >>> METRICS.named("kl_per_dimension").better
            'lower'
        """
        if name not in self:
            raise ValueError(f"metric must be one of {', '.join(self)}, got {name!r}")
        return self[name]


METRICS = Metrics([*CERTIFIED, *MATCH, *TESTS, *LIKELIHOOD, *ENCODER, *SAMPLES])
"""The suite's own."""


OF_SAMPLES = tuple(metric.name for metric in SAMPLES)
"""Names of those that judge generated images."""


def own_metrics(paths: Sequence[str]) -> tuple[Metric, ...]:
    """Import the metrics that a matrix adds.

    Args:
        paths: import paths ``"package.module:attribute"``.

    Returns:
        The metrics.

    Raises:
        MatrixError: for a path that leads to no metric, or a name that is taken.
    """
    named: dict[str, Metric] = {}
    for place, path in enumerate(paths):
        at = f"matrix.metrics.{place}"
        if ":" not in path:
            raise MatrixError(
                f'{at}: expected an import path "package.module:metric", got {shown(path)}; the '
                "suite's own metrics are measured anyway"
            )
        with foreign(f"{at}: cannot import {shown(path)}"):
            metric = metric_at(path)
        with foreign(f"{at}: cannot read the metric {shown(path)}"):
            problem = next(metric_problems(metric), None)
        if problem:
            raise MatrixError(f"{at}: {shown(path)} is no metric: {problem}")
        if metric.name in named:
            raise MatrixError(f'{at}: the name "{metric.name}" is taken by an earlier metric')
        named[metric.name] = metric
    return tuple(named.values())


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
    for name in ("unit", "symbol"):
        if marks := set(str(getattr(metric, name))) & set("<>[]`*\\$"):
            yield f"{name} must have none of <>[]`*\\$, which are markup, got {min(marks)}"
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", str(metric.name)):
        yield f"name must be 1 to 64 letters, digits and _, got {metric.name!r}"
    if str(metric.name).endswith("_test"):
        yield "a name that ends in _test is that of a statistic with a p-value; choose another"
    if metric.name in METRICS:
        yield f"{metric.name} is a metric of the suite; choose another name"
    if metric.better not in ("lower", "higher", None):
        yield f'better must be "lower", "higher" or None, got {metric.better!r}'
    if metric.margin is not None and not metric.margin > 0:
        yield f"margin must be positive or None, got {metric.margin!r}"
    if metric.better is not None and metric.margin is None:
        yield "a metric with a direction needs a margin: the largest difference without meaning"
    if metric.table not in [table for table in Table if table != Table.SAMPLES]:
        yield f"table must be a bench.metrics.metric.Table but SAMPLES, got {metric.table!r}"
    if not callable(metric.measure):
        yield f"measure must be a function of an Encoded, got {metric.measure!r}"


def remember(folder: Path, metrics: Metrics) -> None:
    """Keep what pages must know of own metrics beside the rows.

    Args:
        folder: of a matrix's results.
        metrics: those that its run knows.
    """
    from vaelib.files import update  # imports torch, and names are completed without it

    path = folder / _FILE
    kept = [asdict(replace(metric, measure=None)) for metric in metrics.own]
    if kept:
        text = json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
        update(path, text.encode())
    else:
        path.unlink(missing_ok=True)


def recall(folder: Path) -> Metrics:
    """The metrics that the pages of a folder are about, as `remember` kept them.

    Args:
        folder: of a matrix's results.

    Returns:
        The suite's and the matrix's own; the latter without a way to measure them.

    Raises:
        DamagedError: where that file is not what `remember` wrote.
    """
    from pydantic import TypeAdapter, ValidationError

    from vaelib.reading import read_bytes  # imports torch, as above

    path = folder / _FILE
    if not os.path.lexists(path):
        return METRICS
    why = ""
    try:
        own = TypeAdapter(list[Metric]).validate_json(read_bytes(path))
        why = next((p for o in own for p in metric_problems(replace(o, measure=len))), "")
    except ValidationError as error:
        why = error.errors()[0]["msg"]
    except OSError as error:
        why = reason(error)
    if why:
        raise DamagedError(
            f"expected the matrix's own metrics in {path}, got something else ({why}); run the "
            "matrix again"
        )
    return METRICS.with_own(own)
