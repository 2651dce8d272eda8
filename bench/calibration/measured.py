"""Which code measured a table of the calibration, and whether that is the present one."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bench.errors import DamagedError, reason
from vaelib.code_hash import code_hash
from vaelib.reading import read_bytes

__all__ = ["BEFORE", "CODE", "code_of", "measured"]

CODE = {
    "again": "bench.calibration.answers.audits",
    "answers": "bench.calibration.answers.audits",
    "estimators": "bench.calibration.estimators",
    "excess": "bench.calibration.excess",
    "intervals": "bench.calibration.intervals",
    "levels": "bench.calibration.levels",
    "power": "bench.calibration.levels",
    "reach": "bench.calibration.reach",
    "subset": "vaelib.stats.divergences",
}
"""The module of each table: with all that it imports, it decides the rows."""

BEFORE = "before-hashes.json"
"""Of tables that were written without hashes: the commit and the day that each came with."""

_DIGITS = 12


def code_of(table: str) -> str:
    """Hash of the present code that decides the rows of a table.

    Args:
        table: Its name, a key of `CODE`.

    Returns:
        What stands in the column ``code``.
    """
    return code_hash(CODE[table])[:_DIGITS]


def measured(folder: Path, table: str, frame: pd.DataFrame) -> str:
    """Say which code measured a table, and whether that is the present one.

    Args:
        folder: Of the page's tables.
        table: Its name, a key of `CODE`.
        frame: The table as it was written.

    Returns:
        One sentence.

    Raises:
        DamagedError: For a file beside the tables that does not say which commits they came with.
    """
    link = f"`{table}.csv`"
    if "code" not in frame:
        known = _before(folder).get(table)
        came = "" if known is None else f", by commit {known['commit']} of {known['date']}"
        return (
            f"{link} was measured before hashes of the code were kept{came}: not by the present "
            "code, which may measure something else."
        )
    found = sorted(set(frame["code"].astype(str)))
    hashes = ", ".join(f"`{one}`" for one in found)
    if found == [code_of(table)]:
        return f"{link} was measured by the present code, of the hash {hashes}."
    also = " and by other code" if code_of(table) in found else ", which is not the present code"
    return f"{link} was measured by code of the hash {hashes}{also}: it may measure something else."


def _before(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / BEFORE
    if not path.is_file():
        return {}
    try:
        return {table: _came(entry) for table, entry in json.loads(read_bytes(path)).items()}
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise DamagedError(
            f"expected the commit and date of tables in {path}, got something else "
            f"({reason(error)}); restore it"
        ) from error


def _came(entry: Mapping[str, object]) -> dict[str, str]:
    return {key: str(entry[key]) for key in ("commit", "date")}
