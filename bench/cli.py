"""The command line: ``vaebench`` = ``python -m bench``."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.boundary import answered
from bench.commands.options import (
    UNTRAINED,
    App,
    Bare,
    Device,
    MatrixName,
    Mean,
    Most,
    Prior,
    Results,
    Spread,
    SpreadIs,
    Version,
    Workers,
    Yes,
    kinds,
)
from bench.commands.printing import console
from bench.errors import UserError, unknown
from bench.run.request import Request, results_folder

# Commands import what they need: torch takes seconds, and help or a wrong option needs none.

__all__ = ["app", "main"]

_FORMATS = ("csv", "latex", "html", "bibtex")
_VECTORS = ("svg", "pdf")

app = App(
    help="""Does the aggregate posterior of a VAE match its prior, and what does sampling cost?

    To begin with:

    vaebench audit posterior.npz

    vaebench run quick
    """,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _formats(incomplete: str) -> list[str]:
    return [name for name in _FORMATS if name.startswith(incomplete)]


def _vectors(incomplete: str) -> list[str]:
    return [name for name in _VECTORS if name.startswith(incomplete)]


@app.callback()
def begin(context: typer.Context, version: Version = False) -> None:
    if context.invoked_subcommand is None:
        console().print(context.get_help())


@app.command()
def run(
    matrix: MatrixName = "digits",
    results: Results = None,
    seeds: Annotated[
        int | None, typer.Option(help="Instead of the matrix's own number; a claim needs 8.")
    ] = None,
    first_seed: Annotated[
        int | None, typer.Option(help="Where they begin, instead of the matrix's own.")
    ] = None,
    workers: Workers = None,
    device: Device = Request.device,
    executor: Annotated[
        str, typer.Option(help="local, or a scheduler's address: dask://host:port, or dask+tls://.")
    ] = Request.executor,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="For one job, instead of the matrix's own."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change the base, such as latent_dim=4; repeat for more.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONFIGURATION",
            help="Run this one alone, what diverged of it too; repeat for more.",
        ),
    ] = None,
    study: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Run the configurations of this one; repeat for more."),
    ] = None,
    allow_stale: Annotated[
        bool, typer.Option("--allow-stale", help="Keep, and mark, what other code computed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run and how long, and stop.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Train and measure a matrix, then write its pages; what is done already is reused.

    For example:

    vaebench run quick

    vaebench run digits --seeds 8 --set training.steps=500

    vaebench run my_matrix.toml --workers 4 --results /tmp/try

    vaebench run mnist5k --dry-run
    """
    _look_at(matrix, set_ or ())
    request = Request(
        matrix=matrix,
        results=results_folder(results),
        seeds=seeds,
        first_seed=first_seed,
        workers=workers,
        device=device,
        executor=executor,
        timeout=timeout,
        overrides=set_ or (),
        only=only or (),
        study=study or (),
        allow_stale=allow_stale,
        dry_run=dry_run,
        yes=yes,
    )
    from bench.commands.run import execute

    raise typer.Exit(execute(request, console()))


@app.command()
def check(
    matrix: MatrixName,
    baseline: Annotated[Path, typer.Option(help="The rows.csv to compare with.")],
    results: Annotated[
        Path | None,
        typer.Option(
            help="Where the run goes.",
            show_default="check in the variable VAEBENCH_RESULTS, else in vaebench-results",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="INCONCLUSIVE fails, too.")] = False,
    workers: Workers = None,
    device: Device = Request.device,
    markdown: Annotated[Path | None, typer.Option(help="Write a page here.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here.")] = None,
    yes: Yes = False,
) -> None:
    """Run what is missing, then compare with a baseline: 1 if worse, 2 if not comparable.

    Example: vaebench check ci --baseline results/ci/rows.csv --markdown check.md
    """
    _look_at(matrix)
    if not os.path.lexists(baseline):
        raise UserError(
            f"expected the rows.csv of a baseline, got {baseline}, which is not there; "
            f"`vaebench run {matrix} --results DIR` makes one"
        )
    place = results_folder(results, "check")
    request = Request(matrix=matrix, results=place, workers=workers, device=device, yes=yes)
    from bench.commands.check import execute

    raise typer.Exit(execute(request, console(), baseline, strict, markdown, junit))


