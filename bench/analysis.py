"""Seeds to statistics: intervals, paired comparisons, tie groups and rank intervals.

The contract in one sentence: every statistic is a function of a *replicates* table, one row per
seed and one column per configuration, NaN where a cell has no value, which `replicates` cuts from
the tidy rows. The replicate is the training seed, and all comparisons pair by seed.
"""

from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from bench.metrics import Metric, metric_named
from bench.rows import COLUMNS

__all__ = [
    "FEW_SEEDS",
    "LEVEL",
    "TOO_FEW",
    "compare",
    "failures",
    "holm",
    "paired_t",
    "rank",
    "ranking",
    "read_rows",
    "rejections",
    "replicates",
    "saturated",
    "summarise",
    "t_interval",
    "varied_keys",
]

Floats = npt.NDArray[np.float64]

_NUMBERS = ["value", "standard_error", "p_value", "seconds"]
LEVEL = 0.95
FEW_SEEDS = 4
TOO_FEW = "too few seeds for a claim"
_P_FLOOR = 1e-12  # nobody should believe a t tail further out than this


def read_rows(path: Path) -> pd.DataFrame:
    """Read a table of rows to the last bit.

    Args:
        path: The CSV file.

    Returns:
        The tidy frame: text columns with empty text where there is nothing, numbers as float64
        with NaN, integer seeds; varied keys as numbers where all of their values are.

    Raises:
        ValueError: If a column of the rows is absent.
    """
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    if absent := [name for name in COLUMNS if name not in frame]:
        raise ValueError(f"expected the column {absent[0]} in {path}, got none; write it anew")
    frame[_NUMBERS] = frame[_NUMBERS].replace("", "nan").astype(float)
    keys = [name for name in frame.columns if name not in COLUMNS]
    for name in ["seed", *keys]:
        for kind in (int, float):
            with suppress(ValueError):
                frame[name] = frame[name].astype(kind)
                break
    return frame


def varied_keys(frame: pd.DataFrame) -> list[str]:
    """Name what differs between the configurations of these rows.

    Args:
        frame: Tidy rows, for example those of one study.

    Returns:
        "dataset" where there are several, then the columns of configuration keys with more than
        one value, in their order. Of a whole table and its options, those that tell: the options
        where they distinguish as much, else the table.
    """
    keys = [str(key) for key in frame.columns if key == "dataset" or key not in COLUMNS]
    keys = [key for key in keys if frame[key].nunique(dropna=False) > 1]
    for table in list(keys):
        options = [key for key in keys if key.startswith(f"{table}.")]
        others = [key for key in keys if key != table]
        if options:
            enough = len(frame[others].drop_duplicates()) == len(frame[keys].drop_duplicates())
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
    if chosen.duplicated(["config", "seed"]).any():
        raise ValueError(
            f"expected one {metric} on {split} for each configuration and seed, got several; "
            "remove the repeated rows"
        )
    table = chosen.pivot(index="seed", columns="config", values=column)
    table = table.reindex(index=np.sort(frame["seed"].unique()), columns=frame["config"].unique())
    return table.where(np.isfinite(table)).astype(float)


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


