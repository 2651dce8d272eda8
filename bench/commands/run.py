"""What ``vaebench run`` does: checks, the dry run, the run, its pages and its last lines."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from rich.console import Console

from bench.analysis.arrays import pictured, write_arrays
from bench.commands.alone import rows_alone
from bench.commands.benchmark import benchmark, keeping, own_names
from bench.commands.folder import check_names
from bench.commands.report import (
    outdated,
    overviews_outdated,
    page_names,
    say_answer,
    write_overviews,
    write_pages,
)
from bench.errors import UserError
from bench.matrix.document import overridden
from bench.matrix.language import Matrix
from bench.report.terminal import table
from bench.rows import read_rows
from bench.run.estimate import estimate
from bench.run.job import Job
from bench.run.model_store import is_stored
from bench.run.plan import Plan
from bench.run.plan_apart import planned
from bench.run.progress import beating, counted, duration, progress_on
from bench.run.request import Request
from bench.run.resources import cores, device_of, executor_of
from bench.run.staleness import CellState, inspect, reasons
from bench.run.store import Store
from vaelib.numerics.matmul import has_bfloat16_units

__all__ = ["execute"]

_STATES = ("cached", "stale", "failed", "missing")


def execute(request: Request, console: Console) -> int:
    """Runs a matrix.

    Args:
        request: what was asked for.
        console: where to say what happens.

    Returns:
        The exit code: 0 fine, 2 cells failed or missing.

    Raises:
        UserError: for a mistake in the matrix or the options.
        StoreError: if the results folder cannot be used.
        NotDoneError: if the disk is full, or the like.
    """
    device = device_of(request)
    with beating(console.print, lambda: "planning"):
        plan = planned(request, device)
    matrix = plan.matrix
    only = _selected(request, matrix)
    pages = page_names(matrix.name, claims=bool(matrix.claims))
    written = list(dict.fromkeys([*own_names(plan.folder), *pages]))
    check_names(request.results, written)
    _say_what_stays(request, plan, console)
    _warn_of_other_rows(request, plan, console)
    _warn_of_slow_products(plan, console)
    if request.dry_run:
        _show(request, plan, only, console)
        return 0
    alone = rows_alone(plan.folder, plan.jobs, only, keep_stale=request.allow_stale)
    for line in alone.sentences(dry=False):
        console.print(f"note: {line}; --results DIR keeps both", markup=False)
    console.print(f"writes in {request.results}: {', '.join(sorted(written))}", markup=False)
    executor = executor_of(request, max(job.timeout for job in plan.jobs))
    with keeping(plan):
        summary = benchmark(
            plan,
            executor,
            progress_on(console),
            only=only,
            again=bool(request.only),
            keep_stale=request.allow_stale,
        )
        with beating(console.print, lambda: "all has run; writing pages"):
            if outdated(request.results, matrix.name):
                write_arrays(plan.folder / "arrays.npz", pictured(plan), matrix.name)
                write_pages(request.results, matrix.name)
            elif overviews_outdated(request.results):
                write_overviews(request.results)
    # A name holds no character that a shell would read, so it may be filled in later.
    again = request.command("--only") + " {name}"
    console.print(summary.text(rerun=again), markup=False)
    say_answer(request.results, matrix.name, console)
    return summary.exit_code


def _selected(request: Request, matrix: Matrix) -> list[str]:
    """Names of the configurations to run; none where all are."""
    configurations = [configuration.name for configuration in matrix.configurations]
    studies = {study.name: study.configurations for study in matrix.studies}
    asked: list[tuple[str, Sequence[str], Collection[str]]] = [
        ("--only: unknown configuration", request.only, configurations),
        ("--study: unknown study", request.study, studies),
    ]
    for unknown, names, known in asked:
        for name in names:
            if name not in known:
                raise UserError(f"{unknown} {name!r}. Known: {', '.join(known) or 'none'}")
    of_studies = [name for study in request.study for name in studies[study]]
    return [*request.only, *of_studies]


def _say_what_stays(request: Request, plan: Plan, console: Console) -> None:
    """Says so where a study varies what ``--set`` changes: there the study's own levels hold."""
    _, changes = overridden(request.overrides)
    for key in changes:
        varied = {
            study.name: own
            for study in plan.matrix.studies
            for own in study.keys
            if f"{own}.".startswith(f"{key}.") or f"{key}.".startswith(f"{own}.")
        }
        for name, own in varied.items():
            console.print(
                f"note: study {name!r} varies {own}, so its levels stay as they are; --set {key} "
                "changes the base and the other studies",
                markup=False,
            )


