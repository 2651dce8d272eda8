"""What the raw numbers of the calibration say: inside or outside, and by how much."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from bench.calibration.answers.rates import answer_rates
from bench.calibration.bands import BAND, band
from bench.calibration.estimators import EXACT
from bench.calibration.intervals import APPROXIMATE
from bench.errors import DamagedError, reason
from vaelib.reading import read_bytes

__all__ = ["LARGEST_Z", "decisive", "judged", "raw_table", "read_table", "summary"]

LARGEST_Z = 3.0
"""Standard errors from the oracle beyond which an estimator is outside."""


def read_table(folder: Path, subject: str) -> pd.DataFrame:
    """Read one table with its verdicts.

    Args:
        folder: Of the page's tables.
        subject: Name of the table.

    Returns:
        The table as `judged`, of answers their rates; what was run again stands in the last run
        alone.
    """
    return judged(subject, decisive(raw_table(folder, subject)))


def raw_table(folder: Path, subject: str) -> pd.DataFrame:
    """Read one table as it was written.

    Args:
        folder: Of the page's tables.
        subject: Name of the table.

    Returns:
        The table.

    Raises:
        DamagedError: Where it is no table.
        OSError: Where it cannot be read for now.
    """
    path = folder / f"{subject}.csv"
    try:
        return pd.read_csv(io.BytesIO(read_bytes(path)), dtype={"code": str})  # 0e12 is no number
    except (OSError, ValueError) as error:
        raise DamagedError(
            f"expected a table of `vaebench validate` in {path}, got something else "
            f"({reason(error)}); remove it and run the same command without --rebuild"
        ) from error


def decisive(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop first runs of what was run again.

    Args:
        frame: A table.

    Returns:
        Its decisive rows; those whose parameters agree were one experiment.
    """
    keys = [name for name in _KEYS if name in frame]
    if "again" not in frame:
        return frame
    groups = frame.groupby(keys, sort=False, dropna=False)
    order, last = groups.ngroup(), groups["again"].transform("max")
    kept = frame.assign(order=order)[frame["again"] == last].sort_values("order", kind="stable")
    return kept.drop(columns="order").reset_index(drop=True)


_KEYS = ("estimator", "what", "setting", "test", "n", "D", "N", "scale", "null", "level")


def judged(subject: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Add verdicts to a table.

    Args:
        subject: Its name.
        frame: Decisive rows.

    Returns:
        The table, parts summed, with the column ``outside`` and what it rests on.
    """
    return _JUDGES[subject](frame)


def _estimators(frame: pd.DataFrame) -> pd.DataFrame:
    bias = frame["mean"] - frame["oracle"]
    z = bias / frame["error"].clip(lower=1e-12)
    beyond = z.abs() > LARGEST_Z
    beyond = beyond.mask(frame["promise"] == "at most", z > LARGEST_Z)
    beyond = beyond.mask(frame["promise"] == "exact", frame["largest"] > EXACT)
    return frame.assign(bias=bias, z=z.mask(frame["promise"] == "exact"), outside=beyond)


def _excess(frame: pd.DataFrame) -> pd.DataFrame:
    z = frame["excess"] / frame["excess_error"]
    low = frame["loo"] / frame["loo_error"] > LARGEST_Z
    high = frame["marginal_kl"] / frame["marginal_kl_error"] < -LARGEST_Z
    return frame.assign(z=z, outside=(z.abs() > LARGEST_Z) | low | high)


def _levels(frame: pd.DataFrame) -> pd.DataFrame:
    keys = ["test", "n", "D", "null", "level", "draws"]
    sums = frame.groupby(keys, sort=False).agg(
        parts=("part", "count"),
        repetitions=("repetitions", "sum"),
        rejections=("rejections", "sum"),
        again=("again", "max"),
    )
    table = sums.reset_index()
    nulls = table["parts"].where(table["draws"] > 0, 0)
    columns = (table["level"], table["repetitions"], nulls, table["draws"])
    ends = [band(*arguments) for arguments in zip(*columns, strict=True)]
    low, high = np.array(ends).reshape(-1, 2).T
    return table.assign(
        low=low,
        high=high,
        outside=table["rejections"] > high,
        conservative=table["rejections"] < low,
    )


def _power(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(power=frame["rejections"] / frame["repetitions"], outside=False)


def _intervals(frame: pd.DataFrame) -> pd.DataFrame:
    about = frame["promise"] == "about"
    least = frame["nominal"].mask(about, frame["nominal"] - APPROXIMATE)
    ends = [
        (band(lowest, n)[0], band(nominal, n)[1])
        for lowest, nominal, n in zip(least, frame["nominal"], frame["repetitions"], strict=True)
    ]
    low, high = np.array(ends).reshape(-1, 2).T
    beyond = (frame["held"] < low) & (frame["promise"] != "no promise")
    beyond |= (frame["held"] > high) & (frame["promise"] == "exact")
    return frame.assign(low=low, high=high, outside=beyond)


_JUDGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "answers": answer_rates,
    "estimators": _estimators,
    "excess": _excess,
    "levels": _levels,
    "power": _power,
    "intervals": _intervals,
}

_SENTENCES = {
    "answers": f"of {{}} error rates of the answer above its {BAND:.1%} band",
    "estimators": f"of {{}} estimators more than {LARGEST_Z:g} standard errors from its oracle",
    "excess": "of {} excesses given scale, a diagnostic, more than "
    f"{LARGEST_Z:g} standard errors from 0",
    "levels": f"of {{}} levels of tests above its {BAND:.1%} band",
    "intervals": "of {} intervals and gates short of its coverage",
}


def summary(folder: Path) -> tuple[int, str]:
    """Count what lies outside, in the tables that there are.

    Args:
        folder: Of the page's tables.

    Returns:
        How many, and one sentence.
    """
    total, clauses = 0, []
    for subject, text in _SENTENCES.items():
        if not (folder / f"{subject}.csv").is_file():
            continue
        outside = read_table(folder, subject)["outside"]
        count = int(outside.sum())
        total += count
        clauses.append(f"{count} {text.format(len(outside))}")
    return total, "; ".join(clauses) + "."
