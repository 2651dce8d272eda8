"""What the excess given scale says of a data set: a diagnostic, which decides nothing."""

from dataclasses import dataclass

import pandas as pd

from bench.analysis.replicates import (
    FEW_SEEDS,
    SPLITS,
    TOO_FEW,
    measured_keys,
    replicates,
    saturated,
    summarise,
)
from bench.metrics.registry import METRICS

__all__ = ["Match", "match_of"]

_EXCESS = METRICS["marginal_kl_excess"]


@dataclass(frozen=True)
class Match:
    """What the seeds say about one data set.

    Attributes:
        data: Its name.
        margin: Of the excess given scale, in nats.
        split: The split that is looked at; empty where no cell has an excess.
        configurations: How many have an excess.
        readable: How many of them are not saturated.
        within: How many of those have a 95 % interval below the margin.
        beyond: How many have it above.
        note: What must be said of so many seeds, or empty.
        collapsed: How many of those within are so because their posteriors say nothing about
            their inputs.
    """

    data: str
    margin: float
    split: str = ""
    configurations: int = 0
    readable: int = 0
    within: int = 0
    beyond: int = 0
    note: str = ""
    collapsed: int = 0


def match_of(rows: pd.DataFrame, data: str) -> Match:
    """Count for one data set.

    Args:
        rows: Its tidy rows.
        data: Its name.

    Returns:
        The counts; what is saturated is in none but the first.
    """
    assert _EXCESS.margin is not None
    margin, measured = _EXCESS.margin, measured_keys(rows, METRICS)
    splits = [split for split in SPLITS if (_EXCESS.name, split, "") in measured]
    if not splits:
        return Match(data, margin)
    boards = {split: _readable(rows, split) for split in splits}
    split = next((name for name in splits if len(boards[name])), splits[0])
    board, count = boards[split], int(replicates(rows, _EXCESS.name, split).notna().any().sum())
    enough = board["S"] > FEW_SEEDS
    within = enough & (board["high"] < margin)
    units = ("active_units", split, "") in measured
    return Match(
        data=data,
        margin=margin,
        split=split,
        configurations=count,
        readable=len(board),
        within=int(within.sum()),
        beyond=int((enough & (board["low"] > margin)).sum()),
        note="" if enough.all() else TOO_FEW,
        collapsed=sum(_collapsed(rows, str(c), split) for c in board.index[within]) if units else 0,
    )


def _readable(rows: pd.DataFrame, split: str) -> pd.DataFrame:
    """The excess of every configuration that has one and is not saturated."""
    board = summarise(rows, _EXCESS.name, split)
    return board[board["S"] > 0].drop(index=saturated(rows, split), errors="ignore")


def _collapsed(rows: pd.DataFrame, config: str, split: str) -> bool:
    """Whether no unit of a configuration is active on any seed."""
    return bool((replicates(rows, "active_units", split)[config].dropna() == 0).all())
