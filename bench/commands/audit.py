"""What ``vaebench audit`` does: read a file, measure it, answer, write a page if one is wanted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from bench.audit import text
from bench.audit.archive import Archive, read_archive
from bench.audit.audit import audit_archive
from bench.audit.document import document_of
from bench.audit.price import Asked, price_archive
from bench.audit.short import show_conditions_shortly, show_shortly
from bench.commands.folder import claim
from bench.commands.latents import check_keys, reading
from bench.commands.printing import console as on_console
from bench.commands.printing import written_out
from bench.errors import UserError, refusal
from bench.run.resources import idle_cores
from vaelib.audits.document import as_json as in_json
from vaelib.audits.settings import DEFAULTS
from vaelib.audits.verdict import MARGIN, check_margin
from vaelib.stats.checks import check_level

__all__ = ["execute"]

_FAILURES = {"no": ("no",), "undecided": ("no", "undecided", "flagged")}


def execute(
    file: Path,
    prior: str,
    console: Console,
    *,
    as_json: bool = False,
    report: Path | None = None,
    threads: int | None = None,
    margin: float | None = None,
    alpha: float | None = None,
    fail_on: str | None = None,
    repeats: int = 0,
    condition: int | None = None,
    most: int | None = None,
    every: bool = False,
    quiet: bool = False,
    mean: str | None = None,
    scale: str | None = None,
    scale_is: str | None = None,
    z: str | None = None,
    decoder: str | None = None,
    images: Path | None = None,
    features: str | None = None,
) -> int:
    """Audit a user's own posterior.

    Args:
        file: Of the posteriors, or of z.
        prior: Name of a prior that needs no model.
        console: Standard output.
        as_json: Whether to print one object of JSON, with the answer and the rows, instead.
        report: Folder of a page with figures, if one is wanted.
        threads: Of torch; one per idle core for large audits where None.
        margin: KL in nats that still counts as a match; the suite's where None.
        alpha: One-sided level of both ends of the bracket; the suite's where None.
        fail_on: "no" gives exit code 1 for a no, "undecided" for anything but a yes.
        repeats: Of every departure that is planted at the n and D of the file.
        condition: The one to answer for, where the prior is conditioned; each of them where None.
        most: Numbers that one array may hold, instead of the suite's limits.
        every: Whether to print all that was measured, not the answer alone.
        quiet: Whether to print nothing but that JSON, and on standard error errors alone.
        mean: Key of the means in the file, where names do not say it.
        scale: Key of their spread.
        scale_is: What that is: std, var, logvar or logstd.
        z: Key of bare latents.
        decoder: Import path of a decoder, to price sampling from the prior.
        images: File of the data that the latents are of.
        features: What these are compared in: a name, or an import path.

    Returns:
        The exit code: 1 where the answer is what it was to fail on, 2 where it could not be
        written, else 0.

    Raises:
        UserError: For a folder that cannot be written, or options that cannot be.
        NotDoneError: For a disk that is full.
        BadParameter: For a file that cannot be audited.
    """
    margin = MARGIN if margin is None else margin
    alpha = DEFAULTS.alpha if alpha is None else alpha
    _check(margin, alpha, fail_on)
    check_keys(mean, scale, scale_is, z)
    if repeats and prior != "normal":
        raise UserError(f"--power is for the prior normal, not {prior}; leave --power out")
    if repeats and as_json:
        raise UserError("--power prints a table, which --json has not; leave one of them out")
    if quiet and every:
        raise UserError("--quiet prints nothing, --all everything; leave one of them out")
    if quiet and repeats and report is None:
        raise UserError("--power prints a table, --quiet nothing; add --report or leave one out")
    priced = _priced(decoder, images, features)
    aside = on_console(stderr=True)
    aside.quiet = quiet
    with reading(file):
        archive = read_archive(file, most, mean=mean, scale=scale, scale_is=scale_is, z=z)
        parts, conditions = _parts(archive, condition)
    several = None not in parts
    if several and (report is not None or repeats):
        option, first = "--power" if repeats else "--report", next(iter(parts))
        raise UserError(
            f"{option} is for one answer, and {file} has one for each of {len(parts)} conditions; "
            f"choose one, such as --condition {first}"
        )
    if priced is not None and archive.conditions is not None:
        raise UserError(
            f"--decoder is for one prior, and {file} has conditions; save the inputs of one "
            "condition in a file of their own, with a decoder that is given it"
        )
    if report is not None:
        claim(report, ("audit.md", "figures"), "--report")
    for warning in archive.warnings:
        aside.print(f"warning: {warning}", markup=False, highlight=False)
    found = None if priced is None else price_archive(priced, archive, prior, aside, most)
    audits = {}
    for label, part in parts.items():
        with reading(file):
            audits[label] = audit_archive(
                part,
                prior,
                aside,
                threads or idle_cores(),
                always=bool(threads),
                margin=margin,
                alpha=alpha / conditions,
                repeats=repeats,
            )
    with written_out() as output:
        if as_json:
            print(in_json(document_of(archive, audits, alpha, condition, found)))
        elif quiet:
            pass
        elif several and every:
            text.show_conditions(audits, console, alpha)
        elif several:
            show_conditions_shortly(audits, console)
        elif every:
            text.show(audits[None], console)
        else:
            show_shortly(audits[None], console)
        if found is not None and not (as_json or quiet):
            text.show_price(found, console)
    if report is not None:
        from bench.audit.page import write_report  # imports matplotlib

        with _writing(report):
            aside.print(str(write_report(report, audits[None], file.name, found)), markup=False)
    if output.code:
        return output.code
    said = {one.answers[0].verdict for one in audits.values()}
    return int(bool(said & set(_FAILURES.get(fail_on or "", ()))))


def _priced(decoder: str | None, images: Path | None, features: str | None) -> Asked | None:
    """What a price is asked of, if one is."""
    if decoder is None and images is None:
        if features is not None:
            raise UserError("--features goes with --decoder and --images")
        return None
    if decoder is None or images is None:
        one, other = ("--decoder", "--images") if images is None else ("--images", "--decoder")
        raise UserError(f"{one} goes with {other}: to price a prior both are needed")
    return Asked(decoder, images, features or "auto")


def _parts(archive: Archive, condition: int | None) -> tuple[dict[int | None, Archive], int]:
    """What is to be answered for, under None where it is one, and how many share the level."""
    parts: dict[int | None, Archive] = {
        label: archive.of_condition(label) for label in archive.labels
    }
    if condition is not None:  # which has the level, looked at alone, that it has among all
        return {None: archive.of_condition(condition)}, max(1, len(parts))
    return parts or {None: archive}, max(1, len(parts))


def _check(margin: float, alpha: float, fail_on: str | None) -> None:
    try:
        check_margin(margin)
        check_level(alpha)
    except ValueError as error:
        raise UserError(f"--{error}") from error
    if fail_on is not None and fail_on not in _FAILURES:
        raise UserError(f"--fail-on must be {' or '.join(_FAILURES)}, got {fail_on!r}")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Within the block what the file system refuses is one line about the folder."""
    try:
        yield
    except OSError as error:
        raise refusal(error, "write to", folder, other="folder") from error
