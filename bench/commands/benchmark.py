"""Run what a plan lacks, then write its rows, its matrix and where they come from."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench.commands.folder import claim
from bench.commands.printing import OUTPUT
from bench.errors import refusal
from bench.matrix import kept
from bench.matrix.language import parsed
from bench.metrics.registry import remember
from bench.rows import csv_bytes, rows
from bench.run.executors import Executor
from bench.run.kept_rows import described
from bench.run.plan import Plan
from bench.run.progress import Progress
from bench.run.provenance import provenance, set_aside, with_session
from bench.run.runner import run
from bench.run.store import Store
from bench.run.summary import Summary
from vaelib.datasets import cache_folder
from vaelib.files import sweep, update, write_atomically

__all__ = ["benchmark", "keeping", "own_names"]


def benchmark(
    planned: Plan,
    executor: Executor,
    progress: Progress,
    *,
    only: Collection[str] = (),
    again: bool = False,
    keep_stale: bool = False,
) -> Summary:
    """Run what a plan lacks, then write the rows and what belongs to them.

    That is ``rows.csv``, ``rows.json``, ``matrix.toml``, ``metrics.json``, ``configurations.json``,
    ``provenance.json`` and ``code/``.

    Args:
        planned: the plan.
        executor: where to run.
        progress: told what happens.
        only: names of the configurations to run; all by default. The rows are those of the whole
            plan in any case.
        again: whether to run what diverged of them, too.
        keep_stale: take the results of other code as they are.

    Returns:
        What became of every cell that was to run.
    """
    start = datetime.now(UTC)
    store = Store(planned.folder)
    jobs = [job for job in planned.jobs if not only or job.name in only]
    claim(planned.folder.parent, own_names(planned.folder))
    with store.lock():
        cache = cache_folder(planned.folder.parent / "cache")
        sweep(planned.folder.parent, cache / "nulls", cache / "features")
        before = set_aside(planned.folder / "provenance.json")
        for code, digests in planned.codes.items():
            store.keep_code(code, digests)
        summary = run(jobs, store, executor, progress, keep_stale=keep_stale, again=again)
        metrics = planned.matrix.metrics
        units = {name: metric.unit for name, metric in metrics.items()}
        codes = {cell: job.code for job in planned.jobs for cell in job.cells}
        frame = rows(planned.matrix.name, planned.cells, store, units, codes)
        kept_cells = [store.read(cell.id) for cell in planned.cells]
        update(planned.folder / "rows.csv", csv_bytes(frame))
        update(planned.folder / "matrix.toml", planned.matrix.text.encode())
        remember(planned.folder, metrics)
        matrix = planned.matrix
        document = parsed(matrix.text, matrix.name)
        kept.remember(planned.folder, document, matrix.studies, matrix.configurations)
        done = filter(None, kept_cells)
        update(planned.folder / "rows.json", described(done, planned.folder))  # of all before it
        ran = {cell for cell, status in summary.statuses.items() if status != "missing"}
        if measured := ran - summary.cached:
            device = planned.jobs[0].device
            session = provenance(start, workers=executor.workers, device=device)
            data = with_session(before, session, measured, [cell.id for cell in planned.cells])
            write_atomically(planned.folder / "provenance.json", data)
    return summary


def own_names(folder: Path) -> list[str]:
    """What a run writes in the folder of all results, but for pages.

    Args:
        folder: of the matrix.

    Returns:
        Names of folders.
    """
    cache = folder.parent / "cache"
    return [folder.name, *([cache.name] if cache_folder(cache) == cache else [])]


@contextmanager
def keeping(planned: Plan) -> Iterator[None]:
    """Within the block what the system refuses is one line, which says that nothing is lost.

    Args:
        planned: what runs.

    Yields:
        None.

    Raises:
        UserError: for a folder that cannot be used.
        NotDoneError: for a disk that is full, and the like.
        OSError: for standard output that cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.filename == OUTPUT:
            raise
        where = error.filename or planned.folder
        refused = refusal(error, path=where, kept="what ran is kept", other="folder")
        raise refused from error
