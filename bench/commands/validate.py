"""What ``vaebench validate`` does: calibrate the suite, write its page, say what lies outside."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from bench.calibration import run as calibration
from bench.calibration.page import write_validity
from bench.calibration.verdicts import summary
from bench.commands.folder import claim
from bench.commands.outputs import check_folder
from bench.errors import DamagedError
from bench.run.progress import beating
from bench.run.record import one_line
from bench.run.resources import cores
from vaelib.files import sweep

__all__ = ["execute"]


def execute(
    results: Path,
    *,
    quick: bool = False,
    workers: int | None = None,
    rebuild: bool = False,
    only: Sequence[str] = (),
    minutes: float = math.inf,
) -> int:
    """Calibrate the suite.

    Args:
        results: Folder of all results.
        quick: Whether to run fewer settings, into a page of their own.
        workers: Processes at once; one per core where None.
        rebuild: Whether to run nothing and make the page from its tables.
        only: Tables to make; the others stay as they are. All where there are none.
        minutes: After which no further task begins; the same command goes on with the rest.

    Returns:
        The exit code: 0 fine, 1 where anything lies outside its band.

    Raises:
        BadParameter: For less than one worker, a table that is unknown or tables that are not
            there.
        DamagedError: For tables that no calibration wrote.
        UserError: For a folder that cannot be written.
    """
    workers = cores() if workers is None else workers
    if workers < 1:
        raise typer.BadParameter(f"--workers must be at least 1, got {workers}")
    if unknown := [name for name in only if name not in calibration.SUBJECTS]:
        known = ", ".join(calibration.SUBJECTS)
        raise typer.BadParameter(f"--only must be one of {known}, got {unknown[0]}")
    name = calibration.QUICK if quick else calibration.FULL
    names = [name, f"{name}.md", *(["cache"] if not rebuild else [])]
    check_folder(results / name, "--results")
    sweep(results, results / name, results / name / "figures")
    if not rebuild:
        claim(results, names)
        last = ["nothing finished yet"]
        with beating(_print, lambda: f"at work; {last[0]}") as tell:

            def say(line: str) -> None:
                last[0] = f"last: {line}"
                tell(line)

            calibration.run(
                results, quick=quick, workers=workers, only=only, minutes=minutes, say=say
            )
    elif not any((results / name / f"{table}.csv").is_file() for table in calibration.SUBJECTS):
        message = f"expected tables in {results / name}, which are not there; leave --rebuild out"
        raise typer.BadParameter(message)
    claim(results, names)
    with _tables(results / name), beating(_print, lambda: "writing the page"):
        page = write_validity(results, name)
        count, text = summary(results / name)
    print(page)
    print(text)
    return int(count > 0)


def _print(line: str) -> None:
    print(line, flush=True)


@contextmanager
def _tables(folder: Path) -> Iterator[None]:
    """Within the block tables of other columns and kinds are one line; they raise anything."""
    try:
        yield
    except (LookupError, ValueError, TypeError, ArithmeticError) as error:
        if isinstance(error, DamagedError):
            raise
        raise DamagedError(
            f"expected tables of `vaebench validate` in {folder}, got others ({one_line(error)}); "
            "remove them and run the same command without --rebuild"
        ) from error
