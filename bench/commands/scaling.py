"""What ``vaebench scaling`` does: read latents, measure ways to scale them, print the constants."""

from pathlib import Path

from rich.console import Console

from bench.audit.archive import read_archive
from bench.audit.scaling import scaling_of, show_scaling
from bench.commands.latents import check_keys, reading
from bench.commands.printing import console as on_console
from bench.commands.printing import written_out
from bench.errors import UserError
from vaelib.asking.threads import on_threads

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
    check_keys(mean, scale, scale_is, z)
    if factor is not None and not 0 < factor < float("inf"):
        raise UserError(f"--factor must be a positive number, got {factor:g}")
    with reading(file):
        archive = read_archive(file, most, mean=mean, scale=scale, scale_is=scale_is, z=z)
    aside = on_console(stderr=True)
    for warning in archive.warnings:
        aside.print(f"warning: {warning}", markup=False, highlight=False)
    with reading(file), on_threads(1):
        found = scaling_of(archive, factor)
    with written_out() as output:
        show_scaling(found, archive, console)
    return output.code
