"""What a file held: posteriors or z of the inputs that gave numbers, and labels of these."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vaelib.arguments.rows import Usable, of_both, usable
from vaelib.latent_files.entries import Refused
from vaelib.latent_files.parts import Part

__all__ = ["Latents", "filled"]


@dataclass(frozen=True)
class Latents:
    """What a file held: posteriors, or z.

    Attributes:
        train: mean and scale of the training inputs, each (N, D); None where only z was given.
        heldout: mean and scale of held-out inputs, each (n, D), where given.
        z: bare latents, shape (n, D), where only they were given.
        groups: labels of the held-out inputs, or where there are none of all, that are not
            independent of each other, shape (n,): those of the file, or the inputs of positions.
        conditions: labels of the training inputs, or of z, (N,), where given.
        heldout_conditions: those of the held-out inputs, (n,), where given.
        places: lengths of the axes of a map, or the steps of a sequence, whose positions are rows,
            those of one input together; none where a row is an input.
        said: what was read as what, in one line.
        plain: whether names and shapes were the suite's own, so that nothing need be said.
        notes: sentences that a person should read first.
        others: names of what else is there.
        left_out: which inputs gave no numbers, in a sentence; empty where all did.
        rows: which rows of the file gave numbers, of the training inputs or z, shape (N,); None
            where all did. The others are in none of the above.
        heldout_rows: the same of the held-out inputs, shape (n,).
    """

    train: tuple[Tensor, Tensor] | None = None
    heldout: tuple[Tensor, Tensor] | None = None
    z: Tensor | None = None
    groups: Tensor | None = None
    conditions: Tensor | None = None
    heldout_conditions: Tensor | None = None
    places: tuple[int, ...] = ()
    said: str = ""
    plain: bool = True
    notes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    left_out: str = ""
    rows: Tensor | None = None
    heldout_rows: Tensor | None = None


def filled(found: Latents, parts: Sequence[Part]) -> Latents:
    """With the inputs that gave numbers, and with labels of these alone.

    Args:
        found: labels, and what was read as what.
        parts: the training inputs, or z, and the held-out ones.

    Returns:
        The same with posteriors or z.

    Raises:
        Refused: where more inputs gave none than can be left out.
    """
    words = [""] if len(parts) == 1 else ["training", "held-out"]
    kept = [_usable(part, word) for part, word in zip(parts, words, strict=True)]
    left_out = of_both(*(one.said for one in kept))
    if left_out:
        last, held = kept[-1].rows, kept[-1].rows if len(kept) > 1 else None
        found = replace(
            found,
            groups=_of_rows(found.groups, last),
            conditions=_of_rows(found.conditions, kept[0].rows),
            heldout_conditions=_of_rows(found.heldout_conditions, held),
            notes=(left_out, *found.notes),
            left_out=left_out,
            rows=kept[0].rows,
            heldout_rows=held,
        )
    first, *others = (
        tuple(values[one.rows] for values in part.values)
        for part, one in zip(parts, kept, strict=True)
    )
    if len(first) == 1 and not others:
        return replace(found, z=first[0])
    train, heldout = _pair(first), _pair(others[0]) if others else None
    return replace(found, train=train, heldout=heldout)


def _pair(values: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and scale; those of bare z are points."""
    mean, *scale = values
    return mean, scale[0] if scale else torch.zeros_like(mean)


def _usable(part: Part, of: str) -> Usable:
    scale = part.values[1] if len(part.values) > 1 else None
    try:
        return usable(part.values[0], scale, of, part.layout.positions)
    except ValueError as error:
        raise Refused(str(error)) from error


def _of_rows(labels: Tensor | None, rows: Tensor | None) -> Tensor | None:
    """Labels of rows that are kept; of another number, which is refused later, as they are."""
    if labels is None or rows is None or len(labels) != len(rows):
        return labels
    return labels[rows]
