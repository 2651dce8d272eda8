"""What ``vaebench validate`` does: calibrate the suite, write its page, say what lies outside."""

import math
from collections.abc import Sequence
from pathlib import Path

import typer

from bench.calibration import run as calibration
from bench.calibration.page import write_validity
from bench.calibration.verdicts import summary
from bench.commands.folder import claim
from bench.run.resources import cores

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
    """
    workers = cores() if workers is None else workers
    if workers < 1:
        raise typer.BadParameter(f"--workers must be at least 1, got {workers}")
    if unknown := [name for name in only if name not in calibration.SUBJECTS]:
        known = ", ".join(calibration.SUBJECTS)
        raise typer.BadParameter(f"--only must be one of {known}, got {unknown[0]}")
    name = calibration.QUICK if quick else calibration.FULL
    names = [name, f"{name}.md", *(["cache"] if not rebuild else [])]
    if not rebuild:
        claim(results, names)
        calibration.run(
            results, quick=quick, workers=workers, only=only, minutes=minutes, say=print
        )
    elif not any((results / name / f"{table}.csv").is_file() for table in calibration.SUBJECTS):
        message = f"expected tables in {results / name}, which are not there; leave --rebuild out"
        raise typer.BadParameter(message)
    claim(results, names)
    print(write_validity(results, name))
    count, text = summary(results / name)
    print(text)
    return int(count > 0)
