"""Latents of any layout as rows: shape (N, D)."""

import math
from dataclasses import dataclass

import numpy as np

from vaelib.latent_files.entries import Entry, Refused, short

__all__ = ["Layout", "half_lost", "layout_of", "spread_like"]


@dataclass(frozen=True)
class Layout:
    """How an array is laid out.

    Attributes:
        shape: of the array.
        inputs: N.
        positions: vectors of each input: of a map, or the steps of a sequence.
        last: whether the dimensions of z are the last axis; else they are the second.
    """

    shape: tuple[int, ...]
    inputs: int
    positions: int
    last: bool

    def rows(self, values: np.ndarray) -> np.ndarray:
        """Bring an array of this layout to rows, those of one input together.

        Args:
            values: of ``shape``.

        Returns:
            Shape (N · positions, D).
        """
        ordered = values if self.last else np.moveaxis(values, 1, -1)
        return ordered.reshape(self.inputs * self.positions, -1)

    @property
    def places(self) -> tuple[int, ...]:
        """Lengths of the axes of a map or sequence, in the order of rows; none of (N, D)."""
        if self.positions == 1:
            return ()
        return self.shape[1:-1] if self.last else self.shape[2:]

    @property
    def width(self) -> int:
        """D."""
        return math.prod(self.shape) // (self.inputs * self.positions)

    @property
    def said(self) -> str:
        """What was made of it, in words; empty of (N, D)."""
        if len(self.shape) == 2:
            return ""
        if self.positions == 1:
            return f"{self.shape} squeezed"
        axes = "(N, …, D)" if self.last else "(N, D, …)"
        return f"{self.shape} read as {axes}"

    @property
    def note(self) -> str:
        """What a person must know; empty where rows are inputs."""
        if self.positions == 1:
            return ""
        what = "steps" if len(self.shape) == 3 else "positions"  # of time, of a map
        if self.inputs == 1:
            return (
                f"{self.shape} are {self.positions:,} {what} of 1 input, which are not independent "
                "draws: what is answered holds for this input alone"
            )
        return (
            f"{self.shape} are {self.positions:,} {what} of each of {self.inputs:,} inputs, and "
            f"{what} of one input are not independent draws: each input counts as one group"
        )


def layout_of(entry: Entry) -> Layout:
    """The layout of an array of latents.

    Args:
        entry: of shape (N, D), (N, 1, D), (1, N, D), (N, D, 1, …), (N, T, D), (N, C, H, W), or
            (N, H, W, C) where H is W and C is not, and with more axes alike.

    Returns:
        Where in it inputs, positions and dimensions are.

    Raises:
        Refused: for an array of fewer axes, or without numbers.
    """
    shape = (*entry.shape, 1) if entry.column and len(entry.shape) == 1 else entry.shape
    if len(shape) < 2 or 0 in shape:
        raise Refused(
            f"{short(entry.name)} must have shape (N, D) with N and D at least 1, got "
            f"{entry.shape}" + ("; save z.reshape(N, D)" if len(shape) == 1 and shape[0] else "")
        )
    first, *inner = shape
    if len(shape) == 2:
        return Layout(shape, first, 1, True)
    if len(shape) == 3:
        if first == 1 and inner[0] > 1 and inner[1] > 1:
            return Layout(shape, inner[0], 1, True)
        return Layout(shape, first, 1 if 1 in inner else inner[0], True)
    positions = math.prod(inner[1:])
    if len(shape) == 4 and inner[0] == inner[1] != inner[2] and inner[0] > 1:
        return Layout(shape, first, inner[0] * inner[1], True)
    return Layout(shape, first, positions, False)


def spread_like(
    entry: Entry, values: np.ndarray, layout: Layout, of: str = "mean"
) -> tuple[np.ndarray, str]:
    """Bring a spread to the rows of its mean.

    Args:
        entry: of the spread.
        values: its numbers.
        layout: of the mean.
        of: what the mean is called.

    Returns:
        Shape (N · positions, D), and what was made of it, in words.

    Raises:
        Refused: for a shape that is not the mean's and cannot be broadcast to it.
    """
    count, width = layout.inputs * layout.positions, layout.width
    if values.shape == layout.shape or (entry.column and layout.shape == (*values.shape, 1)):
        return layout.rows(values.reshape(layout.shape)), ""
    if values.ndim > 1 and values.size == count * width:
        own = layout_of(entry)
        if (own.inputs, own.positions) == (layout.inputs, layout.positions):
            return own.rows(values), f"{values.shape} squeezed" if values.ndim > 2 else ""
    said = f"{values.shape} broadcast to every " + (
        "number" if values.size == 1 else "row" if values.size == width else "dimension"
    )
    plain = values.reshape([n for n in values.shape if n > 1] or [1])
    if values.size == 1:
        return np.broadcast_to(plain, (count, width)), said
    if plain.ndim == 1:
        if values.ndim == 1 and width == layout.inputs:
            raise Refused(
                f"{short(entry.name)} has shape {values.shape}, one number for each input or for "
                "each dimension, of which there are as many; save it as (1, D) or (N, 1)"
            )
        by_input = values.ndim == 1 or values.shape[0] == layout.inputs
        if plain.size == width and not (values.ndim > 1 and width == layout.inputs and by_input):
            return np.broadcast_to(plain, (count, width)), said
        if plain.size == layout.inputs and by_input:
            whole = np.repeat(plain, layout.positions)[:, None]
            return np.broadcast_to(whole, (count, width)), said
    raise Refused(
        f"{short(of)} and {short(entry.name)} must have the same shape (N, D), got "
        f"{layout.shape} and {values.shape}; a spread may also be (D,), (N, 1) or one number"
    )


def half_lost(entry: Entry, values: np.ndarray) -> str:
    """What half precision lost of a scale.

    Args:
        entry: of the scale or variance.
        values: its numbers.

    Returns:
        A sentence; empty where nothing was lost.
    """
    zeros = int((values == 0).sum())
    if entry.dtype.lstrip("<>=|") not in ("float16", "f2") or not zeros:
        return ""
    return (
        f"{short(entry.name)} is 0 in {zeros:,} of {values.size:,} numbers, and float16 keeps "
        "nothing below 6e-8: save it in float32, or its logarithm"
    )
