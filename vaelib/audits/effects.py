"""The rows of an audit, as the questions about them need them."""

import math
from collections.abc import Sequence
from dataclasses import replace

from vaelib.audits.alarms import FLAGS
from vaelib.audits.certified import INFINITE
from vaelib.audits.measurement import Measurement
from vaelib.audits.moment_answers import Range
from vaelib.audits.prepared import CONSTANT
from vaelib.audits.verdict import Bracket

__all__ = ["Evidence"]


class Evidence:
    """The rows of the split that decides, by metric.

    Args:
        rows: of an audit.
        split: that decides.

    Attributes:
        row: metric -> its row.
        fixed: the same after the gauge fix.
    """

    def __init__(self, rows: Sequence[Measurement], split: str) -> None:
        decisive = [row for row in rows if row.split == split]
        self.split = split
        self.row = {row.metric: row for row in decisive if not row.source}
        self.fixed = {row.metric: row for row in decisive if row.source == "gauge_fixed"}

    def value(self, metric: str, missing: float = math.nan) -> float:
        """Of a metric; what is given for one that is missing where it has none."""
        row = self.row.get(metric)
        return missing if row is None or row.value is None else row.value

    def p_value(self, metric: str) -> float | None:
        """Of a test; None where it has none."""
        row = self.row.get(metric)
        return None if row is None else row.p_value

    def interval(self, metric: str) -> Range | None:
        """The 95 % interval of a metric over inputs; None where it has none."""
        row = self.row.get(metric)
        if row is None or row.value is None or row.standard_error is None:
            return None
        half = 1.96 * row.standard_error
        return row.value - half, row.value + half

    def message(self, metric: str) -> str:
        """Of a metric, empty where it has none."""
        row = self.row.get(metric)
        return "" if row is None else row.message

    @property
    def saturated(self) -> bool:
        """Whether the inputs are too few to read the joint KL."""
        return bool(self.value("saturated", 0.0))

    @property
    def inputs(self) -> int:
        """Independent z that were played."""
        return int(self.value("certified_inputs", 0))

    @property
    def infinite(self) -> str:
        """Why the KL is infinite; empty where it is not known to be."""
        message = self.message("certified_kl_lower")
        return self.message(CONSTANT) or (message if message.startswith(INFINITE) else "")

    @property
    def bracket(self) -> Bracket:
        """Both ends of KL(q‖p)."""
        inner = self.inner
        if not self.infinite:
            return inner
        return replace(
            inner, lower=math.inf, upper=math.inf if self.row.get(CONSTANT) else inner.upper
        )

    @property
    def inner(self) -> Bracket:
        """The same without the dimensions that are left out."""
        return Bracket(
            self.value("certified_kl_lower"),
            self.value("certified_kl_upper"),
            self.inputs,
            self.saturated,
            self.message("certified_kl_lower") in FLAGS,
        )

    @property
    def rescaling(self) -> float:
        """Nats of the rate that shifting and rescaling every dimension would win."""
        fixed = self.fixed.get("rate")
        if fixed is None or fixed.value is None:
            return math.nan
        return self.value("rate") - fixed.value
