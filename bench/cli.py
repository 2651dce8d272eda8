"""The command line: ``vaebench`` = ``python -m bench``."""

import inspect
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench import archive
from bench import benchmark as running
from bench import report as pages
from bench import validate as calibration
from bench.components import FAMILIES, MatrixError
from bench.executors import LocalExecutor
from bench.matrix import leading_comment, load, shipped
from bench.metrics import METRICS
from bench.progress import progress_on
from bench.store import Store, StoreError
from bench.validity_page import write_validity
from bench.validity_verdicts import summary
from vaelib import audit as audit_posterior

__all__ = ["app", "main"]

_USAGE = 64
_UsageError: Any = typer.BadParameter.__bases__[0]  # typer has it from click or brings its own

app = typer.Typer(
    help="Does the aggregate posterior of a VAE match its prior, and what does sampling cost?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MatrixName = Annotated[str, typer.Argument(help="A shipped matrix or the path of a TOML file.")]
Results = Annotated[Path, typer.Option(help="Folder of all results.")]


def _console() -> Console:
    return Console(soft_wrap=True, highlight=False)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _device(name: str) -> str:
    if name not in ("auto", "cpu", "cuda"):
        raise typer.BadParameter(f"--device must be auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise typer.BadParameter("--device cuda needs a CUDA device, and torch sees none")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


@app.command()
def run(
    matrix: MatrixName = "digits",
    results: Results = Path("results"),
    seeds: Annotated[int | None, typer.Option(help="Instead of the matrix's own number.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes at once.", show_default="one per core")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change the base, such as latent_dim=4; repeat for more.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run, and stop.")
    ] = False,
) -> None:
    """Train and measure a matrix, then write its pages; what is done already is reused.

    Example: vaebench run digits --seeds 5 --set training.steps=500
    """
    workers = _cores() if workers is None else workers
    if workers < 1:
        raise typer.BadParameter(f"--workers must be at least 1, got {workers}")
    loaded = load(matrix, overrides=set_ or (), seeds=seeds, metrics=METRICS)
    planned = running.plan(loaded, results, _device(device))
    console = _console()
    if dry_run:
        _show_plan(planned, console)
        return
    executor = LocalExecutor(workers)
    summary = running.benchmark(planned, executor, progress_on(console), workers)
    page = results / f"{loaded.name}.md"
    if _outdated(page):
        _write_pages(results, loaded.name, running.pictured(planned))
    again = f"vaebench run {matrix}"
    console.print(summary.text(page, again), markup=False)
    raise typer.Exit(summary.exit_code)


def _outdated(page: Path) -> bool:
    """Whether a page is older than what it is made from."""
    sources = [page.with_suffix("") / name for name in ("rows.csv", "matrix.toml")]
    return not page.is_file() or any(
        source.stat().st_mtime_ns > page.stat().st_mtime_ns for source in sources
    )


def _write_pages(results: Path, name: str, arrays: Mapping[str, np.ndarray] | None = None) -> Path:
    file = results / name / "matrix.toml"
    comment = leading_comment(file.read_text()) if file.is_file() else ""
    return pages.write_pages(results, name, comment, arrays=arrays)


def _show_plan(planned: running.Plan, console: Console) -> None:
    store = Store(planned.folder)
    states: dict[str, Counter[str]] = {}
    for cell in planned.cells:
        states.setdefault(cell.configuration.name, Counter())[store.state(cell.id)] += 1
    table = Table("configuration", "seeds", "cached", "stale", "to run")
    for name, counts in states.items():
        total, cached, stale = counts.total(), counts["cached"], counts["stale"]
        table.add_row(name, str(total), str(cached), str(stale), str(total - cached))
    console.print(table)
    todo = sum(c.total() - c["cached"] for c in states.values())
    console.print(f"{len(planned.cells)} cells, {todo} to run -> {planned.folder}")


@app.command()
def report(
    matrix: MatrixName = "digits",
    results: Results = Path("results"),
) -> None:
    """Rebuild the pages and figures of a matrix from its rows.

    Example: vaebench report digits
    """
    name = Path(matrix).stem if matrix.endswith(".toml") else matrix
    rows = results / name / "rows.csv"
    if not rows.is_file():
        message = f"expected {rows}, which is not there; run `vaebench run {matrix}` first"
        raise typer.BadParameter(message)
    _console().print(str(_write_pages(results, name)), markup=False)


@app.command()
def audit(
    file: Annotated[
        Path, typer.Argument(help="An .npz with mean and scale (or logvar), each (N, D).")
    ],
    prior: Annotated[str, typer.Option(help="A name of `vaebench list priors`.")] = "normal",
    as_json: Annotated[bool, typer.Option("--json", help="A list of rows on stdout.")] = False,
) -> None:
    """Measure the posterior of your own model.

    The file holds `mean` and `scale` (or `logvar`) of the training inputs and, where you have
    them, `heldout_mean` and `heldout_scale`.

    Example: vaebench audit posterior.npz --json
    """
    try:
        encoded = archive.read(file)
        rows = audit_posterior(*encoded.train, prior=prior, heldout=encoded.heldout)
    except ValueError as error:
        raise typer.BadParameter(f"{file}: {error}") from error
    if as_json:
        print(
            json.dumps(
                [{**row.__dict__, "unit": METRICS[row.metric].unit} for row in rows], indent=1
            )
        )
        return
    table = Table("split", "metric", "value", "standard error", "p-value", "unit", "")
    for row in rows:
        numbers = [
            f"{v:.4g}" if v is not None else ""
            for v in (row.value, row.standard_error, row.p_value)
        ]
        table.add_row(row.split, row.metric, *numbers, METRICS[row.metric].unit, row.message)
    _console().print(table)


@app.command()
def validate(
    results: Results = Path("results"),
    quick: Annotated[
        bool, typer.Option("--quick", help="A minute; writes validity-quick.md instead.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="Processes at once.", show_default="one per core")
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Run nothing: the page from its tables.")
    ] = False,
) -> None:
    """Calibrate the suite itself: estimators against oracles, levels and power of every test.

    Writes validity.md and its tables. Exit code 1 where anything lies outside its band.

    Example: vaebench validate --quick
    """
    workers = _cores() if workers is None else workers
    if workers < 1:
        raise typer.BadParameter(f"--workers must be at least 1, got {workers}")
    name = calibration.QUICK if quick else calibration.FULL
    if not rebuild:
        calibration.run(results, quick=quick, workers=workers, say=lambda line: print(line))
    elif not (results / name / "levels.csv").is_file():
        message = f"expected tables in {results / name}, which are not there; leave --rebuild out"
        raise typer.BadParameter(message)
    print(write_validity(results, name))
    count, text = summary(results / name)
    print(text)
    raise typer.Exit(int(count > 0))


@app.command("list")
def list_names(
    kind: Annotated[
        str | None, typer.Argument(help="One of them: matrices, metrics, priors, …")
    ] = None,
) -> None:
    """Name what a matrix may use.

    Example: vaebench list metrics
    """
    plural = {"likelihood": "likelihoods"}
    known = {
        plural.get(family, f"{family}s"): {
            n: _summary(inspect.getdoc(c) or "") for n, c in table.items()
        }
        for family, table in FAMILIES.items()
    }
    known["matrices"] = {n: _summary(leading_comment(p.read_text())) for n, p in shipped().items()}
    known["metrics"] = {n: f"[{m.unit}] {m.summary}" for n, m in METRICS.items()}
    if kind is not None and kind not in known:
        raise typer.BadParameter(f"expected one of {', '.join(sorted(known))}, got {kind!r}")
    for name in [kind] if kind else sorted(known):
        table = Table("name", "what it is", title=name, title_justify="left")
        for entry, text in known[name].items():
            table.add_row(entry, escape(text))
        _console().print(table)


def _summary(text: str) -> str:
    """The first paragraph, or what stands before the cost, on one line."""
    return " ".join(text.split("\n\n")[0].split("\nCost:")[0].split())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: instead of those of the process.

    Returns:
        The exit code: 0 fine, 1 regressed, 2 cells failed or nothing measured, 64 usage.
    """
    if "" not in sys.path:
        sys.path.insert(0, "")  # components named by an import path may lie in this folder
    try:
        code = app(arguments, prog_name="vaebench", standalone_mode=False)
        return int(code or 0)
    except _UsageError as error:
        message = error.format_message()
    except (MatrixError, StoreError) as error:
        message = str(error)
    except typer.Abort:
        message = "stopped"
    print(f"vaebench: {message}", file=sys.stderr)
    return _USAGE
