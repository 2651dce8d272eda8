"""What of a user's latents is audited: copies count once, constant dimensions are left out."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from vaelib.audits.collapse import named
from vaelib.audits.measurement import Measurement
from vaelib.stats.stack.repeats import first_of_copies

__all__ = ["CONSTANT", "COPIED", "LEFT_OUT", "Prepared", "left_out", "prepared"]

CONSTANT = "constant_dimensions"
COPIED = "copied_inputs"
LEFT_OUT = "inputs_left_out"
"""Metrics: how many dimensions, and inputs, were left out."""

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Prepared:
    """Latents to audit.

    Attributes:
        train: mean and scale, each (N, D); bare z have scales of 0.
        heldout: those of held-out inputs, each (n, D), where given.
        groups: labels of the inputs that decide, where given.
        rows: what was left out, as measurements of the split that decides.
    """

    train: Pair
    heldout: Pair | None = None
    groups: Tensor | None = None
    rows: list[Measurement] = field(default_factory=list)


def prepared(
    train: Pair,
    heldout: Pair | None = None,
    groups: Tensor | None = None,
    *,
    split: str = "train",
    normal: bool = True,
) -> Prepared:
    """Leave out what would make the rest unanswerable.

    A dimension that is the same for every input, points of which N(0, I) draws with probability 0,
    is left out and counted. Of inputs that are repeated evenly, as copies are and draws of atoms
    are not, the first counts; where there are groups, they say what belongs together.

    Args:
        train: mean and scale of the training inputs, each (N, D); bare z with scales of 0.
        heldout: those of held-out inputs, each (n, D).
        groups: labels of the inputs that decide: the held-out ones, or all where there are none.
        split: of the first, as measurements name it.
        normal: whether the prior is N(0, I), of which any choice of dimensions is one again.

    Returns:
        What is left.
    """
    rows: list[Measurement] = []
    decides = "test" if heldout is not None else split
    constant = torch.zeros(train[0].shape[1], dtype=torch.bool)
    if normal:
        constant = _constant(train, heldout)
    if bool(constant.any()) and not bool(constant.all()):
        words, verb = named(torch.nonzero(constant)[:, 0]), "is" if constant.sum() == 1 else "are"
        said = f"the KL is infinite: {words} {verb} the same for every input"
        rows.append(Measurement(decides, CONSTANT, float(constant.sum()), message=said))
        train = train[0][:, ~constant], train[1][:, ~constant]
        heldout = heldout and (heldout[0][:, ~constant], heldout[1][:, ~constant])
    played = train if heldout is None else heldout
    if groups is None:
        points = not bool((played[1] != 0).any())
        first = first_of_copies(*played[: 1 if points else 2])
        if len(first) < len(played[0]):
            left, whole = len(played[0]) - len(first), len(played[0])
            said = f"{left:,} of {whole:,} inputs repeat others exactly, and each counts once"
            rows.append(Measurement(decides, COPIED, float(left), message=said))
            played = played[0][first], played[1][first]
    if heldout is None:
        return Prepared(played, None, groups, rows)
    return Prepared(train, played, groups, rows)


def left_out(said: str, count: int, split: str) -> list[Measurement]:
    """Inputs that gave no numbers, as a measurement.

    Args:
        said: which, of :func:`vaelib.arguments.rows.of_both`; empty where all did.
        count: how many.
        split: that decides.

    Returns:
        One of how many there are, or none.
    """
    return [Measurement(split, LEFT_OUT, float(count), message=said)] if said else []


def _constant(train: Pair, heldout: Pair | None) -> Tensor:
    """Dimensions without any spread, over all inputs there are; of one input none."""
    pairs = [train] if heldout is None else [train, heldout]
    mean, scale = (torch.cat([pair[i].cpu().double() for pair in pairs]) for i in (0, 1))
    if len(mean) < 2 or not bool(mean.isfinite().all()):
        return torch.zeros(mean.shape[1], dtype=torch.bool)
    return (scale == 0).all(0) & (mean == mean[:1]).all(0)
