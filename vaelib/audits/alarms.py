"""What makes inputs no independent inputs, so that nothing is proved by them: said, not guessed."""

from __future__ import annotations

import torch
from torch import Tensor

from vaelib.audits.latents import Latents
from vaelib.stats.stack.flags import copied_share
from vaelib.stats.stack.groups import as_groups
from vaelib.stats.stack.repeats import copied_rows, distinct_rows, repeated_rows
from vaelib.stats.stack.twins import twins_p_value

__all__ = [
    "CODES",
    "COPIES",
    "FLAGS",
    "MOST_COPIED",
    "REPEATS",
    "TWINS",
    "alarm_of",
    "copied",
    "inputs",
]

CODES = "z are integers: codes have probabilities and no density, so compare their counts with p's"
COPIES = "some held-out inputs are near-copies of training inputs, and copies prove nothing"
REPEATS = (
    "some inputs repeat others, or are rounded: drop copies, give groups (each input its own where "
    "equal ones are independent), or save float32"
)
TWINS = "inputs come in near pairs or clumps, copies of one another: give groups, or one of each"
FLAGS = (COPIES, REPEATS, TWINS)
"""Alarms of inputs that are not independent."""

MOST_COPIED = 0.01
"""Share of held-out inputs, proved, above which the others prove nothing."""
_REPEATED = 0.01  # share of rows; with fewer, float32 may have rounded them
_TWINS = 0.01  # p-value; conservative: of 240 samples of each law that is tested none fell below
_WHOLE = 2.0**23  # from here on float32 has no fractions


def alarm_of(latents: Latents, generator: torch.Generator) -> str:
    """Why the inputs of one split prove nothing.

    Args:
        latents: the inputs.
        generator: random stream of a choice among them.

    Returns:
        A sentence; empty where they may be independent.
    """
    return CODES if _are_codes(latents.z) else _repeats(latents, generator)


def _are_codes(z: Tensor) -> bool:
    """Whether bare z, or points, are labels of a codebook; one constant is something else."""
    whole = (z == z.round()).all() and (z.abs() < _WHOLE).all()
    return bool(whole) and bool((z != z[0]).any())


def copied(fitted: Latents, played: Latents, generator: torch.Generator) -> float:
    """The share of held-out inputs that are proved to be copies of training inputs.

    Args:
        fitted: the training inputs.
        played: the held-out ones.
        generator: random stream of a choice among them.

    Returns:
        A share, by posterior means, which repeat exactly; by z where there are none.
    """
    train, heldout = fitted.z, played.z
    if fitted.posterior is not None and played.posterior is not None:
        train, heldout = fitted.posterior.mean, played.posterior.mean
    train, heldout = train.cpu().double(), heldout.cpu().double()
    exact = copied_rows(train, heldout)
    return max(exact, copied_share(train, heldout, generator, played.groups))


def inputs(latents: Latents) -> int:
    """How many inputs there are at least: posteriors that are equal may be one input's.

    Args:
        latents: of one split.

    Returns:
        Their number: of groups where there are any; else equal posteriors count once, but for those
        of the one that occurs most often.
    """
    if latents.groups is not None:
        return int(as_groups(latents.groups, len(latents.z)).max()) + 1
    q = latents.posterior
    return len(latents.z) if q is None else distinct_rows(q.mean, q.scale)


def _repeats(latents: Latents, generator: torch.Generator) -> str:
    """What is wrong with inputs of which many are equal or come in pairs; empty if nothing is."""
    q, z = latents.posterior, latents.z
    if latents.groups is not None or bool((z == z[0]).all()):
        return ""
    # where encoders are constant, many independent inputs share few posteriors: no copies
    share = repeated_rows(z) if q is None else repeated_rows(q.mean, q.scale, atoms=True)
    if share > _REPEATED:
        return REPEATS
    return TWINS if twins_p_value(z if q is None else q.mean, generator) < _TWINS else ""
