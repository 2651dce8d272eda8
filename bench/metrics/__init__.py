"""What each metric means: unit, direction, margin and origin, as data."""

from bench.metrics.metric import Metric

__all__ = ["Metric"]
