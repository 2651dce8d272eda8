"""The regression gate: results against a baseline -> REGRESSED, OK or INCONCLUSIVE.

For every configuration and metric with a direction, the *worsening* is the mean over seeds of new
less baseline, signed so that more is worse; of a score whose direction is that of real images, the
mean growth of its distance to them. REGRESSED: its lower bound, corrected after Holm over
the whole family, exceeds the metric's margin. OK: its upper bound lies below it. Otherwise
INCONCLUSIVE, with the number of seeds that would decide. What is not REGRESSED is looked at again
without a minority of seeds, those that favour the run most: HIDDEN, where the rest is worse at a
level of its own (`bench.analysis.hidden`). Anything that cannot be compared has a
verdict of its own and is never a pass; so has a measurement without a direction, where one side
lacks it on most of the seeds that the other has it on.

A change of code mostly touches all configurations, and five seeds see that best in their mean. So
each metric is also compared as its mean over the configurations. That family and the one of single
configurations share the error between them, half each; one configuration alone has all of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from bench.analysis.absurd import absurd
from bench.analysis.baseline import examine
from bench.analysis.hidden import hidden, hiding
from bench.analysis.replicates import contested
from bench.analysis.worsening import worsening
from bench.metrics.metric import Metric
from bench.metrics.registry import METRICS, Metrics
from bench.run.kept_rows import STALE
from bench.run.progress import counted
from vaelib.samples.options import REFERENCES
from vaelib.stats.multiple_testing import holm

__all__ = [
    "ALPHA",
    "Comparison",
    "MEAN",
    "compare",
    "exit_code",
]

Verdict = Literal[
    "REGRESSED",
    "HIDDEN",
    "FAILED",
    "MISSING",
    "CHANGED",
    "STALE",
    "NEW",
    "ABSURD",
    "INCONCLUSIVE",
    "OK",
]

ALPHA = 0.01
"""Chance of any REGRESSED on unchanged code, over both families; as large is that of any HIDDEN."""
MEAN = "(mean)"
"""Stands for the mean over the configurations."""
_UPPER = 0.95  # one-sided confidence that an OK is not worse than the margin
_MOST_SEEDS = 1000
_UNDEFINED = 0.5  # share of the seeds on which one side may lack a value that has no direction
_RUN, _BASELINE = "the run", "the baseline; make it anew from a run that you trust"  # which side


@dataclass(frozen=True)
class Comparison:
    """One verdict.

    Attributes:
        config: The configuration; ``"(mean)"`` for the mean over all that can be compared.
        metric: Name of the metric; empty where the configuration as a whole is meant.
        source: The latent source.
        split: The split it was measured on.
        verdict: See the module.
        worsening: Mean of new less baseline in the metric's unit, positive where worse.
        low: Lower bound of the worsening, at Holm's first step over its family.
        high: Upper bound, for this comparison alone.
        margin: Largest worsening that does not matter.
        unit: Of these numbers, the metric's.
        test: ``"paired"``, or ``"Welch"`` where the seeds of both runs do not go together.
        seeds: S.
        p_holm: Corrected p-value of a worsening beyond the margin.
        needed: Seeds that would decide an INCONCLUSIVE, if both runs had as many; None where that
            is not the question or more than a thousand would not do.
        message: What is wrong where nothing could be compared.
    """

    config: str
    metric: str
    source: str
    split: str
    verdict: Verdict
    worsening: float = np.nan
    low: float = np.nan
    high: float = np.nan
    margin: float = np.nan
    unit: str = ""
    test: str = ""
    seeds: int = 0
    p_holm: float = np.nan
    needed: int | None = None
    message: str = ""


@dataclass(frozen=True)
class _Tested:
    """A comparison before the family is known."""

    comparison: Comparison
    error: float
    freedom: float
    p_value: float
    p_hidden: float  # of being worse but for a minority of seeds, which is said here
    hiding: str


def exit_code(comparisons: list[Comparison], *, strict: bool = False) -> int:
    """What a shell should see.

    Args:
        comparisons: All of them.
        strict: Whether INCONCLUSIVE counts as REGRESSED.

    Returns:
        1 where something regressed; 2 where something could not be compared, or nothing was; 0.
    """
    verdicts = {one.verdict for one in comparisons}
    if "REGRESSED" in verdicts:
        return 1
    if not verdicts & {"OK", "INCONCLUSIVE"} or verdicts - {"OK", "INCONCLUSIVE"}:
        return 2
    return int(strict and "INCONCLUSIVE" in verdicts)


def compare(
    new: pd.DataFrame, baseline: pd.DataFrame, metrics: Metrics = METRICS
) -> list[Comparison]:
    """Compare the rows of a run with those of a baseline.

    Args:
        new: Tidy rows.
        baseline: Tidy rows of the same matrix.
        metrics: Known metrics.

    Returns:
        One comparison per configuration and metric with a direction, and one for each configuration
        that cannot be compared; in the order of the configurations.

    Raises:
        GateError: If the baseline is empty, damaged or of another matrix.
    """
    seeds = {str(config): set(part["seed"]) for config, part in new.groupby("config")}
    examine(baseline, ", ".join(sorted(new["matrix"].unique())), seeds, metrics)
    names = list(dict.fromkeys([*baseline["config"], *new["config"]]))
    broken = [one for name in names for one in _broken(name, new, baseline)]
    usable = [name for name in names if name not in {one.config for one in broken}]
    keys = _keys(new, baseline, metrics)
    compared: list[Comparison | _Tested] = list(_lost(new, baseline, usable, keys))
    for metric, split, source in keys:
        compared += _compared(metric, split, source, new, baseline, usable)
    broken += [one for one in compared if isinstance(one, Comparison)]
    tested = [one for one in compared if isinstance(one, _Tested)]
    families = [
        [one for one in tested if (one.comparison.config == MEAN) == mean] for mean in (True, False)
    ]
    alpha = ALPHA / max(1, sum(bool(family) for family in families))
    means, single = (_decided(family, alpha) for family in families)
    return means + sorted([*broken, *single], key=lambda one: names.index(one.config))


def _broken(config: str, new: pd.DataFrame, baseline: pd.DataFrame) -> Iterator[Comparison]:
    """What keeps a configuration from being compared."""
    ours, theirs = (frame[frame["config"] == config] for frame in (new, baseline))
    if theirs.empty:
        yield _verdict(config, "NEW", "the baseline has no such configuration; make it anew")
        return
    if ours.empty:
        yield _verdict(config, "MISSING", "the run has no such configuration")
        return
    cells = [frame.drop_duplicates("seed").set_index("seed") for frame in (ours, theirs)]
    missing = cells[1].index.difference(cells[0].index)
    if len(missing):
        yield _verdict(
            config, "MISSING", f"{counted(len(missing), 'seed')} of the baseline did not run"
        )
        return
    ids = [frame[["cell", "dataset"]].reindex(cells[1].index) for frame in cells]
    if (ids[0] != ids[1]).any(axis=None):
        what = "its options or data are not those of the baseline; make the baseline anew"
        yield _verdict(config, "CHANGED", what)
        return
    for frame, whose in zip(cells, ("run", "baseline"), strict=True):
        bad = frame[frame["status"] != "ok"]
        if len(bad):
            first = bad.iloc[0]
            verb = "is" if len(bad) == 1 else "are"
            what = f"{counted(len(bad), 'cell')} of the {whose} {verb} {first['status']}: "
            what += str(first["message"])
            yield _verdict(config, "FAILED", what)
            return
    for frame, whose in ((ours, _RUN), (theirs, _BASELINE)):
        if frame["message"].str.startswith(STALE).any():
            yield _verdict(config, "STALE", f"rows that other code computed in {whose}")
            return


def _verdict(config: str, verdict: Verdict, message: str) -> Comparison:
    return Comparison(config, "", "", "", verdict, message=message)


def _keys(
    new: pd.DataFrame, baseline: pd.DataFrame, metrics: Metrics
) -> list[tuple[Metric, str, str]]:
    """Metrics with a direction on the split that decides: test, or train where there is none.

    Returns:
        Metric, split and source of what either has, without the sources that no model makes.
    """
    measured = pd.concat([frame[frame["value"].notna()] for frame in (new, baseline)])
    split = "test" if (measured["split"] == "test").any() else "train"
    deciding = measured[measured["split"] == split][["metric", "source"]].drop_duplicates()
    pairs = set(deciding.itertuples(index=False, name=None))
    return [
        (metric, split, source)
        for metric in metrics.values()
        for source in sorted(source for name, source in pairs if name == metric.name)
        if metric.better is not None and metric.margin is not None and source not in REFERENCES
    ]


def _lost(
    new: pd.DataFrame,
    baseline: pd.DataFrame,
    names: list[str],
    keys: list[tuple[Metric, str, str]],
) -> Iterator[Comparison]:
    """What one side lacks of that for which no value is better than another."""
    own = {(metric.name, source, split) for metric, split, source in keys}
    seeds = set(new["seed"]) & set(baseline["seed"])
    sides = [
        frame[frame["seed"].isin(seeds) & (frame["metric"] != "")] for frame in (new, baseline)
    ]
    numbers = [frame[_finite(frame["value"])] for frame in sides]
    lacking: dict[tuple[str, ...], str] = {}
    # a row is there for every seed; its value may be undefined on some
    for most, frames in ((0.0, sides), (_UNDEFINED, numbers)):
        ours, theirs = (_seeds(frame) for frame in frames)
        for one, other, side in ((ours, theirs, _RUN), (theirs, ours, _BASELINE)):
            for key, had in other.items():
                if len(had - one.get(key, set())) > most * len(had):
                    lacking[key] = side
    for (config, metric, source, split), side in sorted(lacking.items()):
        if config in names and (metric, source, split) not in own:
            what = f"not measured on every seed of {side}"
            yield Comparison(config, metric, source, split, "MISSING", message=what)


def _finite(values: "pd.Series[float]") -> NDArray[np.bool_]:
    return np.isfinite(values.to_numpy(float))


def _seeds(frame: pd.DataFrame) -> dict[tuple[str, ...], set[int]]:
    """Seeds that have a row, by configuration, metric, source and split."""
    columns = ["config", "metric", "source", "split"]
    found: dict[tuple[str, ...], set[int]] = {}
    for *key, seed in frame[[*columns, "seed"]].itertuples(index=False, name=None):
        found.setdefault(tuple(key), set()).add(seed)
    return found


def _compared(
    metric: Metric,
    split: str,
    source: str,
    new: pd.DataFrame,
    baseline: pd.DataFrame,
    names: list[str],
) -> Iterator[Comparison | _Tested]:
    """One metric of every configuration, and of their mean."""
    sign = -1.0 if metric.better == "higher" else 1.0
    tables = [contested(frame, metric, split, source) for frame in (new, baseline)]
    tables = [table.where(np.isfinite(table)) for table in tables]
    seeds = tables[1].index.union(tables[0].index)
    ours, theirs = (sign * table.reindex(index=seeds, columns=names) for table in tables)
    defined = theirs.notna().any() | ours.notna().any()
    whole = ours.notna().all() & theirs.notna().all()
    for name in defined.index[defined & ~whole]:
        what = f"not measured on every seed of {_lacking(ours[name], theirs[name])}"
        yield Comparison(name, metric.name, source, split, "MISSING", message=what)
    assert metric.margin is not None
    kept = []
    for name in whole.index[whole]:
        sides = sign * ours[name], sign * theirs[name]
        if what := absurd(*sides, metric.margin, higher=sign < 0):
            yield Comparison(name, metric.name, source, split, "ABSURD", message=what)
        else:
            kept.append(name)
    if not kept:
        return
    values = np.stack([table[kept].to_numpy(float) for table in (ours, theirs)])
    columns = [str(name) for name in kept]
    if len(kept) > 1:
        columns.append(MEAN)
        values = np.concatenate([values, values.mean(2, keepdims=True)], 2)
    test, mean, error, freedom = worsening(values[0], values[1], metric.margin)
    p_hidden, left_out = hidden(values[0], values[1], metric.margin)
    for place, name in enumerate(columns):
        upper = float(mean[place] + stats.t.ppf(_UPPER, freedom[place]) * error[place])
        comparison = Comparison(
            config=name,
            metric=metric.name,
            source=source,
            split=split,
            verdict="OK" if upper < metric.margin else "INCONCLUSIVE",
            worsening=float(mean[place]),
            high=upper,
            margin=metric.margin,
            unit=metric.unit,
            test=test,
            seeds=len(seeds),
        )
        beyond = float(stats.t.sf((mean[place] - metric.margin) / error[place], freedom[place]))
        told = ""
        if p_hidden[place] <= ALPHA:
            now, before = (pd.Series(one[:, place], seeds) for one in values)
            told = hiding(sign * now, sign * before, now - before, int(left_out[place]))
            told += f" {metric.unit}, margin {metric.margin:g}"
        yield _Tested(
            comparison,
            float(error[place]),
            float(freedom[place]),
            beyond,
            float(p_hidden[place]),
            told,
        )


def _lacking(ours: "pd.Series[float]", theirs: "pd.Series[float]") -> str:
    """Which side lacks values."""
    lacking = [values.isna().any() for values in (ours, theirs)]
    if all(lacking):
        return "both"
    return _RUN if lacking[0] else _BASELINE


def _decided(tests: list[_Tested], alpha: float) -> list[Comparison]:
    """Correct over the family, then say REGRESSED and how many seeds an INCONCLUSIVE needs.

    HIDDEN has the same level over the same family.

    Returns:
        The comparisons, in the order of the tests.
    """
    adjusted = holm(np.array([one.p_value for one in tests]))
    second = holm(np.array([one.p_hidden for one in tests]))
    level = alpha / max(len(tests), 1)
    decided = []
    for one, p_value, p_hidden in zip(tests, adjusted, second, strict=True):
        undecided = one.comparison
        verdict: Verdict = "HIDDEN" if p_hidden <= alpha else undecided.verdict
        verdict = "REGRESSED" if p_value <= alpha else verdict
        decided.append(
            replace(
                undecided,
                verdict=verdict,
                low=undecided.worsening - float(stats.t.isf(level, one.freedom)) * one.error,
                p_holm=float(p_value),
                message=one.hiding if verdict == "HIDDEN" else "",
                needed=_needed(undecided, one.error, level) if verdict == "INCONCLUSIVE" else None,
            )
        )
    return decided


def _needed(one: Comparison, error: float, level: float) -> int | None:
    """Seeds at which the same worsening and variance would be OK or REGRESSED."""
    distance, spread = abs(one.worsening - one.margin), error * np.sqrt(one.seeds)
    share = level if one.worsening > one.margin else 1 - _UPPER
    counts = np.arange(one.seeds + 1, _MOST_SEEDS + 1)
    reach = stats.t.isf(share, counts - 1) * spread / np.sqrt(counts)
    enough = counts[reach < distance]
    return int(enough[0]) if len(enough) else None
