"""Rows to tables of replicates, and seeds to intervals.

The contract in one sentence: every statistic is a function of a *replicates* table, one row per
seed and one column per configuration, NaN where a cell has no value, which `replicates` cuts from
the tidy rows. The replicate is the training seed, and all comparisons pair by seed
(`bench.analysis.comparison`).
"""

from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy import stats

from bench.metrics.metric import Metric
from bench.rows import COLUMNS
from vaelib.numerics.arrays import Floats

__all__ = [
    "FEW_SEEDS",
    "LEVEL",
    "SPLITS",
    "TOO_FEW",
    "between_sources",
    "collapses",
    "contested",
    "dimensions",
    "failures",
    "measured_keys",
    "rejections",
    "remeasured",
    "replicates",
    "saturated",
    "summarise",
    "t_interval",
    "varied_keys",
]


LEVEL = 0.95
FEW_SEEDS = 4
_TOLD = 0.05  # nats of an input in z, below which the model has collapsed: the margin of a KL
TOO_FEW = "too few seeds for a claim"
SPLITS = ("test", "train")
"""In the order in which they are shown; the first that there is decides."""


def varied_keys(frame: pd.DataFrame) -> list[str]:
    """Name what differs between the configurations of these rows.

    Args:
        frame: Tidy rows, for example those of one study.

    Returns:
        "dataset" where there are several, then the columns of configuration keys with more than
        one value, in their order. Of a whole table and its options, those that tell: the options
        where each configuration has them and they distinguish as much, else the table.
    """
    keys = [str(key) for key in frame.columns if key == "dataset" or key not in COLUMNS]
    keys = [key for key in keys if frame[key].nunique(dropna=False) > 1]
    for table in list(keys):
        options = [key for key in keys if key.startswith(f"{table}.")]
        others = [key for key in keys if key != table]
        if options:
            told = len(frame[others].drop_duplicates()) == len(frame[keys].drop_duplicates())
            lacking = frame[options].isna() | frame[options].isin([""])
            enough = told and not lacking.any(axis=None)
            keys = others if enough else [key for key in keys if key not in options]
    return keys


def failures(frame: pd.DataFrame) -> pd.DataFrame:
    """List the cells that gave no result.

    Args:
        frame: Tidy rows.

    Returns:
        One row per cell whose status is not ok: config, dataset, seed, status, message, seconds.
    """
    bad = frame[frame["status"] != "ok"].drop_duplicates(["config", "seed"])
    return bad[["config", "dataset", "seed", "status", "message", "seconds"]]


def measured_keys(frame: pd.DataFrame, names: Collection[str]) -> set[tuple[str, str, str]]:
    """Find which metrics there are.

    Args:
        frame: Tidy rows.
        names: Of the known metrics.

    Returns:
        Every (metric, split, source) with a value or p-value, of the known metrics.
    """
    present = frame["value"].notna() | frame["p_value"].notna()
    rows = frame[(frame["status"] == "ok") & present & frame["metric"].isin(list(names))]
    keys = rows[["metric", "split", "source"]].drop_duplicates()
    return set(keys.itertuples(index=False, name=None))


def replicates(
    frame: pd.DataFrame, metric: str, split: str, source: str = "", column: str = "value"
) -> pd.DataFrame:
    """Cut one metric out of the tidy rows.

    Args:
        frame: Tidy rows.
        metric: Its name.
        split: The split it was measured on.
        source: The latent source, for sample quality.
        column: What to take: value, standard_error or p_value.

    Returns:
        Shape (S, configurations): index seed, ascending; columns config in the order of the rows;
        NaN where a cell failed, diverged or gave no finite number.

    Raises:
        ValueError: If a cell has several such rows.
    """
    chosen = frame[frame["metric"] == metric]  # first, as the rest is then a few rows
    ok = (chosen["status"] == "ok") & (chosen["split"] == split)
    chosen = chosen[ok & (chosen["source"] == source)]
    seeds = pd.Index(np.sort(frame["seed"].unique()), name="seed")
    configs = pd.Index(frame["config"].unique(), name="config")
    places = seeds.get_indexer(chosen["seed"]), configs.get_indexer(chosen["config"])
    table = np.full((len(seeds), len(configs)), np.nan)
    taken = np.zeros(table.shape, int)
    np.add.at(taken, places, 1)
    if (taken > 1).any():
        raise ValueError(
            f"expected one {metric} on {split} for each configuration and seed, got several; "
            "remove the repeated rows"
        )
    table[places] = chosen[column].to_numpy(float)
    table[~np.isfinite(table)] = np.nan
    return pd.DataFrame(table, seeds, configs, copy=False)  # a copy would add up in another order


def saturated(frame: pd.DataFrame, split: str) -> list[str]:
    """Name the configurations of which at least one seed is saturated (R > log N - 1).

    Args:
        frame: Tidy rows.
        split: The split whose inputs were encoded.

    Returns:
        Configurations whose joint KL is a matter of N and must not be compared.
    """
    flags = replicates(frame, "saturated", split)
    return [str(config) for config in flags.columns[(flags > 0.5).any()]]


