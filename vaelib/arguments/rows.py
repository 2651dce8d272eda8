"""Inputs whose latents are no numbers: left out where they are few, named, and never in silence."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["LARGEST", "MOST", "Usable", "bad_rows", "few", "listed", "of_both", "usable"]

MOST = 0.05
"""Share of the inputs that may be left out; with more nothing is answered."""

LARGEST = 1e48
"""Statistics take z below 1e50, and products of several larger ones overflow."""

_NAMED = 5  # rows that a sentence names
_ABOUT = (
    "gave no usable numbers (NaN, infinity or beyond 1e48) and are left out: what is said is about "
    "the inputs that gave numbers"
)


@dataclass(frozen=True)
class Usable:
    """Which inputs gave numbers.

    Attributes:
        rows: shape (N,), true of those.
        said: how many are left out, and which, without a verb; empty where none is.
    """

    rows: Tensor
    said: str = ""

    @property
    def lost(self) -> int:
        """How many rows are left out."""
        return int((~self.rows).sum())


def bad_rows(values: Tensor, positive: bool = False) -> Tensor:
    """Rows that statistics cannot compute with.

    Args:
        values: shape (N, ...).
        positive: whether they are scales, of which other than 0 none may be below 1e-48 either.

    Returns:
        Shape (N,): true where a value is NaN, infinite, or 1e48 or more in size.
    """
    bad = ~(values.abs() < LARGEST)
    if positive:
        bad |= (values > 0) & (values < 1 / LARGEST)
    return bad.flatten(1).any(1)


def usable(mean: Tensor, scale: Tensor | None, of: str = "", positions: int = 1) -> Usable:
    """Which inputs have a mean and a scale that are numbers.

    Args:
        mean: shape (N · positions, D), or z.
        scale: the same shape; None for bare z.
        of: whose they are, such as "training" or "held-out"; empty where that is plain.
        positions: rows of one input, which are left out together.

    Returns:
        The inputs by their rows.

    Raises:
        ValueError: where more than 5 % are not.
    """
    parts = {"mean" if scale is not None else "z": bad_rows(mean)}
    if scale is not None:
        parts["scale"] = bad_rows(scale, positive=True)
    bad = torch.stack(list(parts.values())).any(0).cpu()
    if not bool(bad.any()):
        return Usable(~bad)
    whole = bad.reshape(-1, positions).any(1)
    if int(whole.sum()) > MOST * len(whole):
        name = max(parts, key=lambda one: int(parts[one].sum()))
        behind = f" of {of} inputs" if of else ""
        raise ValueError(
            f"{name}{behind} must be finite and below {LARGEST:g}, got other values for "
            f"{few(whole)}, more than the {MOST:.0%} that can be left out; drop those inputs"
        )
    kept = ~whole.repeat_interleave(positions)
    return Usable(kept, few(whole, f"{of} inputs".strip()))


def few(bad: Tensor, what: str = "inputs") -> str:
    """How many rows are bad, and which.

    Args:
        bad: shape (N,).
        what: the rows are called.

    Returns:
        Such as "2 of 400 inputs (rows 3, 17)".

    Example:
        >>> few(torch.arange(40) == 7, "held-out inputs")
        '1 of 40 held-out inputs (row 7)'
    """
    count = int(bad.sum())
    return f"{count:,} of {len(bad):,} {what} (row{'s' * (count > 1)} {listed(bad)})"


def listed(bad: Tensor) -> str:
    """The first rows that are bad, such as "3, 17"."""
    rows = torch.nonzero(bad)[: _NAMED + 1, 0].tolist()
    return ", ".join(map(str, rows[:_NAMED])) + (", …" if len(rows) > _NAMED else "")


def of_both(*parts: str) -> str:
    """One sentence of what is left out, without its last point.

    Args:
        *parts: of :class:`Usable`, some of them empty.

    Returns:
        The sentence; empty where nothing is.
    """
    given = " and ".join(filter(None, parts))
    one = given.startswith("1 of ") and " and " not in given
    return f"{given} {_ABOUT.replace(' are ', ' is ') if one else _ABOUT}" if given else ""