def holm(p_values: Floats) -> Floats:
    """Adjust p-values so that rejecting those below alpha has familywise error alpha (Holm 1979).

    Args:
        p_values: Shape (m,), of any dependence.

    Returns:
        Adjusted p-values, shape (m,).

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.arange(len(p_values), 0, -1) * p_values[order]
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(steps) else steps
    return adjusted


def paired_t(
    differences: Floats, margin: float, level: float = LEVEL
) -> tuple[Floats, Floats, Floats]:
    """Paired t test of no difference that survives differences without variance.

    The standard deviation is taken as no smaller than a tenth of the margin: seeds that agree to
    within that agree for our purpose. Equal columns so give p = 1 instead of NaN, a constant shift
    a small p instead of 0, and the test is conservative, never liberal.

    Args:
        differences: Shape (S,) or (S, K), NaN where a seed is not common to both.
        margin: Largest difference that does not matter, in the metric's unit.
        level: Coverage of the interval.

    Returns:
        Mean difference, half width of its interval, and two-sided p-value, shape () or (K,). Below
        two common seeds the half width is infinite and p is 1; without any the mean is NaN too.

    Raises:
        ValueError: If the margin is not positive.
    """
    if not margin > 0:
        raise ValueError(f"margin must be positive, got {margin}")
    count = np.isfinite(differences).sum(axis=0)
    mean, half = t_interval(differences, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        quantile = stats.t.ppf((1 + level) / 2, count - 1)
        error = np.maximum(half / quantile, margin / 10 / np.sqrt(count))
        p_value = np.maximum(2 * stats.t.sf(np.abs(mean) / error, count - 1), _P_FLOOR)
        half = error * quantile
    return mean, np.where(count > 1, half, np.inf), np.where(count > 1, p_value, 1.0)


def compare(table: pd.DataFrame, metric: Metric, level: float = LEVEL) -> pd.DataFrame:
    """Compare every two configurations on their common seeds.

    One family: paired t tests of all pairs with Holm's correction. Correcting only over the
    comparisons to the best would not do, because the best was chosen on the same seeds: among
    twelve equal configurations that declares one of them worse in 15 % of the cases.

    Args:
        table: Replicates, shape (S, K).
        metric: Gives direction and margin.
        level: Coverage of the intervals, and one minus the familywise error.

    Returns:
        Two rows per pair, one from each side: a, b; difference (mean of a - b in the metric's
        unit) with half_width, for the pair alone; probability (share of common seeds on which a is
        better, ties half); p_value and p_holm, never NaN or 0; S common seeds; better and worse
        (whether a is so: Holm-significant, on more than four seeds).

    Raises:
        ValueError: If the metric has no direction.
    """
    if metric.better is None or metric.margin is None:
        raise ValueError(f"expected a metric with a direction, got {metric.name}; report it only")
    values = table.to_numpy(float)
    first, second = np.triu_indices(values.shape[1], 1)
    differences = values[:, first] - values[:, second]
    mean, half, p_value = paired_t(differences, metric.margin, level)
    count = np.isfinite(differences).sum(axis=0)
    above = ((differences > 0) + 0.5 * (differences == 0)).sum(axis=0) / np.maximum(count, 1)
    above = np.where(count > 0, above, 0.5)
    p_holm = holm(p_value)
    side = pd.DataFrame(
        {
            "a": table.columns[first],
            "b": table.columns[second],
            "difference": mean,
            "half_width": half,
            "probability": above if metric.better == "higher" else 1 - above,
            "p_value": p_value,
            "p_holm": p_holm,
            "S": count,
        }
    )
    other = side.rename(columns={"a": "b", "b": "a"})
    other = other.assign(difference=-mean, probability=1 - side["probability"])
    pairs = pd.concat([side, other], ignore_index=True)
    decided = (pairs["p_holm"] < 1 - level) & (pairs["S"] > FEW_SEEDS)
    gained = (pairs["difference"] > 0) == (metric.better == "higher")
    return pairs.assign(better=decided & gained, worse=decided & ~gained)


def rank(table: pd.DataFrame, metric: Metric, level: float = LEVEL) -> pd.DataFrame:
    """Order configurations, with what the seeds can say about the order.

    Args:
        table: Replicates, shape (S, K).
        metric: Gives direction and margin.
        level: Simultaneous coverage of the rank intervals.

    Returns:
        Index config, best mean first, those without any value left out; columns mean, half_width,
        S; rank_low = 1 + configurations significantly better, rank_high = K - configurations
        significantly worse; tie (nothing is significantly better); against the best mean: gap and
        gap_half_width (in the metric's unit), gap_p (Holm over all pairs), gap_probability (share
        of common seeds on which it beats the best), NaN for the best itself; note.
    """
    table = table.dropna(axis=1, how="all")
    pairs = compare(table, metric, level)
    mean, half = t_interval(table.to_numpy(float), level)
    board = pd.DataFrame(
        {"mean": mean, "half_width": half, "S": table.notna().sum()}, index=table.columns
    )
    verdicts = pairs.groupby("a")[["better", "worse"]].sum().reindex(board.index, fill_value=0)
    board["rank_low"] = 1 + verdicts["worse"]
    board["rank_high"] = len(board) - verdicts["better"]
    board["tie"] = board["rank_low"] == 1
    board["note"] = np.where(board["S"] <= FEW_SEEDS, TOO_FEW, "")
    board = board.sort_values("mean", ascending=metric.better == "lower", kind="stable")
    to_best = pairs[pairs["b"].isin(board.index[:1])].set_index("a")
    columns = {"difference": "gap", "half_width": "gap_half_width"}
    columns |= {"p_holm": "gap_p", "probability": "gap_probability"}
    return board.join(to_best[list(columns)].rename(columns=columns))


def ranking(
    frame: pd.DataFrame, metric: str, split: str, source: str = "", level: float = LEVEL
) -> pd.DataFrame:
    """Rank the configurations of one data set; saturated ones have no place in joint divergences.

    Args:
        frame: Tidy rows of one data set.
        metric: The name of a metric with a direction.
        split: The split it was measured on.
        source: The latent source, for sample quality.
        level: Simultaneous coverage of the rank intervals.

    Returns:
        As `rank`.

    Raises:
        ValueError: If the rows hold several data sets, or the metric has no direction.
    """
    if len(names := frame["dataset"].unique()) > 1:
        raise ValueError(f"expected rows of one data set, got {', '.join(names)}; rank each alone")
    table = replicates(frame, metric, split, source)
    if metric_named(metric).needs_unsaturated:
        table = table.drop(columns=saturated(frame, split))
    return rank(table, metric_named(metric), level)


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
