"""What ``vaebench scaling`` does: read latents, measure ways to scale them, print the constants."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console

from bench.audit.archive import read_archive
from bench.audit.scaling import scaling_of, show_scaling
from bench.commands.printing import console as on_console
from bench.commands.printing import written_out
from bench.errors import UserError, unknown
from vaelib.asking.threads import on_threads
from vaelib.latent_files.names import KINDS

__all__ = ["execute"]


def execute(
    file: Path,
    console: Console,
    *,
    factor: float | None = None,
    most: int | None = None,
    mean: str | None = None,
    scale: str | None = None,
    scale_is: str | None = None,
    z: str | None = None,
) -> int:
    """Say how a user's own latents are best scaled for a second stage.

    Args:
        file: Of the posteriors, or of z.
        console: Standard output.
        factor: One that is in use.
        most: Numbers that one array may hold, instead of the suite's limits.
        mean: Key of the means in the file, where names do not say it.
        scale: Key of their spread.
        scale_is: What that is: std, var, logvar or logstd.
        z: Key of bare latents.

    Returns:
        The exit code: 2 where the answer could not be printed, else 0.

    Raises:
        UserError: For options that cannot be.
        BadParameter: For a file whose latents cannot be scaled.
    """
    if scale_is is not None and scale_is not in KINDS:
        raise UserError(unknown("--scale-is", f'kind "{scale_is}"', scale_is, KINDS))
    if z is not None and (mean, scale, scale_is) != (None, None, None):
        raise UserError("--z is for latents alone; leave --mean, --scale and --scale-is out")
    if factor is not None and not 0 < factor < float("inf"):
        raise UserError(f"--factor must be a positive number, got {factor:g}")
    with _reading(file):
        archive = read_archive(file, most, mean=mean, scale=scale, scale_is=scale_is, z=z)
    aside = on_console(stderr=True)
    for warning in archive.warnings:
        aside.print(f"warning: {warning}", markup=False, highlight=False)
    with _reading(file), on_threads(1):
        found = scaling_of(archive, factor)
    with written_out() as output:
        show_scaling(found, archive, console)
    return output.code


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Within the block what is wrong with the file is one line about it."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(f"{file}: {error}") from error
