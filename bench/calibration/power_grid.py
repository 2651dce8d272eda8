"""Counts what the stack sees of planted departures, into the table that comes with the package.

``python -m bench.calibration.power_grid --repeats 50 --most-seconds 3000`` adds what is missing,
from cheap to dear, and keeps every row as soon as it is counted; rows that other code of the stack
counted are counted anew, after all that is missing. A setting ends after 8 or 17 repeats where all
its counts are clear, far from the shares at which words change. The whole grid takes hours.
"""

import hashlib
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import torch
import typer

from bench.calibration.bands import clopper_pearson
from bench.run.progress import counted, duration
from vaelib.audits import power
from vaelib.audits.departures import DEPARTURES
from vaelib.audits.power import Counted, Setting
from vaelib.code_hash import code_hash
from vaelib.files import write_atomically
from vaelib.reading import read_bytes

__all__ = ["LOOKS", "code", "due", "fill", "grid", "is_counted"]

SIZES = (100, 300, 1000, 3000, 10_000)
DIMENSIONS = (1, 2, 4, 8, 16, 32, 64, 128)
KLS = (0.05, 0.1, 0.2)
LOOKS = (8, 17)
"""Repeats of settings whose counts are clear by then: at 8 the exact 95 % interval of none lies
below a half, from 17 on that of all above four fifths."""
_WORDS = (0.5, 0.8)  # shares of the repeats at which what an audit or a plan says changes
_TABLE = Path(power.__file__).with_name("power.csv")


def grid() -> Iterator[Setting]:
    """Every setting, from cheap to dear."""
    every = itertools.product(SIZES, DIMENSIONS, DEPARTURES, ("axes", "rotated"), KLS)
    settings = (Setting(*one) for one in every)
    return iter(sorted(filter(lambda one: one.possible, settings), key=_cost))


def _cost(one: Setting) -> float:
    """Of one repeat, in no unit; what is quoted first comes before its like on axes."""
    beside = one.placed == "axes" and one.turned.possible
    return one.n * (8 + min(one.dimensions, 32)) * (10 if beside else 1)


def code() -> str:
    """Eight digits of the hash of what decides a count."""
    parts = [code_hash("vaelib.stats.stack.certify"), code_hash("vaelib.audits.departures")]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:8]


def is_counted(row: Counted, repeats: int) -> bool:
    """Whether a setting needs no further repeat.

    Args:
        row: its counts.
        repeats: wanted of it, unless its counts are clear before.

    Returns:
        True also from the first of `LOOKS` on where the exact 95 % intervals of all four counts
        hold none of the shares at which words change: all or none were seen, or nearly.
    """
    if row.repeats >= repeats:
        return True
    if row.repeats < LOOKS[0]:
        return False
    counts = (row.seen, row.proved, row.halved, row.decided)
    ends = [clopper_pearson(count, row.repeats) for count in counts]
    return not any(low <= share <= high for low, high in ends for share in _WORDS)


def due(rows: dict[Setting, Counted], repeats: int) -> list[Counted]:
    """What is to be counted, from where it stands.

    Args:
        rows: what was counted before.
        repeats: wanted of each setting.

    Returns:
        The missing, from cheap to dear, then what other code counted.
    """
    ours = code()
    missing, stale = [], []
    for one in grid():
        new = Counted(**one.__dict__, code=ours)
        row = rows.get(one, new)
        if row.code != ours:
            stale.append(new)
        elif not is_counted(row, repeats):
            missing.append(row)
    return missing + stale


def fill(path: Path, repeats: int, most_seconds: float) -> int:
    """Count until nothing is due or the time is over.

    Args:
        path: the table; made where there is none.
        repeats: wanted of each setting.
        most_seconds: after which no further setting begins.

    Returns:
        How many settings are still due.
    """
    torch.set_num_threads(1)
    start = time.perf_counter()
    before = power.read(read_bytes(path).decode()) if path.exists() else []
    rows = {row.setting: row for row in before}
    queue = due(rows, repeats)
    for done, row in enumerate(queue):
        took = time.perf_counter() - start
        if took >= most_seconds:
            return len(queue) - done
        for look in (*LOOKS, repeats):
            if row.repeats < look and not is_counted(row, repeats):
                row = power.count(row, min(look, repeats))
        rows[row.setting] = row
        write_atomically(path, power.written(rows.values()).encode())
        print(f"[{done + 1}/{len(queue)}] {duration(took)} {rows[row.setting]}", flush=True)
    return 0


def main(
    repeats: Annotated[
        int, typer.Option(min=1, help="Of each setting that is not clear before.")
    ] = 50,
    most_seconds: Annotated[
        float, typer.Option(help="After which no further setting begins.")
    ] = float("inf"),
    table: Annotated[Path, typer.Option(help="The CSV that is filled.")] = _TABLE,
) -> None:
    """Fill the table of planted departures; what is counted already is kept."""
    left = fill(table, repeats, most_seconds)
    print(f"{counted(left, 'setting is', 'settings are')} due" if left else "nothing is due")


if __name__ == "__main__":
    typer.run(main)
