"""What the printed intervals, rankings and gates do: coverage and familywise error."""

import functools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from bench.analysis import gate
from bench.analysis.comparison import compare, paired_t, rank
from bench.analysis.replicates import t_interval
from bench.calibration.samples import matched_encoder
from bench.calibration.task import Task
from bench.metrics.registry import METRICS
from bench.rows import COLUMNS
from vaelib import audit
from vaelib.seeding import stream

__all__ = ["APPROXIMATE", "INTERVALS", "interval_rows", "interval_tasks"]

Floats = npt.NDArray[np.float64]
Promise = Literal["exact", "at least", "about", "no promise"]

APPROXIMATE = 0.05
"""How far an interval that is approximate may stay below its nominal coverage."""

_DRAWN = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape) - 1,
    "log-normal": lambda rng, shape: rng.lognormal(size=shape) - math.exp(0.5),
}


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
        least: Repetitions in the quick form.
    """

    what: str
    setting: str
    nominal: float
    promise: Promise
    holds: Callable[[np.random.Generator, int], int]
    repetitions: int
    least: int


def _covers(shape: str, seeds: int, rng: np.random.Generator, count: int) -> int:
    mean, half = t_interval(_DRAWN[shape](rng, (seeds, count)))
    return int((np.abs(mean) <= half).sum())


def _paired_covers(seeds: int, rng: np.random.Generator, count: int) -> int:
    both = rng.normal(size=(1, seeds, count)) + 0.3 * rng.normal(size=(2, seeds, count))
    mean, half, _ = paired_t(both[0] - both[1], 0.05)
    return int((np.abs(mean) <= half).sum())


def _no_false_claim(seeds: int, rng: np.random.Generator, count: int) -> int:
    """Twelve equal configurations: no pair may differ."""
    metric, held = METRICS["marginal_kl_excess"], 0
    for _ in range(count):
        values = rng.normal(size=(seeds, 1)) + 0.5 * rng.normal(size=(seeds, 12))
        held += not compare(pd.DataFrame(values), metric)["better"].any()
    return held


def _ranks_hold(seeds: int, rng: np.random.Generator, count: int) -> int:
    """Six configurations of known order: every true rank inside its interval."""
    metric, held, true = METRICS["marginal_kl_excess"], 0, 0.4 * np.arange(6)
    for _ in range(count):
        values = true + rng.normal(size=(seeds, 1)) + 0.5 * rng.normal(size=(seeds, 6))
        board = rank(pd.DataFrame(values), metric).sort_index()
        place = np.arange(1, 7)
        held += bool(((board["rank_low"] <= place) & (place <= board["rank_high"])).all())
    return held


_GATED = ("marginal_kl_excess", "kl_per_dimension", "c2st_auc", "hole_mass", "elbo", "mmd_squared")


def _gated(rng: np.random.Generator, shift: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A baseline and a run of 4 configurations, 6 metrics and 5 seeds, pairing .8.

    Every metric is worse by its margin plus ``shift`` standard deviations.

    Returns:
        Rows of the baseline and of the run.
    """
    frames: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for name in _GATED:
        metric = METRICS[name]
        assert metric.margin is not None
        scale = 3 * metric.margin * np.exp(rng.normal(0, 0.5, 4))
        first, other = rng.normal(size=(2, 5, 4))
        worse = metric.margin + shift * scale
        second = scale * (0.8 * first + 0.6 * other)
        second += -worse if metric.better == "higher" else worse
        for frame, grid in zip(frames, (first * scale, second), strict=True):
            for (seed, place), value in np.ndenumerate(grid):
                known: dict[str, Any] = dict.fromkeys(COLUMNS, "")
                known |= {"matrix": "ci", "config": str(place), "seed": seed, "split": "test"}
                known |= {"cell": f"{place}-{seed}", "status": "ok", "standard_error": np.nan}
                known |= {"p_value": np.nan, "metric": name, "value": value}
                frame.append(known)
    return pd.DataFrame(frames[0]), pd.DataFrame(frames[1])