def _warn_of_other_rows(request: Request, planned: Plan, console: Console) -> None:
    """Says so where changed options are about to replace the rows of the matrix as it is."""
    path = planned.folder / "rows.csv"
    changed = request.overrides or request.seeds or request.first_seed is not None
    if not changed or not path.is_file():
        return
    try:
        cells = set(read_rows(path)["cell"])
    except (OSError, ValueError):  # damaged: the run writes it anew in any case
        return
    lost = len(cells - {cell.id for cell in planned.cells})
    if lost:
        what = "leaves out" if request.dry_run else "replaces"
        others = counted(lost, "other cell")
        console.print(
            f"warning: {planned.folder} holds rows of {others}, which this run {what} in "
            "rows.csv and the pages; --results DIR keeps both",
            markup=False,
        )


def _warn_of_slow_products(planned: Plan, console: Console) -> None:
    """Says so where an option that should save time costs time."""
    half = {
        job.name
        for job in planned.jobs
        if job.device == "cpu" and job.configuration["training"]["precision"] == "bfloat16"
    }
    if half and has_bfloat16_units() is False:
        console.print(
            'warning: training.precision = "bfloat16", and this processor has no units for it: '
            f"{counted(len(half), 'configuration')} will take about twice as long to train as with "
            "float32",
            markup=False,
        )


def _show(request: Request, planned: Plan, only: Collection[str], console: Console) -> None:
    """Prints what is cached, stale, failed and missing, and an estimate of the time."""
    jobs = [job for job in planned.jobs if not only or job.name in only]
    states = inspect(jobs, Store(planned.folder, only_look=True), planned.codes)
    alone = rows_alone(planned.folder, planned.jobs, only, keep_stale=request.allow_stale)
    for name, seconds in alone.unsigned.items():
        states[name] = replace(states[name], seconds=seconds)
    counts = {job.name: Counter[str]() for job in jobs}
    for cell in states.values():
        counts[cell.name][cell.state] += 1
    table_rows = [
        [name, str(count.total()), *(str(count[state]) for state in _STATES)]
        for name, count in counts.items()
    ]
    console.print(table(["configuration", "seeds", *_STATES], table_rows))
    for line in (*reasons(states), *alone.sentences(dry=True)):
        console.print(line, markup=False)
    keep = {"cached", "stale"} if request.allow_stale else {"cached"}
    done = {cell for cell, state in states.items() if state.state in keep}
    todo = [left for job in jobs if (left := job.without(done))]
    if kept := _measured_again(todo, states):
        again = "it is" if kept == 1 else "they are"
        models = "the model of 1 of them serves" if kept == 1 else f"models of {kept} of them serve"
        console.print(f"{models}: {again} only measured again", markup=False)
    count = sum(len(job.cells) for job in todo)
    totals = sum(counts.values(), Counter[str]())
    by_state = ", ".join(f"{totals[state]} {state}" for state in _STATES)
    by_state += f" ({len(alone.unsigned)} there as rows alone)" if alone.unsigned else ""
    line = f"{counted(totals.total(), 'cell')}: {by_state}; {count} to run"
    if count and request.executor == "local":
        workers = request.workers or cores()
        line += f", about {duration(estimate(todo, states, workers))} with "
        line += counted(workers, "worker")
    console.print(f"{line} -> {planned.folder}", markup=False)


def _measured_again(jobs: Sequence[Job], states: Mapping[str, CellState]) -> int:
    """Stale cells whose models serve."""
    return sum(
        states[cell].state == "stale" and is_stored(job, seed)
        for job in jobs
        for cell, seed in job.cells.items()
    )
