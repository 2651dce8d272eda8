"""What commands on a user's own latents share: keys of the file, and what is wrong with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from bench.errors import UserError, unknown
from vaelib.latent_files.names import KINDS

__all__ = ["check_keys", "reading"]


def check_keys(mean: str | None, scale: str | None, scale_is: str | None, z: str | None) -> None:
    """Refuse keys of a file that do not go together.

    Args:
        mean: Of the means.
        scale: Of their spread.
        scale_is: What that is.
        z: Of bare latents.

    Raises:
        UserError: For a spread of no known kind, or z beside others.
    """
    if scale_is is not None and scale_is not in KINDS:
        raise UserError(unknown("--scale-is", f'kind "{scale_is}"', scale_is, KINDS))
    if z is not None and (mean, scale, scale_is) != (None, None, None):
        raise UserError("--z is for latents alone; leave --mean, --scale and --scale-is out")


@contextmanager
def reading(file: Path, part: str = "") -> Iterator[None]:
    """Within the block what is wrong with the file is one line about it.

    Args:
        file: That is read.
        part: Of it, as the line names it.

    Raises:
        BadParameter: For a ValueError within.
    """
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(f"{file}: {part}{error}") from error
