"""Which cells of a plan are there as rows alone, and what a run does with them."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from bench.rows import read_rows
from bench.run.job import Job
from bench.run.kept_rows import KeptRows
from bench.run.model_store import is_stored
from bench.run.progress import counted, duration
from bench.run.store import Store

__all__ = ["Alone", "rows_alone"]

_UNSIGNED = "no rows.json beside them says which code measured them"


@dataclass(frozen=True)
class Alone:
    """Cells whose rows a run does not take as they are, with no record and no model beside them.

    Attributes:
        table: the file that holds them.
        seconds: cell id -> what it took, nan where that is unknown, of rows of other code.
        unsigned: the same of rows of which nothing says which code measured them.
        lost: how many such rows are of cells that are not to run, and left out with that.
    """

    table: Path
    seconds: dict[str, float]
    unsigned: dict[str, float]
    lost: int = 0

    def sentences(self, *, dry: bool) -> list[str]:
        """Says what is there, and what a run makes of it.

        Args:
            dry: whether nothing runs now.

        Returns:
            A sentence for each kind that there is.
        """
        would = "a run would" if dry else "this run will"
        kinds = (
            (self.seconds, "other code measured them", "; --allow-stale keeps them"),
            (self.unsigned, _UNSIGNED, ""),
        )
        said = [
            f"{self.table} holds {len(cells)} of these cells as rows alone, without models, and "
            f"{why}: they and their pages can be read as they are; {would} train "
            f"{'it' if len(cells) == 1 else 'them'} anew{_took(cells)} and replace the rows{keeps}"
            for cells, why, keeps in kinds
            if cells
        ]
        if self.lost:
            said.append(
                f"{self.table} holds {counted(self.lost, 'other cell')} as rows alone, and "
                f"{_UNSIGNED}: {would} leave them out of rows.csv and the pages"
            )
        return said


def _took(cells: dict[str, float]) -> str:
    known = [seconds for seconds in cells.values() if math.isfinite(seconds)]
    return f" ({duration(sum(known))} one after another when they ran)" if sum(known) else ""


def rows_alone(
    folder: Path, jobs: Iterable[Job], only: Collection[str] = (), *, keep_stale: bool = False
) -> Alone:
    """Look for them, as in a fresh clone, where only the tables are.

    Args:
        folder: of the matrix.
        jobs: all of the plan, with all their cells.
        only: names of the configurations that are to run; all by default.
        keep_stale: whether rows of other code are taken as they are.

    Returns:
        What is found; nothing of a table that cannot be read.
    """
    found = Alone(folder / "rows.csv", {}, {})
    records = Store(folder, only_look=True).names()
    bare = [
        (job, cell)
        for job in jobs
        for cell, seed in job.cells.items()
        if cell not in records and not is_stored(job, seed)
    ]
    if not bare or not found.table.is_file():
        return found
    try:
        rows, codes = read_rows(found.table), KeptRows(folder).codes()
    except (OSError, ValueError):  # damaged, which a run says
        return found
    measured = rows[rows["status"].isin(["ok", "diverged"])].drop_duplicates("cell")
    took = dict(zip(measured["cell"], measured["seconds"], strict=True))
    lost = 0
    for job, cell in bare:
        code, chosen = codes.get(cell), not only or job.name in only
        if cell not in took or code == job.code or (code is not None and keep_stale):
            continue
        lost += code is None and not chosen
        if chosen:
            (found.unsigned if code is None else found.seconds)[cell] = float(took[cell])
    return replace(found, lost=lost)
