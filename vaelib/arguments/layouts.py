"""Latents of any layout as rows: shape (N, D), or a row for each position of a map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from torch import Tensor

__all__ = ["Layout", "layout_of"]

Values = TypeVar("Values", Tensor, np.ndarray)


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

    def rows(self, values: Values) -> Values:
        """Bring an array of this layout to rows, those of one input together.

        Args:
            values: a tensor or array of ``shape``.

        Returns:
            Shape (N · positions, D), of the same kind.
        """
        if not self.last:
            order = (0, *range(2, values.ndim), 1)
            values = (
                values.permute(order) if isinstance(values, Tensor) else values.transpose(order)
            )
        return values.reshape(self.inputs * self.positions, -1)

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


def layout_of(shape: tuple[int, ...], last: bool) -> Layout:
    """The layout of latents whose axes are known.

    Args:
        shape: (N, D), (N, 1, D), (1, N, D), (N, T, D), (N, C, H, W), (N, H, W, C), or with more
            axes alike; none of length 0.
        last: whether, of three axes or more, the dimensions of z are the last; else the second.

    Returns:
        Where in it inputs, positions and dimensions are.
    """
    first, *inner = shape
    if len(shape) == 2:
        return Layout(shape, first, 1, True)
    if len(shape) == 3 and last:
        if first == 1 and inner[0] > 1 and inner[1] > 1:
            return Layout(shape, inner[0], 1, True)
        return Layout(shape, first, 1 if 1 in inner else inner[0], True)
    return Layout(shape, first, math.prod(inner[:-1] if last else inner[1:]), last)