@app.command()
def report(
    matrix: MatrixName = "digits",
    results: Results = None,
    figures: Annotated[
        str | None,
        typer.Option(
            metavar="svg|pdf",
            help="Write each figure in this form too, beside its PNG: for papers.",
            autocompletion=_vectors,
        ),
    ] = None,
) -> None:
    """Rebuild the pages and figures of a matrix from its rows.

    Example: vaebench report digits
    """
    if figures is not None and figures not in _VECTORS:
        raise UserError(unknown("--figures", f'form "{figures}"', figures, _VECTORS))
    folder = results_folder(results)
    name = _with_rows(matrix, folder)
    from bench.commands.report import execute

    raise typer.Exit(execute(folder, name, console(), figures or ""))


def _with_rows(matrix: str, folder: Path) -> str:
    """The name of a matrix that has results."""
    name = Path(matrix).stem if matrix.endswith(".toml") else matrix
    if Path(name).name != name:
        raise typer.BadParameter(f"expected the name of a matrix or a TOML file, got {matrix!r}")
    rows = folder / name / "rows.csv"
    if not rows.is_file():
        message = f"expected {rows}, which is not there; run `vaebench run {matrix}` first"
        raise typer.BadParameter(message)
    return name


@app.command()
def export(
    matrix: MatrixName,
    format_: Annotated[
        str, typer.Option("--format", help="csv, latex, html or bibtex.", autocompletion=_formats)
    ],
    results: Results = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write here.",
            show_default="standard output; of html MATRIX.html",
        ),
    ] = None,
) -> None:
    """Export the results of a matrix: its leaderboard as a table, all of it as one HTML file.

    Example: vaebench export digits --format html
    """
    if format_ not in _FORMATS:
        raise UserError(unknown("--format", f'format "{format_}"', format_, _FORMATS))
    folder = results_folder(results)
    name = _with_rows(matrix, folder)
    from bench.commands.export import execute

    raise typer.Exit(execute(folder, name, format_, out, console()))


