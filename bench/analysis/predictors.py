"""What predicts the quality of samples: numbers of the latents against trivial predictors.

Over the configurations of one matrix and data set, never over several at once: the means of each
number on held-out inputs are correlated by rank with the Fréchet distance of samples of the prior,
and with what the prior costs, see `bench.analysis.correlations`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.analysis.correlations import (
    FEW_CONFIGURATIONS,
    Correlations,
    Resampled,
    hull,
    least_shown,
    percentile_interval,
)
from bench.analysis.prediction import (
    KEYS,
    OF_LATENTS,
    TRIVIAL,
    Advantage,
    Correlation,
    Prediction,
    symbol,
)
from bench.analysis.replicates import LEVEL, between_sources, collapses, dimensions, replicates
from bench.analysis.results import Results
from bench.metrics.metric import Table
from bench.metrics.registry import Metrics
from vaelib.numerics.arrays import Floats

__all__ = ["predictions"]

_SPLIT = "test"
_ROUNDING = 1e-9  # what sums of ranks may differ by


def predictions(matrices: Iterable[Results]) -> list[Prediction]:
    """Correlate within each data set of each matrix.

    Args:
        matrices: Results of several matrices.

    Returns:
        One for each target that rows hold and that anything can be correlated with, in the order
        of the matrices.
    """
    found: list[Prediction] = []
    for results in matrices:
        several = len(results.datasets) > 1
        for data, part in results.models.datasets.items():
            found += _of_part(part, data if several else "")
    return found


def _of_part(part: Results, data: str) -> Iterable[Prediction]:
    """Both targets on one data set."""
    counts = collapses(part.rows, _SPLIT)
    rows = part.rows[~part.rows["config"].isin(counts.index[counts["apart"]])]
    targets = {
        "quality": replicates(rows, "frechet", _SPLIT, "prior"),
        "cost": between_sources(rows, "frechet", "prior", "aggregate", _SPLIT),
    }
    variables = _variables(rows, part.metrics)
    resampled = Resampled(
        {name: frame.to_numpy(float) for name, frame in (variables | targets).items()}
    )
    for target, frame in targets.items():
        table = frame.to_numpy(float)
        seeds = np.isfinite(table).sum(axis=0)
        if not (count := int((seeds > 0).sum())):
            continue
        correlations = _correlations(resampled, rows, part.metrics, variables, target)
        if not correlations:  # of one or two configurations, or all as good
            continue
        asked = sum(one.enough for one in correlations)
        yield Prediction(
            part.name,
            data,
            target,
            correlations,
            _advantages(resampled, correlations, target),
            count,
            int(seeds[seeds > 0].min()),
            int(counts["apart"].sum()),
            least_shown(count, 1 - (1 - LEVEL) / asked) if asked else 1.0,
            _noise(table),
            {one.predictor: symbol(one.predictor, part.metrics) for one in correlations},
        )


def _variables(rows: pd.DataFrame, metrics: Metrics) -> dict[str, pd.DataFrame]:
    """Replicates of every predictor that is there, a key of a configuration on each of its seeds.

    Likelihoods compare only under one likelihood, here that of the first configuration.

    Returns:
        Name -> table of replicates; without those that no row holds.
    """
    names = [*OF_LATENTS, *(metric.name for metric in metrics.own), *TRIVIAL]
    found = {name: replicates(rows, name, _SPLIT) for name in names if name not in KEYS}
    first = rows.drop_duplicates("config").set_index("config")
    if "likelihood" in first and len(first):
        other = first.index[first["likelihood"] != first["likelihood"].iloc[0]]
        for name, frame in found.items():
            if metrics.named(name).table == Table.LIKELIHOOD:
                frame[other] = np.nan
    cells = replicates(rows, "rate", _SPLIT)
    for key in KEYS:
        if key in first:
            values = pd.to_numeric(first[key], errors="coerce").reindex(cells.columns)
            found[key] = pd.DataFrame(
                np.tile(values.to_numpy(float), (len(cells), 1)), cells.index, cells.columns
            )
    return {
        name: found[name] for name in names if name in found and found[name].notna().any(axis=None)
    }


def _correlations(
    resampled: Resampled,
    rows: pd.DataFrame,
    metrics: Metrics,
    variables: Mapping[str, pd.DataFrame],
    target: str,
) -> tuple[Correlation, ...]:
    found = {name: resampled.correlations([name], target) for name in variables}
    found = {name: one for name, one in found.items() if np.isfinite(one.values[0])}
    asked = sum(one.configurations > FEW_CONFIGURATIONS for one in found.values())
    several = dimensions(rows) > 1
    return tuple(
        _correlation(
            name,
            one,
            asked,
            _noise(variables[name].to_numpy(float)),
            name in KEYS or not several or metrics.named(name).across_dimensions,
        )
        for name, one in found.items()
    )


def _correlation(
    name: str, found: Correlations, asked: int, noise: float, across_dimensions: bool
) -> Correlation:
    (value,), (resamples,), count = found.values, found.resamples, found.configurations
    low, high, shown = np.nan, np.nan, False
    if count > FEW_CONFIGURATIONS:
        low, high = hull(value, count, resamples, LEVEL)
        ends = hull(value, count, resamples, 1 - (1 - LEVEL) / asked)
        shown = ends[0] > _ROUNDING or ends[1] < -_ROUNDING
    return Correlation(name, value, low, high, shown, count, found.seeds, noise, across_dimensions)


def _advantages(
    resampled: Resampled, correlations: Sequence[Correlation], target: str
) -> tuple[Advantage, ...]:
    asked = [one for one in correlations if one.enough]
    found = []
    for one in asked:
        if one.trivial:
            continue
        against = [
            _against(resampled, one, other, target, len(asked)) for other in asked if other.trivial
        ]
        if against := [each for each in against if each is not None]:
            least = min(against, key=lambda each: each.low)
            better = one.shown and all(each.shown for each in against)
            found.append((not better, -abs(one.value), replace(least, shown=better)))
    found.sort(key=lambda each: each[:2])
    return tuple(advantage for *_, advantage in found)


def _against(
    resampled: Resampled, one: Correlation, other: Correlation, target: str, asked: int
) -> Advantage | None:
    """Against one trivial predictor, over the configurations that have both; None of too few."""
    both = resampled.correlations([one.predictor, other.predictor], target)
    if both.configurations <= FEW_CONFIGURATIONS or not np.isfinite(both.values).all():
        return None
    first, second = (np.abs(resamples) for resamples in both.resamples)
    low, high = percentile_interval(first - second, LEVEL)
    certain, _ = percentile_interval(first - second, 1 - (1 - LEVEL) / asked)
    difference = abs(both.values[0]) - abs(both.values[1])
    return Advantage(one.predictor, other.predictor, difference, low, high, certain > _ROUNDING)


def _noise(table: Floats) -> float:
    """Share of the seeds in the variance of configuration means; what all share is left out."""
    kept = table[:, np.isfinite(table).any(axis=0)]
    kept = kept[np.isfinite(kept).any(axis=1)]
    counts = np.isfinite(kept).sum(axis=0)
    if kept.shape[1] < 2 or not (counts > 1).any():
        return float("nan")
    rest = (kept - np.nanmean(kept, axis=1, keepdims=True))[:, counts > 1]
    seeds = (np.nanvar(rest, axis=0, ddof=1) / counts[counts > 1]).mean()
    between = np.nanmean(kept, axis=0).var(ddof=1)
    return float(min(seeds / between, 1.0)) if between > 0 else float("nan")
