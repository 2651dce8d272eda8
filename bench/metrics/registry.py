"""The metrics that are known: what each means, as data."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.errors import MatrixError, shown
from bench.files import write_atomically
from bench.metrics.latent_tests import TESTS
from bench.metrics.latents import MATCH
from bench.metrics.likelihood import LIKELIHOOD
from bench.metrics.metric import Metric, metric_at
from bench.metrics.samples import SAMPLES

__all__ = [
    "METRICS",
    "OF_SAMPLES",
    "SHIPPED",
    "metric_named",
    "metric_problems",
    "own",
    "recall",
    "register",
    "remember",
]


METRICS: dict[str, Metric] = {
    metric.name: metric for metric in [*MATCH, *TESTS, *LIKELIHOOD, *SAMPLES]
}


OF_SAMPLES = tuple(metric.name for metric in SAMPLES)
"""Names of those that judge generated images."""


SHIPPED = frozenset(METRICS)
"""Names of the suite's own; a matrix may make more known."""


_FILE = "metrics.json"


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
        if ":" not in path:
            raise MatrixError(
                f'{at}: expected an import path "package.module:metric", got {shown(path)}; the '
                "suite's own metrics are measured anyway"
            )
        try:
            metric = metric_at(path)
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


def own() -> list[str]:
    """Names of the metrics that are not the suite's, as far as they are known."""
    return [name for name in METRICS if name not in SHIPPED]


def metric_named(name: str) -> Metric:
    """Look a metric up.

    Args:
        name: One of the names in ``METRICS``.

    Returns:
        The metric.

    Raises:
        ValueError: If there is no such metric; the message lists the known ones.

    Example:
        >>> metric_named("marginal_kl_excess").better
        'lower'
    """
    if name not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {name!r}")
    return METRICS[name]
