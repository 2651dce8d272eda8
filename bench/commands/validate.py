"""What ``vaebench validate`` does: calibrate the suite, write its page, say what lies outside."""

from pathlib import Path

import typer

from bench.calibration import run as calibration
from bench.calibration.page import write_validity
from bench.calibration.verdicts import summary
from bench.run.resources import cores

__all__ = ["execute"]


def execute(
    results: Path, *, quick: bool = False, workers: int | None = None, rebuild: bool = False
) -> int:
    """Calibrate the suite.

    Args:
        results: Folder of all results.
        quick: Whether to run fewer settings, into a page of their own.
        workers: Processes at once; one per core where None.
        rebuild: Whether to run nothing and make the page from its tables.

    Returns:
        The exit code: 0 fine, 1 where anything lies outside its band.

    Raises:
        BadParameter: For less than one worker, or tables that are not there.
    """
    workers = cores() if workers is None else workers
    if workers < 1:
        raise typer.BadParameter(f"--workers must be at least 1, got {workers}")
    name = calibration.QUICK if quick else calibration.FULL
    if not rebuild:
        calibration.run(results, quick=quick, workers=workers, say=print)
    elif not (results / name / "levels.csv").is_file():
        message = f"expected tables in {results / name}, which are not there; leave --rebuild out"
        raise typer.BadParameter(message)
    print(write_validity(results, name))
    count, text = summary(results / name)
    print(text)
    return int(count > 0)
