"""What ``vaebench repair`` does: read latents, fit a sampler, write it, say what it wins."""

from pathlib import Path

from rich.console import Console

from bench.audit.archive import Archive, read_archive
from bench.audit.repair import repair_archive, show_repaired, show_repaired_conditions
from bench.commands.latents import check_keys, reading
from bench.commands.outputs import check_output, write_output
from bench.commands.printing import console as on_console
from bench.commands.printing import written_out
from bench.errors import UserError
from bench.run.resources import idle_cores
from vaelib.samplers.file import SUFFIX, as_bytes, check_installed, is_sampler
from vaelib.samplers.repair import Repaired

__all__ = ["execute"]


def execute(
    file: Path,
    to: Path,
    prior: str,
    console: Console,
    *,
    condition: int | None = None,
    threads: int | None = None,
    plain: bool = False,
    seed: int = 0,
    most: int | None = None,
    mean: str | None = None,
    scale: str | None = None,
    scale_is: str | None = None,
    z: str | None = None,
) -> int:
    """Write a sampler of a user's own latents.

    Args:
        file: Of the posteriors, or of z.
        to: Where the sampler goes.
        prior: Name of a prior that needs no model.
        console: Standard output.
        condition: The one to fit to, where the prior is conditioned; each of them where None.
        threads: Of torch; one per idle core for many inputs where None.
        plain: Whether the file holds mixtures alone, which take the shortest reader.
        seed: Of the fit.
        most: Numbers that one array may hold, instead of the suite's limits.
        mean: Key of the means in the file, where names do not say it.
        scale: Key of their spread.
        scale_is: What that is: std, var, logvar or logstd.
        z: Key of bare latents.

    Returns:
        The exit code: 2 where the answer could not be printed, else 0.

    Raises:
        UserError: For options that cannot be, or a file that is not ours to replace.
        NotDoneError: For a disk that is full.
        OSError: Where the system refuses to write; it names the path.
        BadParameter: For a file that no sampler can be fitted to.
    """
    check_keys(mean, scale, scale_is, z)
    _check_place(to, file)
    aside = on_console(stderr=True)
    with reading(file):
        archive = read_archive(file, most, mean=mean, scale=scale, scale_is=scale_is, z=z)
        parts = _parts(archive, condition)
    for warning in archive.warnings:
        aside.print(f"warning: {warning}", markup=False, highlight=False)
    found: dict[int | None, Repaired] = {}
    for label, part in parts.items():
        with reading(file, "" if label is None else f"condition {label}: "):
            found[label] = repair_archive(
                part,
                prior,
                threads or idle_cores(),
                always=bool(threads),
                plain=plain,
                seed=seed,
            )
    data = as_bytes({label: one.sampler for label, one in found.items()})
    write_output(to, data)
    with written_out() as output:
        if None in found:
            show_repaired(found[None], archive, to, len(data), console)
        else:
            each = {label: one for label, one in found.items() if label is not None}
            show_repaired_conditions(each, archive, to, len(data), console)
    return output.code


def _parts(archive: Archive, condition: int | None) -> dict[int | None, Archive]:
    """What a sampler is fitted to, under None where it is one."""
    if condition is not None:
        return {None: archive.of_condition(condition)}
    parts: dict[int | None, Archive] = {
        label: archive.of_condition(label) for label in archive.labels
    }
    return parts or {None: archive}


def _check_place(to: Path, file: Path) -> None:
    """Refuse what cannot be written or is not ours, before anything is read."""
    try:
        check_installed()
    except ValueError as error:
        raise UserError(str(error)) from error
    if to.suffix != SUFFIX:
        raise UserError(f"--to must be a file that ends in {SUFFIX}, got {to}")
    check_output(to, "--to", [file])
    if to.is_file() and not is_sampler(to):
        raise UserError(
            f"--to must be a new file or an earlier sampler, got {to}, which is neither; choose "
            "another file"
        )
