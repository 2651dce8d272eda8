"""What a table of rows must be, whoever wrote it: known names, one cell a seed, no row twice."""

from collections.abc import Collection

import pandas as pd

from bench.analysis.replicates import SPLITS
from vaelib.samples.options import DECILES, REFERENCES, SOURCES

__all__ = ["damage"]

_ROW = ["config", "seed", "split", "source", "metric"]
_OF_CELL = ("matrix", "study", "dataset", "status", "schema")
"""Columns that say the same in all rows of a cell."""
_STATUSES = ("ok", "diverged", "failed", "timeout", "died", "missing")
_OWN_SOURCES = ("", "gauge_fixed", *SOURCES, *REFERENCES, *DECILES)


def damage(rows: pd.DataFrame, where: str, metrics: Collection[str] | None = None) -> str:
    """What is wrong with the first row that is.

    Args:
        rows: Tidy rows.
        where: What they are called.
        metrics: Names of the known metrics; None where any name will do.

    Returns:
        What was expected and what is there, as "known splits in …, got …"; empty where all is well.
    """
    measured = rows[rows["metric"] != ""]
    known = {
        "metrics": (rows["metric"], {*(rows["metric"] if metrics is None else metrics), ""}),
        "splits": (measured["split"], {*SPLITS, "sample"}),
        "sources": (measured["source"], set(_OWN_SOURCES)),
        "statuses": (rows["status"], set(_STATUSES)),
    }
    for what, (column, names) in known.items():
        if unknown := sorted(set(column) - names):
            return f"known {what} in {where}, got {unknown[0]}"
    cells = rows[["config", "seed", "cell"]].drop_duplicates()
    if (twice := cells[cells.duplicated(["config", "seed"])]).size:
        first = twice.iloc[0]
        return f"one cell for each seed of {first['config']}, got another for seed {first['seed']}"
    for name in _OF_CELL:
        said = rows[["config", "seed", name]].drop_duplicates()
        if (twice := said[said.duplicated(["config", "seed"])]).size:
            first = twice.iloc[0]
            cell = f"{first['config']}, seed {first['seed']}"
            return f"one {name} for each cell of {where}, got {first[name]!r} too for {cell}"
    if (twice := rows[rows.duplicated(_ROW)]).size:
        first = twice.iloc[0]
        what = f"{first['metric'] or first['status']} of {first['config']}, seed {first['seed']}"
        return f"every row of {where} once, got {what} twice"
    p_values = rows["p_value"]
    if (outside := rows[(p_values < 0) | (p_values > 1)]).size:
        return f"p-values between 0 and 1 in {where}, got {outside.iloc[0]['p_value']:g}"
    if (negative := rows[rows["standard_error"] < 0]).size:
        return f"standard errors from 0 on in {where}, got {negative.iloc[0]['standard_error']:g}"
    return _holes(measured[measured["status"] == "ok"], where)


def _holes(measured: pd.DataFrame, where: str) -> str:
    """Which seed of a configuration lacks a row that another one has; a table may be cut off."""
    if measured.empty:
        return ""
    measured = measured.reset_index(drop=True)
    names = ["config", "metric", "split", "source"]
    seeds = measured.groupby(names, sort=False)["seed"].transform("size")
    all_seeds = measured.groupby("config")["seed"].transform("nunique")
    if (lacking := measured[seeds < all_seeds]).empty:
        return ""
    first = lacking.iloc[0]
    what = " ".join(text for text in (first["metric"], first["source"], first["split"]) if text)
    count = int(all_seeds[lacking.index[0]])
    return f"{what} of {first['config']} on each of {count} seeds in {where}, got it on fewer"
