"""The check of a matrix: run what is missing, then compare with a baseline.

The run goes to a folder of its own, so that it never overwrites what it is compared with.
"""

from pathlib import Path

import pandas as pd
from rich.console import Console

from bench.analysis.baseline import GateError, examine
from bench.analysis.gate import Comparison, compare, exit_code
from bench.commands.benchmark import benchmark, keeping
from bench.commands.outputs import check_output, write_output
from bench.commands.printing import tell
from bench.errors import refusal, unread
from bench.report.gate_page import junit, label, line, page, sentence, worst_first
from bench.rows import SCHEMA, read_rows
from bench.run.executors import Executor
from bench.run.plan import Plan
from bench.run.plan_apart import planned
from bench.run.progress import Progress, beating, progress_on
from bench.run.request import Request
from bench.run.resources import device_of, executor_of
from bench.run.summary import Summary
from vaelib.latent_files.entries import kind_of

__all__ = ["check", "execute", "read_baseline"]

_ANEW = "make it anew from a run that you trust"


def read_baseline(path: Path) -> pd.DataFrame:
    """Read the rows of a baseline.

    Args:
        path: A ``rows.csv``.

    Returns:
        Tidy rows.

    Raises:
        GateError: If it is no table of rows, breaks off in the middle of one, or is of a schema
            whose numbers mean something else.
        UserError: If it cannot be read by this user.
        NotDoneError: If it cannot be read for now.
    """
    try:
        frame = read_rows(path)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and unread(error):
            refused = refusal(error, "read", path)
            raise refused from error
        reason = kind_of(path) or " ".join(str(error).split()) or type(error).__name__
        raise GateError(f"expected a readable baseline in {path} ({reason}); {_ANEW}") from None
    if other := set(frame["schema"]) - {SCHEMA}:
        raise GateError(
            f"expected a baseline of schema {SCHEMA} in {path}, got {min(other)}, whose numbers "
            f"mean something else; {_ANEW}"
        )
    return frame


def check(
    plan: Plan, baseline: Path, executor: Executor, progress: Progress
) -> tuple[Summary, list[Comparison]]:
    """Run what a plan lacks and compare its rows with a baseline.

    Args:
        plan: The plan.
        baseline: The ``rows.csv`` to compare with, which is examined before anything runs.
        executor: Where to run.
        progress: Told what happens.

    Returns:
        What became of every cell, and the comparisons.

    Raises:
        GateError: If the baseline cannot serve, or is what the run would write.
    """
    own = plan.folder / "rows.csv"
    if own.resolve() == baseline.resolve():
        raise GateError(f"expected --results apart from the baseline, got the folder of {baseline}")
    theirs = read_baseline(baseline)
    seeds: dict[str, set[int]] = {}
    for cell in plan.cells:
        seeds.setdefault(cell.configuration.name, set()).add(cell.seed)
    metrics = plan.matrix.metrics
    examine(theirs, plan.matrix.name, seeds, metrics)
    with keeping(plan):
        summary = benchmark(plan, executor, progress)
        return summary, compare(read_rows(own), theirs, metrics)


def execute(
    request: Request,
    console: Console,
    baseline: Path,
    strict: bool,
    markdown: Path | None,
    xml: Path | None,
) -> int:
    """Run what ``vaebench check`` asks for, and say what the gate found.

    Args:
        request: What is to run.
        console: Where to say it.
        baseline: The ``rows.csv`` to compare with.
        strict: Whether INCONCLUSIVE fails, too.
        markdown: Where a page for a job summary goes, if one is wanted.
        xml: Where JUnit test cases go, if they are wanted.

    Returns:
        The exit code: 0 fine, 1 regressed, 2 not comparable, 130 interrupted.
    """
    kept = [baseline, Path(request.matrix)]
    for path, option in ((markdown, "--markdown"), (xml, "--junit")):
        if path is not None:
            check_output(path, option, kept)
            kept.append(path)
    with beating(console.print, lambda: "planning"):
        plan = planned(request, device_of(request))
    try:
        summary, comparisons = check(plan, baseline, executor_of(request), progress_on(console))
    except GateError as error:
        tell(str(error))
        return 2
    console.print(summary.text(plan.folder, request.command("--only") + " {name}"), markup=False)
    for one in worst_first(comparisons):
        if one.verdict != "OK":
            console.print(f"{one.verdict} {label(one)}: {sentence(one)}", markup=False)
    console.print(line(comparisons), markup=False)
    if markdown:  # what cannot be written any more takes nothing from what was said
        write_output(markdown, page(comparisons, plan.matrix.name, str(baseline)).encode())
    if xml:
        write_output(xml, junit(comparisons, plan.matrix.name))
    return summary.exit_code if summary.interrupted else exit_code(comparisons, strict=strict)
