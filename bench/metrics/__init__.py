"""What each metric means: unit, direction, margin and origin, as data."""

from bench.metrics.likelihood import LIKELIHOOD
from bench.metrics.match import MATCH
from bench.metrics.metric import Metric
from bench.metrics.samples import SAMPLES
from bench.metrics.tests import TESTS

__all__ = ["METRICS", "OF_SAMPLES", "SHIPPED", "Metric", "metric_named", "own"]

METRICS: dict[str, Metric] = {
    metric.name: metric for metric in [*MATCH, *TESTS, *LIKELIHOOD, *SAMPLES]
}
OF_SAMPLES = tuple(metric.name for metric in SAMPLES)
"""Names of those that judge generated images."""

SHIPPED = frozenset(METRICS)
"""Names of the suite's own; a matrix may make more known."""


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
