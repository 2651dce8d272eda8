"""The question's answer, decided: how many configurations of a data set match the prior."""

import math
from dataclasses import dataclass

import pandas as pd

from bench.analysis.comparison import ranking
from bench.analysis.replicates import FEW_SEEDS, SPLITS, measured_keys, replicates
from bench.metrics.registry import METRICS

__all__ = ["Match", "match_of"]

_EXCESS = METRICS["marginal_kl_excess"]


@dataclass(frozen=True)
class Match:
    """What the seeds say about one data set.

    Attributes:
        data: Its name.
        margin: Excess KL, in nats, below which a configuration matches.
        split: The split that decides; empty where no cell has an excess KL.
        configurations: How many have an excess KL.
        ranked: How many of them are not saturated.
        matching: How many of those match: the 95 % interval lies below the margin.
        differing: How many do not: it lies above.
        closest: The one with the lowest mean excess; empty where none is ranked.
        mean: Its mean excess, nats.
        half_width: Half the width of its 95 % t interval, nats.
        seeds: Its S.
        note: What must be said of so many seeds, or empty.
        tied: How many others share its tie group.
        collapsed: Whether its posteriors say nothing about their inputs.
    """

    data: str
    margin: float
    split: str = ""
    configurations: int = 0
    ranked: int = 0
    matching: int = 0
    differing: int = 0
    closest: str = ""
    mean: float = math.nan
    half_width: float = math.nan
    seeds: int = 0
    note: str = ""
    tied: int = 0
    collapsed: bool = False


def match_of(rows: pd.DataFrame, data: str) -> Match:
    """Decide for one data set.

    Args:
        rows: Its tidy rows.
        data: Its name.

    Returns:
        The decision.
    """
    assert _EXCESS.margin is not None
    margin, measured = _EXCESS.margin, measured_keys(rows, METRICS)
    splits = [split for split in SPLITS if (_EXCESS.name, split, "") in measured]
    if not splits:
        return Match(data, margin)
    boards = {split: ranking(rows, _EXCESS, split) for split in splits}
    split = next((name for name in splits if len(boards[name])), splits[0])
    board = boards[split]
    count = int(replicates(rows, _EXCESS.name, split).notna().any().sum())
    if board.empty:
        return Match(data, margin, split, count)
    best, enough = board.iloc[0], board["S"] > FEW_SEEDS
    closest = str(board.index[0])
    return Match(
        data=data,
        margin=margin,
        split=split,
        configurations=count,
        ranked=len(board),
        matching=int((enough & (board["mean"] + board["half_width"] < margin)).sum()),
        differing=int((enough & (board["mean"] - board["half_width"] > margin)).sum()),
        closest=closest,
        mean=float(best["mean"]),
        half_width=float(best["half_width"]),
        seeds=int(best["S"]),
        note=str(best["note"]),
        tied=int(board["tie"].sum()) - 1,
        collapsed=("active_units", split, "") in measured and _collapsed(rows, closest, split),
    )


def _collapsed(rows: pd.DataFrame, config: str, split: str) -> bool:
    """Whether no unit of a configuration is active on any seed."""
    return bool((replicates(rows, "active_units", split)[config].dropna() == 0).all())