@app.command()
def audit(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Mean and scale (or logvar), each (N, D), or z: .npz, .pt, .csv, .h5ad, …",
            show_default=False,
        ),
    ] = None,
    prior: Prior = "normal",
    every: Annotated[
        bool, typer.Option("--all", help="Print all numbers and tests, not the answer alone.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One object on stdout: the answer, all it rests on.")
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", help="No output but the exit code, --json, --report and errors."),
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write a Markdown page with figures to this folder.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Of torch.", show_default="one per idle core if N > 5,000"),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(help="KL in nats that still counts as a match.", show_default="0.05"),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(help="One-sided level of both ends.", show_default="0.025"),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            metavar="no|undecided", help="Exit code 1 if the answer is no; or anything but yes."
        ),
    ] = None,
    power: Annotated[
        bool,
        typer.Option(
            "--power", help="Also plant departures at your n and D: what is seen of them."
        ),
    ] = False,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Of each with --power.", show_default="10")
    ] = None,
    condition: Annotated[
        int | None,
        typer.Option(help="Answer for this one of the file's conditions.", show_default="each"),
    ] = None,
    most: Most = None,
    mean: Mean = None,
    scale: Spread = None,
    scale_is: SpreadIs = None,
    z: Bare = None,
    decoder: Annotated[
        str | None,
        typer.Option(metavar="MODULE:NAME", help="Yours: also price sampling from the prior."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="The inputs themselves, with --decoder: .npz, .npy, .pt.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(help="To compare in: pca, classifier, log1p or MODULE:NAME."),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="No file: how many held-out inputs a margin needs.")
    ] = False,
    dimensions: Annotated[int | None, typer.Option(help="D, with --plan.")] = None,
) -> None:
    """Answer for your own model: may I sample from N(0, I)?

    The file holds `mean` and `scale` (or `logvar`) of the training inputs and, where you have
    them, `heldout_mean` and `heldout_scale` - or `z` alone, one latent per input. Names like them
    are understood, others said by `--mean`, `--scale` and `--scale-is`, or `--z`. Scales of 0 are
    a deterministic encoder's. `groups` labels inputs that are not independent, `conditions` and
    `heldout_conditions` what the prior is conditioned on: there is an answer for each.

    For example:

    vaebench audit posterior.npz

    vaebench audit posterior.npz --all

    vaebench audit posterior.npz --report audit

    vaebench audit posterior.npz --json > audit.json

    vaebench audit posterior.npz --decoder my_model:decoder --images images.npz

    vaebench audit --plan --margin 0.05 --dimensions 8

    Exit codes: 0 answered, whatever the answer; 1 what --fail-on names; 2 something could not be
    done, such as writing to a full disk; 64 a mistake in an option or the file.
    """
    if plan:
        others = (
            prior != "normal",
            report,
            threads,
            alpha,
            fail_on,
            power,
            repeats,
            file,
            most,
            every,
            quiet,
            *(mean, scale, scale_is, z, decoder, images, features),
        )
        if any(others) or condition is not None:
            raise UserError("--plan takes --dimensions, --margin and --json alone, and no file")
        from bench.commands.plan import execute as execute_plan

        raise typer.Exit(execute_plan(console(), dimensions, margin, as_json=as_json))
    if file is None:
        raise UserError("audit needs a file, such as an .npz, or --plan with --dimensions")
    if dimensions is not None:
        raise UserError("--dimensions goes with --plan; a file has its own")
    if repeats is not None and not power:
        raise UserError("--repeats goes with --power")
    if prior not in UNTRAINED:
        raise UserError(unknown("--prior", f'prior "{prior}"', prior, UNTRAINED))
    from bench.commands.audit import execute

    raise typer.Exit(
        execute(
            file,
            prior,
            console(),
            as_json=as_json,
            report=report,
            threads=threads,
            margin=margin,
            alpha=alpha,
            fail_on=fail_on,
            repeats=(repeats or 10) if power else 0,
            condition=condition,
            most=most,
            every=every,
            quiet=quiet,
            mean=mean,
            scale=scale,
            scale_is=scale_is,
            z=z,
            decoder=decoder,
            images=images,
            features=features,
        )
    )


@app.command()
def repair(
    file: Annotated[
        Path, typer.Argument(help="What `audit` reads: mean and scale, each (N, D), or z.")
    ],
    to: Annotated[
        Path, typer.Option(metavar="FILE", help="Write the sampler here: a .safetensors file.")
    ],
    prior: Prior = "normal",
    condition: Annotated[
        int | None,
        typer.Option(help="Fit to this one of the file's conditions.", show_default="each"),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Of torch.", show_default="one per idle core if N > 5,000"),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Mixtures alone, which take the shortest reader.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the fit.")] = 0,
    most: Most = None,
    mean: Mean = None,
    scale: Spread = None,
    scale_is: SpreadIs = None,
    z: Bare = None,
) -> None:
    """Write a density to sample from instead of the prior, and say what it wins.

    Densities are fitted to the training inputs and weighted by the held-out ones, or by a random
    fifth of the inputs. Where none is sure to win, the sampler is the prior. The file holds
    tensors alone; `vaelib.load_sampler` reads it.

    Example: vaebench repair posterior.npz --to sampler.safetensors

    Exit codes: 0 written; 2 something could not be done, such as writing to a full disk; 64 a
    mistake in an option or the file.
    """
    if prior not in UNTRAINED:
        raise UserError(unknown("--prior", f'prior "{prior}"', prior, UNTRAINED))
    from bench.commands.repair import execute

    raise typer.Exit(
        execute(
            file,
            to,
            prior,
            console(),
            condition=condition,
            threads=threads,
            plain=plain,
            seed=seed,
            most=most,
            mean=mean,
            scale=scale,
            scale_is=scale_is,
            z=z,
        )
    )


