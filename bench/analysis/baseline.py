"""What a regression gate compares with: the rows of a baseline, each of them examined."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from bench.analysis.sound import damage
from bench.metrics.registry import METRICS, Metrics

__all__ = ["GateError", "examine"]

_LEAST_SEEDS = 2  # of one no spread is known: nothing could ever be called worse


class GateError(ValueError):
    """The baseline cannot serve; the message says what to do."""


def examine(
    baseline: pd.DataFrame,
    matrix: str,
    seeds: Mapping[str, Collection[int]],
    metrics: Metrics = METRICS,
) -> None:
    """Refuse a baseline that says nothing about a run, which need not have happened yet.

    Args:
        baseline: Tidy rows.
        matrix: Name of the matrix that runs.
        seeds: Seeds of each of its configurations.
        metrics: Known metrics.

    Raises:
        GateError: If the baseline is empty, of another matrix, of other configurations, or of fewer
            seeds; if a row has an unknown name or an impossible number, or stands there twice; or
            if the run is of one seed.
    """
    anew = "make it anew from a run that you trust"
    if baseline.empty:
        raise GateError(f"expected rows in the baseline, got none; {anew}")
    names = sorted(baseline["matrix"].unique())
    if names != [matrix]:
        raise GateError(f"expected a baseline of {matrix}, got {', '.join(names)}; {anew}")
    if what := damage(baseline, "the baseline", metrics) or _infinite(baseline):
        raise GateError(f"expected {what}; {anew}")
    units = baseline["metric"].map({name: metric.unit for name, metric in metrics.items()})
    if (other := baseline[(baseline["metric"] != "") & (baseline["unit"] != units)]).size:
        first = other.iloc[0]
        raise GateError(
            f"expected {first['metric']} of the baseline in {metrics[first['metric']].unit}, got "
            f"{first['unit'] or 'no unit'}; {anew}"
        )
    common = [config for config in baseline["config"].unique() if config in seeds]
    if not common:
        raise GateError(f"expected a baseline with configurations of this matrix, got none; {anew}")
    for config in common:
        theirs = set(baseline.loc[baseline["config"] == config, "seed"])
        if set(seeds[config]) - theirs:
            raise GateError(
                f"expected {len(seeds[config])} seeds of {config} in the baseline, "
                f"got {len(theirs & set(seeds[config]))} of them; {anew}"
            )
    fewest = min(len(set(own)) for own in seeds.values())
    if fewest < _LEAST_SEEDS:
        raise GateError(
            f"expected at least {_LEAST_SEEDS} seeds, got {fewest}, whose spread is not known, so "
            "that nothing could be called worse; run more seeds"
        )


def _infinite(rows: pd.DataFrame) -> str:
    """Says that there are infinite numbers, which have no mean; else empty."""
    numbers = rows[["value", "standard_error"]].to_numpy(float)
    count = np.isinf(numbers).any(axis=1).sum()
    return f"finite numbers in the baseline, got infinite ones in {count} rows" if count else ""
