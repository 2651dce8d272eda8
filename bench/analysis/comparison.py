"""Paired comparisons of configurations over seeds: tests, tie groups and rank intervals.

Every one takes a table of replicates, see `bench.analysis.replicates`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from bench.analysis.replicates import (
    FEW_SEEDS,
    LEVEL,
    TOO_FEW,
    collapses,
    contested,
    dimensions,
    saturated,
    t_interval,
)
from bench.metrics.metric import Metric
from vaelib.numerics.arrays import Floats
from vaelib.stats.multiple_testing import holm

__all__ = ["paired_t", "pairwise", "rank", "ranking", "rankings"]

_P_FLOOR = 1e-12  # nobody should believe a t tail further out than this
_GAPS = {  # columns of a ranking, and what of a pair with the best they are
    "gap": "difference",
    "gap_half_width": "half_width",
    "gap_p": "p_holm",
    "gap_probability": "probability",
}


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


def pairwise(table: pd.DataFrame, metric: Metric, level: float = LEVEL) -> pd.DataFrame:
    """Compare every two configurations on their common seeds.

    One family: paired t tests of all pairs with Holm's correction. Correcting only over the
    comparisons to the best would not do, because the best was chosen on the same seeds: among
    twelve equal configurations that declares one of them worse in 15 % of the cases.

    Args:
        table: What they are compared by, see `contested`, shape (S, K).
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
    pairs = _pairs(table.to_numpy(float), metric, level)
    first, second = np.triu_indices(table.shape[1], 1)
    a, b = np.concatenate([first, second]), np.concatenate([second, first])
    worse = pairs["better"].T
    columns = {name: values[a, b] for name, values in (pairs | {"worse": worse}).items()}
    return pd.DataFrame({"a": table.columns[a], "b": table.columns[b]} | columns)


def _pairs(values: Floats, metric: Metric, level: float) -> dict[str, npt.NDArray[Any]]:
    """What `pairwise` gives, of values (S, K): each of shape (K, K), of row against column."""
    if metric.better is None or metric.margin is None:
        raise ValueError(f"expected a metric with a direction, got {metric.name}; report it only")
    size = values.shape[1]
    first, second = np.triu_indices(size, 1)
    differences = values[:, first] - values[:, second]
    mean, half, p_value = paired_t(differences, metric.margin, level)
    count = np.isfinite(differences).sum(axis=0)
    above = ((differences > 0) + 0.5 * (differences == 0)).sum(axis=0) / np.maximum(count, 1)
    above = np.where(count > 0, above, 0.5)
    p_holm = holm(p_value)
    decided = (p_holm < 1 - level) & (count > FEW_SEEDS)
    higher = metric.better == "higher"
    chance = above if higher else 1 - above

    def both(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[Any]:
        square = np.zeros((size, size), one.dtype)
        square[first, second], square[second, first] = one, other
        return square

    return {
        "difference": both(mean, -mean),
        "half_width": both(half, half),
        "probability": both(chance, 1 - chance),
        "p_value": both(p_value, p_value),
        "p_holm": both(p_holm, p_holm),
        "S": both(count, count),
        "better": both(decided & ((mean > 0) == higher), decided & ((-mean > 0) == higher)),
    }


def rank(table: pd.DataFrame, metric: Metric, level: float = LEVEL) -> pd.DataFrame:
    """Order configurations, with what the seeds can say about the order.

    Args:
        table: What they are compared by, see `contested`, shape (S, K).
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
    values = table.to_numpy(float)
    pairs = _pairs(values, metric, level)
    mean, half = t_interval(values, level)
    order = np.argsort(-mean if metric.better == "higher" else mean, kind="stable")
    count, better = np.isfinite(values).sum(axis=0), pairs["better"]
    board = {
        "mean": mean,
        "half_width": half,
        "S": count,
        "rank_low": 1 + better.sum(axis=0),
        "rank_high": len(mean) - better.sum(axis=1),
        "tie": ~better.any(axis=0),
        "note": np.where(count <= FEW_SEEDS, TOO_FEW, ""),
    }
    best = order[:1]
    for name, column in _GAPS.items():
        gap = pairs[column][:, best].sum(axis=1)
        gap[best] = np.nan
        board[name] = gap
    return pd.DataFrame(board, index=table.columns).iloc[order]


def ranking(
    frame: pd.DataFrame, metric: Metric, split: str, source: str = "", level: float = LEVEL
) -> pd.DataFrame:
    """Rank the configurations of one data set.

    Saturated ones have no place in joint divergences; nobody has one by a metric that cannot be
    compared across the latent dimensions of these rows.

    Args:
        frame: Tidy rows of one data set.
        metric: A metric with a direction.
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
    table = contested(frame, metric, split, source)
    if not metric.across_dimensions and dimensions(frame) > 1:
        table = table.iloc[:, :0]
    elif metric.needs_unsaturated:
        table = table.drop(columns=saturated(frame, split))
    return rank(table, metric, level)


def rankings(frame: pd.DataFrame, metric: Metric, split: str, source: str = "") -> pd.DataFrame:
    """Rank the configurations of each data set by themselves, collapsed ones apart.

    Args:
        frame: Tidy rows.
        metric: A metric with a direction.
        split: The split it was measured on.
        source: The latent source, for sample quality.

    Returns:
        As `ranking`, one data set after the other, without the configurations that `collapses`
        sets apart: a dead model does not win.
    """
    counts = collapses(frame, split)
    alive = frame[~frame["config"].isin(counts.index[counts["apart"]])]
    datasets = [rows for _, rows in alive.groupby("dataset", sort=False)]
    boards = [ranking(rows, metric, split, source) for rows in datasets]
    return pd.concat(boards) if boards else rank(pd.DataFrame(), metric)
