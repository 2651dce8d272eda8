"""The check of a matrix: run what is missing, then compare with a baseline.

The run goes to a folder of its own, so that it never overwrites what it is compared with.
"""

from pathlib import Path

import pandas as pd

from bench.analysis import read_rows
from bench.benchmark import Plan, benchmark
from bench.executors import Executor
from bench.gate import Comparison, GateError, compare, examine
from bench.gate_page import junit, page
from bench.progress import Progress
from bench.runner import Summary
from bench.store import write_atomically

__all__ = ["check", "read_baseline", "write_findings"]

_ANEW = "make it anew from a run that you trust"


def read_baseline(path: Path) -> pd.DataFrame:
    """Read the rows of a baseline.

    Args:
        path: A ``rows.csv``.

    Returns:
        Tidy rows.

    Raises:
        GateError: If it is no table of rows, or breaks off in the middle of one.
    """
    try:
        whole = path.read_bytes().endswith(b"\n")
        frame = read_rows(path)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise GateError(f"expected a readable baseline in {path} ({reason}); {_ANEW}") from None
    if not whole:
        raise GateError(f"expected whole rows in {path}, got a last one cut short; {_ANEW}")
    return frame


def check(
    planned: Plan, baseline: Path, executor: Executor, progress: Progress, workers: int
) -> tuple[Summary, list[Comparison]]:
    """Run what a plan lacks and compare its rows with a baseline.

    Args:
        planned: The plan.
        baseline: The ``rows.csv`` to compare with, which is examined before anything runs.
        executor: Where to run.
        progress: Told what happens.
        workers: Processes that run at once, for the provenance.

    Returns:
        What became of every cell, and the comparisons.

    Raises:
        GateError: If the baseline cannot serve, or is what the run would write.
    """
    own = planned.folder / "rows.csv"
    if own.resolve() == baseline.resolve():
        raise GateError(f"expected --results apart from the baseline, got the folder of {baseline}")
    theirs = read_baseline(baseline)
    seeds: dict[str, set[int]] = {}
    for cell in planned.cells:
        seeds.setdefault(cell.configuration.name, set()).add(cell.seed)
    examine(theirs, planned.matrix.name, seeds)
    summary = benchmark(planned, executor, progress, workers)
    return summary, compare(read_rows(own), theirs)


def write_findings(
    found: list[Comparison], name: str, baseline: Path, markdown: Path | None, xml: Path | None
) -> None:
    """Write what the gate found, where a page or a JUnit file is wanted.

    Args:
        found: All comparisons.
        name: Of the matrix.
        baseline: What it was compared with.
        markdown: Where the page goes.
        xml: Where the test cases go.
    """
    if markdown:
        write_atomically(markdown, page(found, name, str(baseline)).encode())
    if xml:
        write_atomically(xml, junit(found, name))
