"""A sampler instead of the prior: fitted to what a file held, and said in plain words."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from bench.audit.archive import Archive
from bench.audit.text import say
from vaelib.asking.threads import FEW, on_threads
from vaelib.audits.answers import name_of
from vaelib.priors import PRIORS
from vaelib.samplers.repair import Repaired, repair
from vaelib.samplers.words import interval, left, lines

__all__ = ["repair_archive", "show_repaired", "show_repaired_conditions"]

_CONDITIONS = 8  # that are printed


def repair_archive(
    archive: Archive,
    prior: str,
    threads: int = 1,
    *,
    always: bool = False,
    plain: bool = False,
    seed: int = 0,
) -> Repaired:
    """Fit a sampler to what a file held; of inputs with conditions, to those of one.

    Args:
        archive: as it was read, without conditions.
        prior: a name of ``vaelib.priors.PRIORS``.
        threads: of torch and BLAS; up to 5,000 inputs one is used.
        always: whether to use as many threads whatever the number of inputs.
        plain: whether the file holds mixtures alone, whatever tables would win.
        seed: of the fit.

    Returns:
        The sampler, and what was found on the way.

    Raises:
        ValueError: where no density can be fitted and chosen.
    """
    if archive.train is not None:
        mean, scale = archive.train
    else:
        assert archive.z is not None
        mean, scale = archive.z, torch.zeros_like(archive.z)
    p = PRIORS[prior](mean.shape[1])
    with on_threads(threads if always or len(mean) > FEW else 1):
        found = repair(
            mean, scale, archive.heldout, p, groups=archive.groups, plain=plain, seed=seed
        )
    return replace(
        found, prior=name_of(prior), bare=archive.train is None, left_out=archive.left_out
    )


def show_repaired(
    found: Repaired, archive: Archive, path: Path, size: int, console: Console
) -> None:
    """Print what is won, what is left, what is free, and how to use the file.

    Args:
        found: the sampler.
        archive: what the file held.
        path: of the sampler.
        size: of that file, in bytes.
        console: standard output.
    """
    for place, line in enumerate(lines(found, path.name)):
        say(console, line, style="" if place else "bold")
    if archive.said:
        say(console, archive.said)
    say(console, _usage(path, size, ""))


def show_repaired_conditions(
    found: Mapping[int, Repaired],
    archive: Archive,
    path: Path,
    size: int,
    console: Console,
) -> None:
    """Print how many conditions are repaired, and a line for each of the first.

    Args:
        found: condition -> its sampler.
        archive: what the file held.
        path: of the file of all samplers.
        size: of that file, in bytes.
        console: standard output.
    """
    taken = sum(one.taken for one in found.values())
    others = "" if taken == len(found) else "; the samplers of the others are the prior itself"
    prior = next(iter(found.values())).prior
    said = f"For {taken} of {len(found)} conditions a fitted density wins over {prior}"
    say(console, f"{said}{others}.", style="bold")
    order = sorted(found, key=lambda label: -found[label].stack[0])
    for label in order[:_CONDITIONS]:
        one = found[label]
        word = "wins" if one.taken else "is not sure to win:"
        say(console, f"{label}: {word} {interval(one.stack)}. {left(one)}")
    if (more := len(found) - _CONDITIONS) > 0:
        say(console, f"{more:,} more, which win less than these.")
    if archive.said:
        say(console, archive.said)
    say(console, _usage(path, size, f", condition={order[0]}"))


def _usage(path: Path, size: int, condition: str) -> str:
    return (
        f"{path}, {size:,} bytes: vaelib.load_sampler({path.name!r}{condition})"
        ".sample(n, generator)"
    )
