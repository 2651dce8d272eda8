"""What a regression gate compares with: the rows of a baseline, each of them examined."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from bench.analysis.replicates import SPLITS
from bench.metrics.registry import METRICS, Metrics
from vaelib.samples.options import DECILES, REFERENCES, SOURCES

__all__ = ["GateError", "examine"]

_LEAST_SEEDS = 2  # of one no spread is known: nothing could ever be called worse
_ROW = ["config", "seed", "split", "source", "metric"]
_STATUSES = ("ok", "diverged", "failed", "timeout", "died", "missing")
_OWN_SOURCES = ("", "gauge_fixed", *SOURCES, *REFERENCES, *DECILES)


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
    if what := _damage(baseline, metrics):
        raise GateError(f"expected {what}; {anew}")
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


def _damage(rows: pd.DataFrame, metrics: Metrics) -> str:
    """What is wrong with the first row that is, as "what is expected, got …"; else empty."""
    measured = rows[rows["metric"] != ""]
    known = {
        "metrics": (rows["metric"], {*metrics, ""}),
        "splits": (measured["split"], {*SPLITS, "sample"}),
        "sources": (measured["source"], set(_OWN_SOURCES)),
        "statuses": (rows["status"], set(_STATUSES)),
    }
    for what, (column, names) in known.items():
        if unknown := sorted(set(column) - names):
            return f"known {what} in the baseline, got {unknown[0]}"
    cells = rows[["config", "seed", "cell"]].drop_duplicates()
    if (twice := cells[cells.duplicated(["config", "seed"])]).size:
        first = twice.iloc[0]
        return f"one cell for each seed of {first['config']}, got another for seed {first['seed']}"
    if (twice := rows[rows.duplicated(_ROW)]).size:
        first = twice.iloc[0]
        what = f"{first['metric'] or first['status']} of {first['config']}, seed {first['seed']}"
        return f"every row of the baseline once, got {what} twice"
    if infinite := np.isinf(rows[["value", "standard_error"]].to_numpy(float)).any(axis=1).sum():
        return f"finite numbers in the baseline, got infinite ones in {infinite} rows"
    p_values = rows["p_value"]
    if (outside := rows[(p_values < 0) | (p_values > 1)]).size:
        first = outside.iloc[0]
        return f"p-values between 0 and 1 in the baseline, got {first['p_value']:g}"
    return ""
