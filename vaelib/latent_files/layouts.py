"""The layout of an array in a file, and of the spread beside it."""

import numpy as np

from vaelib.arguments.layouts import Layout, layout_of
from vaelib.latent_files.entries import Entry, Refused, short

__all__ = ["half_lost", "layout_of_entry", "spread_like"]


def layout_of_entry(entry: Entry) -> Layout:
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
    inner = shape[1:]
    square = len(shape) == 4 and inner[0] == inner[1] != inner[2] and inner[0] > 1
    return layout_of(shape, last=len(shape) == 3 or square)


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
        own = layout_of_entry(entry)
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
