"""What the audit of a file could have seen: departures planted at its own n and D, and a table."""

import time
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from bench.report.terminal import table
from bench.run.progress import duration
from vaelib.audits.departures import DEPARTURES
from vaelib.audits.effects import Evidence
from vaelib.audits.measurement import Measurement, Progress
from vaelib.audits.moment_answers import Moments
from vaelib.audits.power import Counted, Setting, count

__all__ = ["count_planted", "planted_lines", "planted_table"]

_KLS = (1, 2, 4)  # margins


def count_planted(
    rows: Sequence[Measurement],
    moments: Mapping[str, Moments],
    margin: float,
    alpha: float,
    repeats: int,
    console: Console,
    progress: Progress,
) -> list[Counted]:
    """Plant departures of one, two and four margins at the n and D of an audit.

    Args:
        rows: of the audit.
        moments: split -> its moments; "test" decides where there is one.
        margin: KL in nats that still counts as a match.
        alpha: one-sided level.
        repeats: of each departure.
        console: standard error, where the time that it takes is announced after one of them.
        progress: told how far it is.

    Returns:
        The counts; none where nothing was played, or of a KL that a departure cannot have.
    """
    split = next(name for name in ("test", "train", "sample") if name in moments)
    n, dimensions = Evidence(rows, split).inputs, len(moments[split].mean)
    fitted = moments["train"].inputs if split == "test" else 0
    settings = _settings(n, dimensions, margin) if n else []
    counted: list[Counted] = []
    start = time.perf_counter()
    for one in settings:
        row = Counted(**one.__dict__)
        if not counted:
            row = count(row, 1, fitted=fitted, alpha=alpha)
            took = (time.perf_counter() - start) * len(settings) * repeats
            console.print(
                f"planting {len(settings)} departures {repeats} times each at n = {n:,}, "
                f"D = {dimensions}: about {duration(took)}",
                markup=False,
                highlight=False,
            )
        told = _continued(progress, len(counted) * repeats, len(settings) * repeats)
        counted.append(count(row, repeats, fitted=fitted, alpha=alpha, progress=told))
    return counted


def _settings(n: int, dimensions: int, margin: float) -> list[Setting]:
    """In random directions where that is another law."""
    both = [
        Setting(n, dimensions, name, placed, factor * margin)
        for name, kind in DEPARTURES.items()
        for factor in _KLS
        for placed in ("axes", "rotated")
        if factor * margin < kind.most
    ]
    return [
        one for one in both if one.possible and (one.placed == "rotated" or not one.turned.possible)
    ]


def _continued(progress: Progress, before: int, of: int) -> Progress:
    """Progress of one setting as part of that of all."""
    return lambda stage, done, _: progress(stage, before + done, of)


def planted_lines(rows: Sequence[Counted]) -> tuple[list[str], list[list[str]]]:
    """Heads and cells: a kind a row, a KL a column."""
    kls = sorted({row.kl for row in rows})
    cells = {(row.departure, row.kl): f"{row.seen} · {row.proved} of {row.repeats}" for row in rows}
    kinds = [name for name in DEPARTURES if any(row.departure == name for row in rows)]
    lines = [[kind, *(cells.get((kind, kl), "") for kl in kls)] for kind in kinds]
    return ["planted", *(f"{kl:g} nats" for kl in kls)], lines


def planted_table(rows: Sequence[Counted]) -> Table:
    """The same for a terminal."""
    title = "seen by the e-value · certified by the lower end"
    return table(*planted_lines(rows), title=title)
