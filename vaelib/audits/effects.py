"""The rows of an audit, as the questions about them need them."""

import math
from collections.abc import Sequence

from vaelib.audits.measurement import Measurement
from vaelib.audits.moment_answers import Moments, Range
from vaelib.audits.settings import AuditSettings

__all__ = ["Evidence"]


class Evidence:
    """The rows of the split that decides, by metric.

    Args:
        rows: of an audit.
        split: that decides.
        moments: of its posteriors or latents.
        settings: that the audit was made with.

    Attributes:
        row: metric -> its row.
        fixed: the same after the gauge fix.
    """

    def __init__(
        self, rows: Sequence[Measurement], split: str, moments: Moments, settings: AuditSettings
    ) -> None:
        decisive = [row for row in rows if row.split == split]
        self.split, self.moments = split, moments
        self.row = {row.metric: row for row in decisive if not row.source}
        self.fixed = {row.metric: row for row in decisive if row.source == "gauge_fixed"}
        self._settings = settings

    def value(self, metric: str) -> float | None:
        """Of a metric; None where it has none."""
        row = self.row.get(metric)
        return None if row is None else row.value

    def p_value(self, metric: str) -> float | None:
        """Of a test; None where it has none."""
        row = self.row.get(metric)
        return None if row is None else row.p_value

    @property
    def saturated(self) -> bool:
        """Whether the inputs are too few to read the joint KL."""
        return bool(self.value("saturated"))

    def excess(self, *, fixed: bool = False, less: float = 0.0) -> tuple[float, Range] | None:
        """The excess less something and its interval over inputs; None where it says nothing."""
        row = (self.fixed if fixed else self.row).get("marginal_kl_excess")
        null = self.row.get("marginal_kl_null")
        if row is None or null is None or row.value is None or self.saturated:
            return None
        spread = (null.standard_error or 0.0) * math.sqrt(self._settings.null_draws)
        half = 1.96 * math.hypot(row.standard_error or 0.0, spread)
        return row.value - less, (row.value - less - half, row.value - less + half)

    def correlation(self) -> float:
        """What correlation adds to the KL, less its mean without any: at least 0, in nats."""
        rates = self.value("rate"), self.fixed["rate"].value if "rate" in self.fixed else None
        moment = self.value("moment_kl")
        if moment is None or rates[0] is None or rates[1] is None:
            return 0.0
        dimensions = len(self.moments.mean)
        chance = dimensions * (dimensions - 1) / (4 * self.moments.inputs)
        return max(0.0, moment - (rates[0] - rates[1]) - chance)

    def auc(self) -> tuple[float, Range] | None:
        """The classifier's AUC and its interval over inputs."""
        value = self.value("c2st_auc")
        if value is None:
            return None
        held = min(self.moments.inputs, self._settings.classified) / 2
        half = 1.96 * math.sqrt((1 / held + 1 / (4 * held)) / 12)
        return value, (value - half, value + half)
