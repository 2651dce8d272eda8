"""What the suite prints of values over seeds, rankings and gates, on synthetic values."""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from bench.analysis import gate
from bench.analysis.comparison import paired_t, pairwise, rank
from bench.analysis.replicates import t_interval
from bench.calibration.experiments import Statement
from bench.calibration.task import Rows
from bench.metrics.registry import METRICS
from bench.rows import COLUMNS
from vaelib.numerics.arrays import Floats
from vaelib.stats.crossed import crossed_mean

__all__ = ["INTERVALS", "Coverage", "Held", "Interval"]


Coverage = Literal["exact", "at least", "about", "no promise"]
"""What is promised of how often a statement holds."""

_DRAWN = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape) - 1,
    "log-normal": lambda rng, shape: rng.lognormal(size=shape) - math.exp(0.5),
}


@dataclass(frozen=True)
class Held:
    """How often a statement held.

    Attributes:
        what: The statement.
        setting: Where it was looked at.
        nominal: How often it should hold, a share.
        promise: As of `Interval`.
        repetitions: How often it was looked at.
        times: How often it held.
    """

    what: str
    setting: str
    nominal: float
    promise: Coverage
    repetitions: int
    times: int


@dataclass(frozen=True)
class Interval:
    """One statement that the suite prints, and how often it should hold.

    Attributes:
        what: The statement.
        setting: Where it is looked at.
        nominal: How often it should hold.
        promise: Exactly so often, at least, about, or the assumption is broken on purpose.
        holds: Maps a stream and a number of repetitions to how often it held.
        repetitions: In the full form.
        quick_repetitions: In the quick form.
    """

    what: str
    setting: str
    nominal: float
    promise: Coverage
    holds: Callable[[np.random.Generator, int], int]
    repetitions: int
    quick_repetitions: int

    def held(self, rng: np.random.Generator, repetitions: int) -> Held:
        """Looks at it so often."""
        times = self.holds(rng, repetitions)
        return Held(self.what, self.setting, self.nominal, self.promise, repetitions, times)


def _covers(shape: str, seeds: int, rng: np.random.Generator, count: int) -> int:
    mean, half = t_interval(_DRAWN[shape](rng, (seeds, count)))
    return int((np.abs(mean) <= half).sum())


def _paired_covers(seeds: int, rng: np.random.Generator, count: int) -> int:
    both = rng.normal(size=(1, seeds, count)) + 0.3 * rng.normal(size=(2, seeds, count))
    mean, half, _ = paired_t(both[0] - both[1], 0.05)
    return int((np.abs(mean) <= half).sum())


def _crossed_covers(seeds: int, rng: np.random.Generator, count: int) -> int:
    """Seeds of spread .3 on the same 100 inputs of spread 2, and a rest of spread 1."""
    held = 0
    for _ in range(count):
        of_seeds, of_inputs = 0.3 * rng.normal(size=(seeds, 1)), 2 * rng.normal(size=(1, 100))
        found = crossed_mean(of_seeds + of_inputs + rng.normal(size=(seeds, 100)))
        held += abs(found.mean) <= found.half_width
    return held


def _no_false_claim(seeds: int, rng: np.random.Generator, count: int) -> int:
    """Twelve equal configurations: no pair may differ."""
    metric, held = METRICS["moment_kl"], 0
    for _ in range(count):
        values = rng.normal(size=(seeds, 1)) + 0.5 * rng.normal(size=(seeds, 12))
        held += not pairwise(pd.DataFrame(values), metric)["better"].any()
    return held


def _ranks_hold(seeds: int, rng: np.random.Generator, count: int) -> int:
    """Six configurations of known order: every true rank inside its interval."""
    metric, held, means = METRICS["moment_kl"], 0, 0.4 * np.arange(6)
    for _ in range(count):
        values = means + rng.normal(size=(seeds, 1)) + 0.5 * rng.normal(size=(seeds, 6))
        board = rank(pd.DataFrame(values), metric).sort_index()
        true_rank = np.arange(1, 7)
        held += bool(((board["rank_low"] <= true_rank) & (true_rank <= board["rank_high"])).all())
    return held


