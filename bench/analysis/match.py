"""The question's answer, decided: which configurations of a data set match the prior."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from bench.analysis.replicates import (
    FEW_SEEDS,
    SPLITS,
    collapses,
    measured_keys,
    replicates,
    t_interval,
)
from bench.metrics.registry import METRICS
from vaelib.audits.verdict import LEAST_FOR_YES, Verdict
from vaelib.numerics.arrays import Floats

__all__ = ["Interval", "Match", "Matched", "match_of"]

_LOWER = METRICS["certified_kl_lower"]


@dataclass(frozen=True)
class Interval:
    """A mean over seeds.

    Attributes:
        mean: NaN where no seed has a value.
        half_width: half the width of its 95 % t interval; NaN of one seed.
        seeds: S, the seeds that have a value.
    """

    mean: float
    half_width: float
    seeds: int

    @classmethod
    def of(cls, column: "pd.Series[float]") -> "Interval":
        """That of the values of a column which are there."""
        values: Floats = np.asarray(column.dropna(), np.float64)
        if not len(values):
            return cls(math.nan, math.nan, 0)
        mean, half = t_interval(values[:, None])
        return cls(float(np.squeeze(mean)), float(np.squeeze(half)), len(values))

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half_width

    def beside(self, margin: float) -> Literal["above", "below", "within", "open"]:
        """What a change of this size is shown to be.

        Args:
            margin: the smallest change that matters.

        Returns:
            Beyond the margin, "above" or "below" 0; "within" it; "open" where none of these is
            shown, and of few seeds.
        """
        if self.seeds <= FEW_SEEDS:
            return "open"
        if self.low > margin:
            return "above"
        if self.high < -margin:
            return "below"
        return "within" if -margin < self.low and self.high < margin else "open"


@dataclass(frozen=True)
class Matched:
    """The bracket of one configuration over its seeds.

    Attributes:
        config: its name.
        lower: the proved lower end, in nats.
        gain: the gain, in nats.
        upper: the upper end, in nats.
        verdict: "no" where the interval of the lower end lies above the margin, "yes" where that
            of the upper end lies below it, no seed is saturated and each rests on 300 inputs;
            "flagged" where a seed has copies among its held-out inputs; else "undecided".
        inputs: the fewest independent held-out z of a seed.
        saturated: how many seeds are.
        collapsed: whether z says nothing of the input on at least half of the seeds.
    """

    config: str
    lower: Interval
    gain: Interval
    upper: Interval
    verdict: Verdict
    inputs: int
    saturated: int
    collapsed: bool


@dataclass(frozen=True)
class Match:
    """What the seeds say about one data set.

    Attributes:
        data: its name.
        margin: KL, in nats, that still counts as a match.
        split: the split that decides; empty where no cell has a bracket.
        configurations: those that have one, in the order of the rows.
    """

    data: str
    margin: float
    split: str = ""
    configurations: tuple[Matched, ...] = ()

    def count(self, verdict: Verdict) -> int:
        """How many configurations that are not collapsed have an answer."""
        return sum(one.verdict == verdict for one in self.alive)

    @property
    def alive(self) -> tuple[Matched, ...]:
        """Those whose posteriors say something about their inputs."""
        return tuple(one for one in self.configurations if not one.collapsed)


def match_of(rows: pd.DataFrame, data: str) -> Match:
    """Decide for one data set.

    Args:
        rows: its tidy rows.
        data: its name.

    Returns:
        The decision.
    """
    assert _LOWER.margin is not None
    margin, measured = _LOWER.margin, measured_keys(rows, METRICS)
    split = next((name for name in SPLITS if (_LOWER.name, name, "") in measured), "")
    if not split:
        return Match(data, margin)
    tables = {
        metric: replicates(rows, metric, split)
        for metric in (
            *("certified_kl_lower", "certified_kl", "certified_kl_upper"),
            *("certified_inputs", "saturated"),
        )
    }
    flagged = _flagged(rows, split)
    dead = collapses(rows, split)["apart"]
    found = [
        _matched(
            str(config),
            {metric: table[config] for metric, table in tables.items()},
            flagged,
            collapsed=bool(dead.get(config, False)),
        )
        for config in tables[_LOWER.name]
    ]
    return Match(data, margin, split, tuple(one for one in found if one is not None))


def _flagged(rows: pd.DataFrame, split: str) -> set[str]:
    """Configurations of which a seed has copies among its held-out inputs."""
    told = rows[(rows["metric"] == "copies") & (rows["split"] == split)]
    return set(told["config"][told["message"] != ""])


def _matched(
    config: str, columns: Mapping[str, "pd.Series[float]"], flagged: set[str], *, collapsed: bool
) -> Matched | None:
    lower, gain, upper = (
        Interval.of(columns[metric])
        for metric in ("certified_kl_lower", "certified_kl", "certified_kl_upper")
    )
    if not lower.seeds and config not in flagged:
        return None
    margin = _LOWER.margin or 0.0
    inputs = columns["certified_inputs"].dropna()
    fewest = int(inputs.min()) if len(inputs) else 0
    saturated = int(columns["saturated"].fillna(0).sum())
    verdict: Verdict = "undecided"
    if config in flagged:
        verdict = "flagged"
    elif lower.seeds > FEW_SEEDS and lower.low > margin:
        verdict = "no"
    elif upper.seeds > FEW_SEEDS and upper.high < margin:
        verdict = "yes" if fewest >= LEAST_FOR_YES and not saturated else "undecided"
    return Matched(config, lower, gain, upper, verdict, fewest, saturated, collapsed)