def contested(frame: pd.DataFrame, metric: Metric, split: str, source: str = "") -> pd.DataFrame:
    """What configurations are compared by: values, or how far each lies from that of real images.

    Args:
        frame: Tidy rows.
        metric: A metric with a direction.
        split: The split it was measured on.
        source: The latent source, for sample quality.

    Returns:
        As `replicates`. Where the direction is ``"real"``, each value's distance to that of real,
        unseen images in the same cell: lower is better; NaN where the cell has no such value.
    """
    values = replicates(frame, metric.name, split, source)
    if metric.better != "real":
        return values
    return (values - replicates(frame, metric.name, split, "floor")).abs()


def between_sources(
    frame: pd.DataFrame, metric: str, first: str, second: str, split: str = "test"
) -> pd.DataFrame:
    """The difference that a latent source makes, paired within each model.

    Args:
        frame: Tidy rows.
        metric: Its name.
        first: A latent source.
        second: The one to subtract.
        split: The split it was measured on.

    Returns:
        First less second, as `replicates`.
    """
    one, other = (replicates(frame, metric, split, source) for source in (first, second))
    return one - other


def collapses(frame: pd.DataFrame, split: str) -> pd.DataFrame:
    """Count the seeds on which z says nothing of its input.

    No posterior mean moves with the input, and z holds less than .05 nats about it: an encoder may
    tell inputs apart by its scales alone. Such a model matches any prior, at the price of one grey
    image. A configuration of which half
    the seeds or more collapsed is no contender; one of which fewer did is ranked by all its seeds,
    the dead among them, and pages say how many those are.

    Args:
        frame: Tidy rows.
        split: The split whose inputs were encoded.

    Returns:
        Index config; columns collapsed and S, the seeds whose active units were counted, and apart,
        whether the configuration is listed apart.
    """
    units = replicates(frame, "active_units", split)
    told = replicates(frame, "mutual_information", split).reindex_like(units)
    dead, seeds = ((units == 0) & ~(told > _TOLD)).sum(), units.notna().sum()
    return pd.DataFrame({"collapsed": dead, "S": seeds, "apart": (dead > 0) & (2 * dead >= seeds)})


def remeasured(frame: pd.DataFrame) -> list[str]:
    """Name the configurations that measure the models of another one, with other options.

    Args:
        frame: Tidy rows, which hold every key that a study of their matrix varies.

    Returns:
        Those that differ from an earlier one in options of ``quality`` alone.
    """
    keys = [key for key in frame.columns if key not in COLUMNS]
    trained = [key for key in keys if not key.startswith("quality.")]
    if len(trained) == len(keys):
        return []
    first = frame.drop_duplicates("config")
    return list(first.loc[first.duplicated(["dataset", *trained]), "config"])


def dimensions(frame: pd.DataFrame) -> int:
    """Count the latent dimensions D that configurations have.

    Args:
        frame: Tidy rows, which hold D where any study of their matrix varies it.

    Returns:
        How many different ones there are.
    """
    return frame["latent_dim"].nunique() if "latent_dim" in frame else 1


def t_interval(values: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Student t interval of a mean over seeds.

    The percentile bootstrap covers .84 at S = 5 where this covers its nominal .95.

    Args:
        values: Shape (S,) or (S, K), NaN where there is no value.
        level: Coverage.

    Returns:
        Mean and half width, shape () or (K,); the half width is NaN below two values.
    """
    present = np.isfinite(values)
    count = present.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = np.where(present, values, 0.0).sum(axis=0) / count
        squares = np.where(present, (values - mean) ** 2, 0.0).sum(axis=0)
        error = np.sqrt(squares / (count - 1) / count)
        half = stats.t.ppf((1 + level) / 2, count - 1) * error
    return mean, np.where(count > 1, half, np.nan)


def summarise(
    frame: pd.DataFrame, metric: str, split: str, source: str = "", level: float = LEVEL
) -> pd.DataFrame:
    """Mean over seeds of each configuration, its t interval, S and failures.

    Args:
        frame: Tidy rows.
        metric: Its name.
        split: The split it was measured on.
        source: The latent source, for sample quality.
        level: Coverage of the interval.

    Returns:
        Index config; columns mean, half_width, low, high (in the metric's unit; no interval below
        two seeds), S (seeds with a value), failures (cells without a result) and note.
    """
    table = replicates(frame, metric, split, source)
    mean, half = t_interval(table.to_numpy(), level)
    count = table.notna().sum()
    failed = failures(frame)["config"].value_counts()
    return pd.DataFrame(
        {
            "mean": mean,
            "half_width": half,
            "low": mean - half,
            "high": mean + half,
            "S": count,
            "failures": failed.reindex(table.columns, fill_value=0),
            "note": np.where(count <= FEW_SEEDS, TOO_FEW, ""),
        }
    )


def rejections(frame: pd.DataFrame, test: str, split: str, alpha: float = 0.05) -> pd.DataFrame:
    """Count the seeds on which a test rejects.

    Args:
        frame: Tidy rows.
        test: The name of a metric with p-values.
        split: The split it was run on.
        alpha: Level.

    Returns:
        Index config; columns rejected and S, the seeds with a p-value.
    """
    p_values = replicates(frame, test, split, column="p_value")
    return pd.DataFrame({"rejected": (p_values <= alpha).sum(), "S": p_values.notna().sum()})