_GATED = ("moment_kl", "kl_per_dimension", "c2st_auc", "hole_mass", "elbo", "mmd_squared")


def _gated(rng: np.random.Generator, shift: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A baseline and a run of 4 configurations, 6 metrics and 5 seeds, pairing .8.

    Every metric is worse by its margin plus ``shift`` standard deviations.

    Returns:
        Rows of the baseline and of the run.
    """
    baseline_rows: Rows = []
    run_rows: Rows = []
    for name in _GATED:
        metric = METRICS[name]
        assert metric.margin is not None
        scale = 3 * metric.margin * np.exp(rng.normal(0, 0.5, 4))
        first, other = rng.normal(size=(2, 5, 4))
        worse = metric.margin + shift * scale
        second = scale * (0.8 * first + 0.6 * other)
        second += -worse if metric.better == "higher" else worse
        baseline_rows += _gate_rows(name, first * scale)
        run_rows += _gate_rows(name, second)
    return pd.DataFrame(baseline_rows), pd.DataFrame(run_rows)


def _gate_rows(metric: str, values: Floats) -> Iterator[dict[str, Any]]:
    """Rows of the suite with values of shape (seeds, configurations)."""
    for (seed, config), value in np.ndenumerate(values):
        yield dict.fromkeys(COLUMNS, "") | {
            "matrix": "ci",
            "config": str(config),
            "seed": seed,
            "split": "test",
            "cell": f"{config}-{seed}",
            "status": "ok",
            "standard_error": np.nan,
            "p_value": np.nan,
            "metric": metric,
            "value": value,
            "unit": METRICS[metric].unit,
        }


def _regressed(shift: float, rng: np.random.Generator, count: int) -> int:
    """Counts the runs that the gate calls regressed."""
    regressed = 0
    for _ in range(count):
        baseline, run = _gated(rng, shift)
        regressed += gate.exit_code(gate.compare(run, baseline)) == 1
    return regressed


def _over_seeds(seeds: int) -> Iterator[Interval]:
    where = f"S = {seeds}, "
    for shape in _DRAWN:
        covers = functools.partial(_covers, shape, seeds)
        promise: Coverage = "exact" if shape == "normal" else "no promise"
        what, setting = "95 % t interval of a mean", f"{where}{shape} values"
        yield Interval(what, setting, 0.95, promise, covers, 50_000, 5000)
    pairs = functools.partial(_paired_covers, seeds)
    what, setting = "95 % paired t interval", f"{where}normal values"
    yield Interval(what, setting, 0.95, "exact", pairs, 50_000, 5000)
    crossed = functools.partial(_crossed_covers, seeds)
    what, setting = "95 % interval over seeds and inputs", f"{where}100 inputs that all seeds share"
    yield Interval(what, setting, 0.95, "about", crossed, 5000, 300)
    ties = functools.partial(_no_false_claim, seeds)
    what, setting = "nobody outside the tie group", f"{where}12 equal configurations"
    yield Interval(what, setting, 0.95, "at least", ties, 1500, 60)
    ranks = functools.partial(_ranks_hold, seeds)
    what, setting = "all rank intervals at once", f"{where}6 configurations"
    yield Interval(what, setting, 0.95, "at least", ranks, 1000, 40)


_GATES = [
    Interval(
        "gate: no false alarm",
        "unchanged code at the margin, S = 5, 4 configurations, 6 metrics",
        1 - gate.ALPHA,
        "at least",
        lambda rng, n: n - _regressed(0.0, rng, n),
        2000,
        15,
    ),
    Interval(
        "gate: REGRESSED is found",
        "2 standard deviations worse than the margin, S = 5, pairing .8",
        0.9,
        "at least",
        lambda rng, n: _regressed(2.0, rng, n),
        150,
        15,
    ),
]

INTERVALS: dict[Statement, Interval] = {
    Statement(interval.what, interval.setting): interval
    for interval in [*_over_seeds(5), *_over_seeds(10), *_GATES]
}