def _regressed(shift: float, rng: np.random.Generator, count: int) -> int:
    found = 0
    for _ in range(count):
        before, after = _gated(rng, shift)
        found += gate.exit_code(gate.compare(after, before)) == 1
    return found


def _over_seeds(seeds: int) -> Iterator[Interval]:
    where = f"S = {seeds}, "
    for shape in _DRAWN:
        covers = functools.partial(_covers, shape, seeds)
        promise: Promise = "exact" if shape == "normal" else "no promise"
        what, setting = "95 % t interval of a mean", f"{where}{shape} values"
        yield Interval(what, setting, 0.95, promise, covers, 50_000, 5000)
    pairs = functools.partial(_paired_covers, seeds)
    what, setting = "95 % paired t interval", f"{where}normal values"
    yield Interval(what, setting, 0.95, "exact", pairs, 50_000, 5000)
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

INTERVALS: dict[str, Interval] = {
    f"{one.what}: {one.setting}": one for one in [*_over_seeds(5), *_over_seeds(10), *_GATES]
}


_AUDITS = {
    "matched encoder, D = 2, N = 100": (2, 1.0),
    "1.5 times as wide, D = 4, N = 100": (4, 1.5),
}


def interval_tasks(quick: bool) -> list[Task]:
    """One task per statement, and one per audited encoder.

    Args:
        quick: Fewer repetitions.

    Returns:
        The tasks.
    """
    found = [
        Task("intervals", name, one.least if quick else one.repetitions)
        for name, one in INTERVALS.items()
    ]
    audits = list(_AUDITS)[: 1 if quick else None]
    return found + [Task("intervals", name, 12 if quick else 200) for name in audits]


def interval_rows(task: Task) -> list[dict[str, Any]]:
    """Run one task.

    Args:
        task: Of this subject.

    Returns:
        One row per statement: how often it held.
    """
    if task.name in _AUDITS:
        return _audited(task)
    one = INTERVALS[task.name]
    seed = int(torch.randint(2**62, (), generator=task.generator))
    held = one.holds(np.random.default_rng(seed), task.repetitions)
    return [_row(task, one.what, one.setting, one.nominal, one.promise, held, task.repetitions)]


def _row(
    task: Task,
    what: str,
    setting: str,
    nominal: float,
    promise: Promise,
    held: int,
    repetitions: int,
) -> dict[str, Any]:
    return {
        "what": what,
        "setting": setting,
        "nominal": nominal,
        "promise": promise,
        "again": task.again,
        "repetitions": repetitions,
        "held": held,
    }


def _audited(task: Task) -> list[dict[str, Any]]:
    """Audit one encoder with many seeds: its standard errors must describe the spread.

    The errors are Monte Carlo errors given the encoder, so the mean over the seeds is the truth.

    Returns:
        One row per metric, split and source that has a standard error.
    """
    dimensions, width = _AUDITS[task.name]
    train, test = (
        matched_encoder(n, dimensions, 0.5, stream(f"validate audit {n}", dimensions))
        for n in (100, 400)
    )
    values, errors = defaultdict(list), defaultdict(list)
    start = int(torch.randint(2**31, (), generator=task.generator))
    for seed in range(start, start + task.repetitions):
        rows = audit(
            width * train.mean,
            width * train.scale,
            heldout=(width * test.mean, width * test.scale),
            seed=seed,
            test_rows=20,
        )
        for row in rows:
            if row.standard_error is not None and row.value is not None:
                key = row.metric, row.split, row.source
                values[key].append(row.value)
                errors[key].append(row.standard_error)
    found = []
    for key in sorted(values):
        spread = np.abs(np.array(values[key]) - np.mean(values[key]))
        if spread.max() < 1e-9:  # no Monte Carlo in it: its error is a bound of the quadrature's
            continue
        held = int((spread < 1.96 * np.array(errors[key])).sum())
        metric, split, source = key
        name = f"±1.96 se of {metric}" + f" ({source})" * bool(source)
        promise: Promise = "no promise" if metric == "hole_mass" else "about"
        setting = f"audit() of {split} inputs: {task.name}"
        found.append(_row(task, name, setting, 0.95, promise, held, len(spread)))
    return found
