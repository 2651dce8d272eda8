"""Where each metric is measured: on which parts of the data, and from which sources."""

from collections.abc import Mapping
from typing import Any

from bench.metrics.metric import Metric, Table
from vaelib.samples.options import DECILES, REFERENCES, SOURCES

__all__ = ["GAUGE", "missing_option", "sources", "splits"]

GAUGE = "gauge_fixed"
"""The posterior after it was shifted and scaled to match the first two moments of the prior."""

_GAUGED = ("rate", "marginal_kl")
_OF_SINGLE_IMAGES = ("precision", "density")  # which need no sample of the data
_OF_TEST = frozenset(
    ("certified_inputs", "certified_kl", "certified_kl_lower", "certified_kl_test", "copies")
    + ("iwae", "bound_gap", "bound_gap_100", "bound_gap_1000", "bound_gap_upper", "shape_gain")
    + ("sbc_test", "sbc_joint_test", "sbc_scale")
)


def sources(metric: Metric) -> tuple[str, ...]:
    """The sources that a metric has values of.

    Args:
        metric: the suite's or a user's own.

    Returns:
        Latent sources and references of a metric of images; ``""``, the posterior itself, of any
        other.
    """
    if metric.table == Table.SAMPLES:
        extremes = DECILES if metric.name in _OF_SINGLE_IMAGES else ()
        return (*SOURCES, *REFERENCES, *extremes)
    return ("", GAUGE) if metric.name in _GAUGED else ("",)


def splits(metric: Metric) -> tuple[str, ...]:
    """The parts of the data that a metric is measured on.

    Args:
        metric: the suite's or a user's own.

    Returns:
        ``"train"``, ``"test"`` or both.
    """
    if metric.table == Table.SAMPLES or metric.name in _OF_TEST:
        return ("test",)
    return ("train", "test")


def missing_option(metric: Metric, source: str, quality: Mapping[str, Any]) -> str:
    """Why a configuration measures a metric of a source not at all.

    Args:
        metric: the suite's or a user's own.
        source: one of its `sources`.
        quality: the configuration's ``quality`` table.

    Returns:
        The option that leaves it out, with its value; empty where none does.
    """
    wanted: list[str] = quality["sources"]
    if metric.table == Table.SAMPLES:
        needed = {**dict.fromkeys(SOURCES, source), **dict.fromkeys(DECILES, "prior")}.get(source)
        absent = not wanted if needed is None else needed not in wanted
        return f"quality.sources = {list(wanted)}" if absent else ""
    if metric.name == "iwae" or metric.name.startswith("bound_gap"):
        return "" if quality["bound_inputs"] else "quality.bound_inputs = 0"
    if metric.name.startswith("sbc_"):
        return "" if quality["sbc_draws"] else "quality.sbc_draws = 0"
    return ""
