"""What is handed over: posteriors, or z, of the inputs that gave numbers, as rows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vaelib.arguments.layouts import Layout, layout_of
from vaelib.arguments.rows import Usable, of_both, usable
from vaelib.arguments.tables import Table, as_numbers, as_parts, check_order
from vaelib.arguments.tensors import as_tensor
from vaelib.audits.given import as_held_out, as_posteriors, group_labels
from vaelib.audits.measurement import Measurement
from vaelib.audits.prepared import left_out
from vaelib.stats.checks import as_points

__all__ = ["Pair", "Taken", "points_of", "posteriors_of"]

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Taken:
    """Latents as an audit takes them.

    Attributes:
        train: mean and scale of the training inputs, each (N, D); z and scales of 0 of bare ones.
        heldout: those of held-out inputs, where given.
        groups: labels of the inputs that decide: as given, or the inputs of positions.
        kept: which of the inputs that were given these are: of training, and held-out.
        layout: where a row is a position of a map, how the maps lie; None where it is an input.
        split: that decides: ``"test"``, ``"train"`` or ``"sample"``.
    """

    train: Pair
    heldout: Pair | None
    groups: Tensor | None
    kept: tuple[Usable, ...]
    layout: Layout | None
    split: str

    @property
    def left_out(self) -> str:
        """Which inputs gave no numbers, in a sentence; empty where all did."""
        return of_both(*(one.said for one in self.kept))

    @property
    def rows(self) -> list[Measurement]:
        """The same as a measurement."""
        return left_out(self.left_out, sum(one.lost for one in self.kept), self.split)

    @property
    def positions(self) -> int:
        """Rows of one input."""
        return 1 if self.layout is None else self.layout.positions

    @property
    def places(self) -> tuple[int, ...]:
        """Lengths of the axes of a map; none where a row is an input."""
        return () if self.layout is None else self.layout.places

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must know of rows that are positions."""
        return () if self.layout is None else (self.layout.note,)


def posteriors_of(
    mean: Table, scale: Table, heldout: object = None, groups: Table | None = None
) -> Taken:
    """Posteriors of training inputs, and of others where there are any.

    Args:
        mean: shape (N, D), or of maps (N, C, H, W), of sequences (N, T, D).
        scale: the same shape.
        heldout: a pair of both.
        groups: labels of the inputs that decide.

    Returns:
        Rows of the inputs that gave numbers.

    Raises:
        TypeError: for what is no table of numbers.
        ValueError: for shapes that differ, or more than 5 % of inputs without numbers.
    """
    check_order(mean, scale)
    own, layout = _as_rows(as_numbers(mean, "mean"), as_numbers(scale, "scale"), "")
    pair, parts = None, as_parts(heldout, "heldout", ("mean", "scale"))
    if isinstance(parts, tuple | list) and len(parts) == 2:
        pair, other = _as_rows(parts[0], parts[1], " of heldout")
        if (layout and layout.places) != (other and other.places):
            raise ValueError(
                f"heldout must be maps of {layout.places if layout else 'no'} places like mean, "
                f"got {other.places if other else 'none'}"
            )
    elif parts is not None:
        as_held_out(parts, own[0].shape[1])  # which says what it is
    positions = layout.positions if layout else 1
    words = ["training", "held-out"] if pair is not None else [""]
    given = [own] if pair is None else [own, pair]
    kept = tuple(usable(*one, of, positions) for one, of in zip(given, words, strict=True))
    given = [_some(one, of.rows) for one, of in zip(given, kept, strict=True)]
    held = as_held_out(given[1], own[0].shape[1]) if pair is not None else None
    labels = _labels(groups, kept[-1].rows, positions)
    return Taken(given[0], held, labels, kept, layout, "train" if held is None else "test")


def points_of(z: Table, groups: Table | None = None) -> Taken:
    """Bare z.

    Args:
        z: shape (n, D), or of maps (n, C, H, W), of sequences (n, T, D).
        groups: labels.

    Returns:
        Rows of the inputs that gave numbers; scales are 0.

    Raises:
        TypeError: for what is no table of numbers.
        ValueError: as of :func:`posteriors_of`.
    """
    numbers, layout = as_numbers(z, "z"), None
    if getattr(numbers, "ndim", 0) > 2:
        numbers = as_tensor(numbers, "z")
        (numbers, _), layout = _as_rows(numbers, torch.zeros_like(numbers), "")
    if getattr(numbers, "ndim", 0) != 2 or 0 in numbers.shape:
        as_points(numbers)  # which says what it is
    points = as_tensor(numbers, "z")
    positions = layout.positions if layout else 1
    kept = usable(points, None, "", positions)
    points = as_points(points[kept.rows])
    labels = _labels(groups, kept.rows, positions)
    return Taken((points, torch.zeros_like(points)), None, labels, (kept,), layout, "sample")


def _as_rows(mean: object, scale: object, of: str) -> tuple[Pair, Layout | None]:
    """As pairs of rows, and how they lie where they are those of maps."""
    m, s = as_tensor(mean, f"mean{of}"), as_tensor(scale, f"scale{of}")
    if m.dim() < 3 or m.shape != s.shape or 0 in m.shape:
        return as_posteriors(m, s, of), None
    layout = layout_of(tuple(m.shape), last=m.dim() == 3)
    return (layout.rows(m), layout.rows(s)), layout if layout.positions > 1 else None


def _some(pair: Pair, rows: Tensor) -> Pair:
    return pair if bool(rows.all()) else (pair[0][rows], pair[1][rows])


def _labels(groups: Table | None, rows: Tensor, positions: int) -> Tensor | None:
    """Labels of each row that is kept; those of the inputs where rows are positions."""
    inputs = len(rows) // positions
    if groups is None:
        labels = torch.arange(inputs) if positions > 1 and inputs > 1 else None
    else:
        labels = group_labels(as_numbers(groups, "groups", "integers"), inputs)
    return None if labels is None else labels.repeat_interleave(positions)[rows.to(labels.device)]
