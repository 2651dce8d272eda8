"""One-dimensional mixtures of very many components, binned: their divergence in a fraction of time.

Components that agree in scale within a few per cent and in mean within a fraction of that scale
are replaced by one with their weight, mean and variance. What is lost is their third moment, a
relative error of the density of order (bin / scale)^3, and of the divergence of less than that.
"""

import math

import torch
from torch import Tensor

from vaelib.arguments.tensors import as_values
from vaelib.numerics.exp2 import BITS, powers_

__all__ = ["MANY", "MOST_POINTS", "binned_kl", "grid_over"]

MANY = 20_000
"""Components from which binning pays."""

MOST_POINTS = 1 << 15
"""Points of a grid, at most."""

_REACH = 9.0  # component standard deviations that the grid covers beyond the outermost means
_FINEST = 5.0  # grid points per smallest component scale
_BINS = 10.0  # per component scale
_DENSE = 1 << 20  # bins up to which counting them is faster than sorting the components
_TILE = 1 << 20  # numbers of the (points, components) matrix held at once


def grid_over(mean: Tensor, scale: Tensor) -> tuple[Tensor, float]:
    """An even grid over all of a one-dimensional mixture, as fine as its narrowest component asks.

    Args:
        mean: means of the components, shape (N,), float64.
        scale: their standard deviations, shape (N,), float64.

    Returns:
        The points, an odd number from 257 to about ``MOST_POINTS``, and the step between two.

    Raises:
        ValueError: for what are no finite numbers of one shape, or scales that are not positive.
    """
    mean, scale = _components(mean, scale)
    low, high = float((mean - _REACH * scale).min()), float((mean + _REACH * scale).max())
    points = math.ceil(min(MOST_POINTS, (high - low) / float(scale.min()) * _FINEST))
    points = max(points | 1, 257)
    grid = torch.linspace(low, high, points, dtype=torch.float64, device=mean.device)
    return grid, (high - low) / (points - 1)


def binned_kl(mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """KL of a one-dimensional mixture to N(0, 1), by the trapezoidal rule over binned components.

    Args:
        mean: means of the components, shape (N,), float64.
        scale: their standard deviations, shape (N,), float64.

    Returns:
        The divergence and an estimate of its error, the largest of its changes with half the
        points and with bins twice as wide and of what the grid misses of the mass, which is all of
        it where components are far narrower than its step; scalars, in nats.

    Raises:
        ValueError: as :func:`grid_over`.
    """
    mean, scale = _components(mean, scale)
    grid, step = grid_over(mean, scale)
    integrands, masses = [], []
    for bins in (_BINS, _BINS / 2):
        density = _density(grid, *_binned(mean, scale, bins))
        ratio = density.clamp_min(torch.finfo(density.dtype).tiny).log()
        ratio += 0.5 * (grid.square() + math.log(2 * math.pi))
        integrands.append(density * ratio)
        masses.append(density.sum() * step)
    fine = integrands[0].sum() * step
    changes = torch.stack([integrands[0][::2].sum() * 2 * step, integrands[1].sum() * step]) - fine
    return fine, torch.maximum(changes.abs().max(), (masses[0] - 1).abs())


def _components(mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    mean, scale = as_values(mean, "mean"), as_values(scale, "scale")
    if mean.shape != scale.shape:
        raise ValueError(
            f"mean and scale must have one shape (N,), got {len(mean)} and {len(scale)} numbers"
        )
    if not float(scale.min()) > 0:
        raise ValueError(f"scale must be positive, got min {float(scale.min()):.3g}")
    return mean, scale


def _binned(mean: Tensor, scale: Tensor, bins: float) -> tuple[Tensor, Tensor, Tensor]:
    """Weight, mean and scale of the components that replace the given ones."""
    octave = (scale.log() * (bins / 2)).floor()
    place = (mean / (octave / (bins / 2)).exp() * bins).floor()
    place -= place.min()
    key = (octave - octave.min()) * (place.max() + 1) + place
    where = _numbered(key)
    kinds = int(where.max()) + 1

    def total(values: Tensor) -> Tensor:
        return torch.zeros(kinds, dtype=mean.dtype).to(mean).index_add_(0, where, values)

    count = total(torch.ones_like(mean))
    centre = total(mean) / count
    variance = total(scale.square() + (mean - centre[where]).square()) / count
    return count / len(mean), centre, variance.sqrt()


def _numbered(keys: Tensor) -> Tensor:
    """The place of each key, a whole number from 0, among all that occur, in their order."""
    if not float(keys.max()) < _DENSE:
        _, numbers = torch.unique(keys, return_inverse=True)
        return torch.as_tensor(numbers)
    keys = keys.long()
    return ((torch.bincount(keys) > 0).cumsum(0) - 1)[keys]


def _density(grid: Tensor, weight: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """The mixture's density at the grid, shape (points,)."""
    height = weight / (scale * math.sqrt(2 * math.pi))
    size = max(1, _TILE // len(mean))
    densities = []
    for start in range(0, len(grid), size):
        standard = (grid[start : start + size, None] - mean) / scale
        densities.append(powers_(standard.square_().mul_(-0.5 * BITS)) @ height)
    return torch.cat(densities)