@app.command()
def scaling(
    file: Annotated[
        Path, typer.Argument(help="What `audit` reads: z, or mean and scale, of any layout.")
    ],
    factor: Annotated[
        float | None, typer.Option(help="One that you use, to be measured beside the best.")
    ] = None,
    most: Most = None,
    mean: Mean = None,
    scale: Spread = None,
    scale_is: SpreadIs = None,
    z: Bare = None,
) -> None:
    """Say how latents are best scaled for a second stage, such as latent diffusion.

    One factor, a shift and scale of each channel, the covariance of channels and that of positions:
    what each removes of the mismatch with N(0, I), and the constants to paste.

    Example: vaebench scaling posterior.npz --factor 0.18215

    Exit codes: 0 answered; 2 something could not be done, such as writing to a full disk; 64 a
    mistake in an option or the file.
    """
    from bench.commands.scaling import execute

    raise typer.Exit(
        execute(
            file,
            console(),
            factor=factor,
            most=most,
            mean=mean,
            scale=scale,
            scale_is=scale_is,
            z=z,
        )
    )


@app.command()
def conform(
    function: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:NAME", help="Yours: returns a KL from N(0, I) in nats, or a bound."
        ),
    ],
    kind: Annotated[
        str, typer.Option(help="What it returns: estimate, lower or upper.")
    ] = "estimate",
    world: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Run in this one alone; repeat for more."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Draws of each world, 2 to 1000.")] = 5,
    as_json: Annotated[
        bool, typer.Option("--json", help="One object on stdout: every number, every word.")
    ] = False,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the table to this page.")
    ] = None,
) -> None:
    """Test your own estimator of KL(q‖N(0, I)) on laws whose KL is known.

    The function is called by the names of its parameters: `z`, one latent of each of 1,000
    inputs; `mean` and `scale`, their posteriors; `train_z`, `train_mean`, `train_scale` of 2,000
    others; `seed`, `generator`. One that takes a single argument gets `z`.

    Example: vaebench conform my_model:kl --world banana

    Exit codes: 0 it conforms; 1 it deviates in a world; 2 the answer could not be written; 64 a
    mistake in an option or the function, or one that answers in no world.
    """
    from bench.commands.conform import execute

    raise typer.Exit(
        execute(
            function,
            console(),
            kind=kind,
            names=world or (),
            seeds=seeds,
            as_json=as_json,
            page=markdown,
        )
    )


@app.command()
def validate(
    results: Results = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A minute; writes validity-quick.md instead.")
    ] = False,
    workers: Workers = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Run nothing: the page from its tables.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="TABLE", help="answers, estimators, levels, …; repeat for more."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Stop then; the same command goes on.", show_default="no limit"),
    ] = None,
) -> None:
    """Calibrate the suite itself: how often the answer is wrong, estimators, levels and power.

    Writes validity.md and its tables. Exit code 1 where anything lies outside its band.

    Example: vaebench validate --quick
    """
    from bench.commands.validate import execute

    limit = float("inf") if minutes is None else minutes
    raise typer.Exit(
        execute(
            results_folder(results),
            quick=quick,
            workers=workers,
            rebuild=rebuild,
            only=only or (),
            minutes=limit,
        )
    )


@app.command("list")
def list_names(
    kind: Annotated[
        str | None,
        typer.Argument(help="One of them: matrices, metrics, priors, …", autocompletion=kinds),
    ] = None,
) -> None:
    """Name what a matrix may use, and where it comes from.

    Example: vaebench list metrics
    """
    from bench.commands.list import execute

    raise typer.Exit(execute(kind, console()))


def _look_at(matrix: str, overrides: Sequence[str] = ()) -> None:
    """Refuse at once what is no matrix and what is no KEY=VALUE: that need not wait for torch."""
    from bench.matrix.document import overridden, parsed
    from bench.matrix.files import read

    parsed(read(matrix), matrix)
    overridden(overrides)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line: whatever happens ends in one of its exit codes.

    Args:
        arguments: instead of those of the process.

    Returns:
        The exit code: 0 fine, 1 regressed or what --fail-on names, 2 cells failed, nothing measured
        or not done, 64 usage, 130 where a signal ended it, 141 where nobody reads on.
    """
    return answered(lambda: app(arguments, prog_name="vaebench", standalone_mode=False))
