"""A sampler instead of the prior: fitted to what a file held, and said in plain words."""

from collections.abc import Mapping
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

from bench.audit.archive import Archive
from bench.audit.text import say
from vaelib.asking.threads import FEW, on_threads
from vaelib.audits.answers import name_of
from vaelib.priors import PRIORS
from vaelib.samplers.repair import Repaired, repair
from vaelib.samplers.sampler import Interval

__all__ = ["repair_archive", "show_repaired", "show_repaired_conditions"]

_PASTED = 32  # dimensions whose constants are printed
_CONDITIONS = 8  # that are printed
_NOTICED = 0.05  # share of held-out z; 1 % of independent ones lie so near


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
        return repair(
            mean, scale, archive.heldout, p, groups=archive.groups, plain=plain, seed=seed
        )


def show_repaired(
    found: Repaired, archive: Archive, prior: str, path: Path, size: int, console: Console
) -> None:
    """Print what is won, what is left, what is free, and how to use the file.

    Args:
        found: the sampler.
        archive: what the file held.
        prior: name of the prior.
        path: of the sampler.
        size: of that file, in bytes.
        console: standard output.
    """
    said = _won(found, name_of(prior)), _left(found, archive)
    for place, line in enumerate(said):
        say(console, line, style="" if place else "bold")
    for line in (*_gauge(found, path), _made(found), archive.said, _copies(found)):
        if line:
            say(console, line)
    say(console, _usage(path, size, ""))


def show_repaired_conditions(
    found: Mapping[int, Repaired],
    archive: Archive,
    prior: str,
    path: Path,
    size: int,
    console: Console,
) -> None:
    """Print how many conditions are repaired, and a line for each of the first.

    Args:
        found: condition -> its sampler.
        archive: what the file held.
        prior: name of the prior.
        path: of the file of all samplers.
        size: of that file, in bytes.
        console: standard output.
    """
    taken = sum(one.taken for one in found.values())
    others = "" if taken == len(found) else "; the samplers of the others are the prior itself"
    said = f"For {taken} of {len(found)} conditions a fitted density wins over {name_of(prior)}"
    say(console, f"{said}{others}.", style="bold")
    order = sorted(found, key=lambda label: -found[label].stack[0])
    for label in order[:_CONDITIONS]:
        one = found[label]
        word = "wins" if one.taken else "is not sure to win:"
        say(console, f"{label}: {word} {_interval(one.stack)}. {_left(one, archive)}")
    if left := len(found) - _CONDITIONS:
        if left > 0:
            say(console, f"{left:,} more, which win less than these.")
    if archive.said:
        say(console, archive.said)
    say(console, _usage(path, size, f", condition={order[0]}"))


def _won(found: Repaired, prior: str) -> str:
    count = f"{found.sampler.about.heldout:,} held-out z"
    if found.taken:
        return f"The sampler wins {_interval(found.stack)} over {prior} on {count}; it is written."
    return (
        f"No fitted density is sure to win over {prior} on {count}: the best stack of them comes "
        f"to {_interval(found.stack)}. The sampler that is written is the prior itself."
    )


def _left(found: Repaired, archive: Archive) -> str:
    what = "How much of the mismatch is left is not known"
    if found.left is None:
        alone = archive.train is None
        return f"{what}: {'bare z' if alone else 'latents without a scale'} have no upper end."
    most = f"{found.left.most:.3g} nats"
    if found.left.saturated:
        return f"{what.replace('not', 'hardly')}: at most {most}, as the upper end is saturated."
    if found.left.most == 0:
        return (
            "Nothing of the mismatch is left that these inputs could show: the upper end of "
            "KL(q‖p) lies below what is won."
        )
    return f"Of the mismatch at most {most} are left: the upper end of KL(q‖p) less what is won."


def _gauge(found: Repaired, path: Path) -> list[str]:
    """What is free, and its constants as a line of code."""
    sampler = found.sampler
    if sampler.gauge is None or sampler.about.gauge_gain is None:
        return []
    won = sampler.about.gauge_gain
    free = f"Free, without any file: shift and scale of each dimension win {_interval(won)}."
    if won[1] <= 0:
        free = (
            "Free, without any file, would be shift and scale of each dimension: they are not "
            f"sure to win, {_interval(won)}."
        )
    if sampler.dimensions > _PASTED:
        shift, scale = (f'load_file("{path.name}")["all/{one}"]' for one in ("shift", "scale"))
        return [free, f"    z = {shift} + {scale} * torch.randn(n, {sampler.dimensions})"]
    shift, scale = map(_pasted, sampler.gauge)
    return [free, f"    z = {shift} + {scale} * torch.randn(n, {sampler.dimensions})"]


def _pasted(values: Tensor) -> str:
    return f"torch.tensor([{', '.join(f'{one:.4g}' for one in values.tolist())}])"


def _made(found: Repaired) -> str:
    parts = sorted(found.sampler.weights.items(), key=lambda item: -item[1])
    few = ", ".join(f"{name} {weight:.0%}" for name, weight in parts if weight >= 0.01)
    about = found.sampler.about
    fitted = f"fitted to {about.rows:,} inputs"
    by = "a random fifth, kept apart" if found.split else "the held-out inputs"
    return f"Made of: {few}; {fitted}, chosen by {by}."


def _copies(found: Repaired) -> str:
    if found.recited <= _NOTICED:
        return ""
    return (
        f"{found.recited:.0%} of the held-out z lie as near to training inputs as copies do, and "
        "those that are copies win nothing."
    )


def _usage(path: Path, size: int, condition: str) -> str:
    return (
        f"{path}, {size:,} bytes: vaelib.load_sampler({path.name!r}{condition})"
        ".sample(n, generator)"
    )


def _interval(gain: Interval) -> str:
    value, low, high = gain
    return f"{value:.3g} nats (95 % interval {low:.3g} to {high:.3g})"
