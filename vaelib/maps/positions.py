"""Latents that are maps or sequences: positions of one input, which N(0, I) draws independently.

A row is one position's vector, and an audit of rows says nothing of how positions hang together.
Here it is asked of the whole: how neighbours correlate, what each channel is like, and by how much
the law of a map differs from N(0, I) with one map of each input. A crop of a map has a law of less
KL, so that what is proved of it is proved of the map.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vaelib.arguments.tensors import as_tensor
from vaelib.audits.measurement import Measurement
from vaelib.seeding import stream
from vaelib.stats.jackknife import Estimate
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.certify import LEAST, certify, certify_in_sequence

__all__ = [
    "CORRELATED",
    "LOWER",
    "Maps",
    "channel_errors",
    "cropped",
    "drawn_maps",
    "map_rows",
    "neighbour_correlation",
    "proved_of_maps",
]

CORRELATED = "neighbour_correlation"
LOWER = "certified_map_kl_lower"
"""Metrics."""

_WIDEST = 256  # numbers of a map that are audited together
_CHANNELS = 32


@dataclass(frozen=True)
class Maps:
    """One z of each position of each input.

    Attributes:
        z: shape (N, *places, C), float64.
        fitted: the same of training inputs, where ``z`` are of others.
    """

    z: Tensor
    fitted: Tensor | None = None

    @classmethod
    def of_rows(cls, z: Tensor, places: tuple[int, ...], fitted: Tensor | None = None) -> Maps:
        """From rows, those of one input together in the order of the places.

        Args:
            z: shape (N · P, C), P the product of the places.
            places: lengths of the axes of a map, or (T,) of a sequence.
            fitted: the same of training inputs.

        Returns:
            The maps.

        Raises:
            ValueError: for rows that are no whole number of maps.
        """
        positions = math.prod(places)
        for one in (z, fitted):
            if one is not None and (one.dim() != 2 or not positions or len(one) % positions):
                raise ValueError(
                    f"rows must be those of whole maps of {places}, got shape {tuple(one.shape)}"
                )
        shaped = [
            None if one is None else one.reshape(-1, *places, one.shape[1]) for one in (z, fitted)
        ]
        assert shaped[0] is not None
        return cls(shaped[0], shaped[1])


def drawn_maps(
    train: tuple[Tensor, Tensor],
    heldout: tuple[Tensor, Tensor] | None,
    places: tuple[int, ...],
    generator: torch.Generator,
) -> Maps:
    """One z of each position, of the inputs that decide, and of those that densities are fitted to.

    Args:
        train: mean and scale of the training inputs, a row for each position; z with scales of 0.
        heldout: those of held-out inputs, which decide where there are any.
        places: lengths of the axes of a map.
        generator: random stream, on the CPU.

    Returns:
        The maps.

    Raises:
        ValueError: for rows that are no whole number of maps.
    """

    def drawn(pair: tuple[Tensor, Tensor]) -> Tensor:
        if not bool((pair[1] != 0).any()):
            return pair[0]
        return pair[0] + pair[1] * torch.randn(pair[0].shape, generator=generator).double()

    first = drawn(train)
    if heldout is None:
        return Maps.of_rows(first, places)
    return Maps.of_rows(drawn(heldout), places, first)


def neighbour_correlation(z: Tensor, axis: int) -> Estimate:
    """How neighbouring positions correlate, over all channels and positions.

    Channels count alike, each about its own mean and in units of its own deviation. Over inputs,
    which are independent, the estimate is a ratio of means, whose standard error is that of its
    linear part.

    Args:
        z: maps, shape (N, *places, C), N at least 2.
        axis: of the places, from 1 on.

    Returns:
        The correlation, in [-1, 1], and its standard error.

    Raises:
        ValueError: for fewer inputs, an axis that is none of the places, or of length 1.
    """
    z = as_tensor(z, "z").double()
    if z.dim() < 3 or len(z) < 2 or not 1 <= axis < z.dim() - 1 or z.shape[axis] < 2:
        raise ValueError(
            "z must be at least 2 maps of shape (N, ..., C) with at least 2 places along axis "
            f"{axis}, got {tuple(z.shape)}"
        )
    inner = tuple(range(z.dim() - 1))
    offset = z - z.mean(inner)
    offset = offset / offset.square().mean(inner).sqrt().clamp_min(1e-300)
    first = offset.narrow(axis, 0, z.shape[axis] - 1)
    second = offset.narrow(axis, 1, z.shape[axis] - 1)
    own = tuple(range(1, z.dim()))
    above = (first * second).mean(own)
    below = 0.5 * (first.square() + second.square()).mean(own)
    value = float(above.mean() / below.mean())
    linear = (above - value * below) / below.mean()
    return Estimate(value, float(linear.std()) / math.sqrt(len(z)))


def map_rows(maps: Maps, split: str, seed: int, alpha: float) -> Iterator[Measurement]:
    """Measure what positions hide.

    Args:
        maps: of the inputs that decide.
        split: named in the measurements.
        seed: of the fits.
        alpha: one-sided level of the lower end.

    Yields:
        The correlation of neighbours along each axis, the mean and deviation of each channel, and
        the proved lower end of KL(q‖p) of a whole map.
    """
    z = maps.z
    for axis in range(1, z.dim() - 1):
        if z.shape[axis] > 1 and len(z) > 1:
            found = neighbour_correlation(z, axis)
            yield Measurement(split, CORRELATED, *found, source=_axis(axis, z.dim() - 2))
    inner = tuple(range(z.dim() - 1))
    means, deviations = z.mean(inner), z.std(inner)
    errors = channel_errors(z, means, deviations)
    for channel in range(min(_CHANNELS, z.shape[-1])):
        source = f"channel {channel}"
        for name, values, error in zip(
            ("channel_mean", "channel_deviation"), (means, deviations), errors, strict=True
        ):
            of = None if error is None else float(error[channel])
            yield Measurement(split, name, float(values[channel]), of, source=source)
    yield proved_of_maps(maps, split, seed, alpha)


def channel_errors(
    z: Tensor, means: Tensor, deviations: Tensor
) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """Standard errors of moments of channels over inputs, which are independent.

    Args:
        z: shape (n, …, C).
        means: over inputs and positions, shape (C,).
        deviations: the same, shape (C,).

    Returns:
        Of the means and of the deviations, each of shape (C,); None of one input.
    """
    if len(z) < 2:
        return None, None
    inner = tuple(range(1, z.dim() - 1))
    squares = (z - means).square()
    first, second = (x.mean(inner) if inner else x for x in (z, squares))
    root = len(z) ** 0.5
    return first.std(0) / root, second.std(0) / root / (2 * deviations).clamp_min(1e-300)


def proved_of_maps(maps: Maps, split: str, seed: int, alpha: float) -> Measurement:
    """The proved lower end of KL(q‖p) of whole maps, or of a crop.

    Args:
        maps: one z of each position of each input.
        split: named in the measurement.
        seed: of the fits.
        alpha: one-sided level.

    Returns:
        The lower end in nats per input, at least 0, which the message says the crop of; without a
        value where there are fewer than 20 inputs, or nothing can be fitted.
    """
    fitted = maps.z if maps.fitted is None else maps.fitted
    widest = min(_WIDEST, max(16, len(fitted) // 2))
    z, said = cropped(maps.z, widest)
    if len(z) < LEAST:
        few = f"at least {LEAST} inputs are needed, got {len(z)}"
        return Measurement(split, LOWER, None, message=few)
    generator = stream("whole maps", seed)
    try:
        if maps.fitted is None:
            data = Posteriors(z, torch.zeros_like(z))
            found = certify_in_sequence(data, z, generator, alpha=alpha)
        else:
            other, _ = cropped(maps.fitted, widest)
            found = certify(Posteriors(other, torch.zeros_like(other)), z, generator, alpha=alpha)
    except ValueError as error:
        return Measurement(split, LOWER, None, message=str(error))
    return Measurement(split, LOWER, found.lower, message=said)


def cropped(z: Tensor, widest: int) -> tuple[Tensor, str]:
    """The middle of each map as a row.

    Args:
        z: maps, shape (N, *places, C).
        widest: numbers of a row at most, if C is no more.

    Returns:
        Shape (N, P · C), and what it is of each map, in words.
    """
    places, channels = list(z.shape[1:-1]), z.shape[-1]
    size = list(places)
    while math.prod(size) * channels > widest and max(size) > 1:
        size[size.index(max(size))] -= 1
    for axis, length in enumerate(size, 1):
        z = z.narrow(axis, (z.shape[axis] - length) // 2, length)
    said = (
        "whole maps" if size == places else f"the middle {' x '.join(map(str, size))} of each map"
    )
    return z.reshape(len(z), -1), said


def _axis(axis: int, count: int) -> str:
    """What an axis of the places is called."""
    names = {1: ("steps",), 2: ("height", "width"), 3: ("frames", "height", "width")}
    return names[count][axis - 1] if count in names else f"axis {axis}"
