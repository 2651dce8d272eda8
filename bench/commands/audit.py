"""What ``vaebench audit`` does: read a file, measure it, answer, write a page if one is wanted."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console

from bench.audit import text
from bench.audit.audit import audit_file
from bench.errors import UserError
from bench.run.resources import idle_cores

__all__ = ["execute"]


def execute(
    file: Path,
    prior: str,
    console: Console,
    *,
    as_json: bool = False,
    report: Path | None = None,
    threads: int | None = None,
) -> int:
    """Audit a user's own posterior.

    Args:
        file: The archive.
        prior: Name of a prior that needs no model.
        console: Standard output.
        as_json: Whether to print rows as JSON instead of the answer.
        report: Folder of a page with figures, if one is wanted.
        threads: Of torch; one per idle core for large audits where None.

    Returns:
        The exit code, 0.

    Raises:
        UserError: For a folder that cannot be written.
        BadParameter: For a file that cannot be audited.
    """
    aside = Console(stderr=True, soft_wrap=True)
    if report is not None:
        with _writing(report):
            report.mkdir(parents=True, exist_ok=True)
    try:
        count = threads or idle_cores()
        audited = audit_file(file, prior, aside, count, always=bool(threads))
    except ValueError as error:
        raise typer.BadParameter(f"{file}: {error}") from error
    if as_json:
        print(json.dumps(text.json_rows(audited), indent=1))
    else:
        text.show(audited, console)
    if report is not None:
        from bench.audit.page import write_report  # imports matplotlib

        with _writing(report):
            aside.print(str(write_report(report, audited, file.name)), markup=False)
    return 0


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Within the block what the file system refuses is one line about the folder."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write to {folder}: {reason}; choose another folder") from error
