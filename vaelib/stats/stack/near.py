"""Held-out z that lie as near to a training z as copies do: they win nothing.

A stack that has seen an input recites it, so that a few near-copies among the held-out inputs
would certify nats at an exact match. Where a z lies nearer to the training inputs than all but 1 %
of these lie to each other, its gain is taken to be 0 at most. That is a function of z and of what
was fitted, and lowers the gain: the lower end stays proved, at the price of 1 % of what draws win.
Training inputs that others equal are atoms of the law, or repeats, which are judged elsewhere: what
equals them wins what it wins.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaelib.arguments.tensors import as_number, as_tensor
from vaelib.stats.stack.repeats import at_atoms, lone_rows

__all__ = ["copy_distance", "unrecited"]

_FEWEST = 2  # D below which neighbours lie so near that who recites them wins next to nothing
_QUERIES = 2000  # training inputs whose neighbours tell the distance
_SHARE = 0.01
_ROUNDING = 1e-6  # of the spread: rows that are nearer repeat each other
_BLOCK = 1 << 24  # pairs at once


def copy_distance(train: Tensor) -> float | None:
    """How near a z must lie to a training input to be taken for a copy of it.

    That is the first percentile of the distances between neighbours. Where the training inputs hold
    copies of each other, that percentile is their noise; so no less is taken than what the median
    and the upper quartile say of it, for distances whose D'-th power is exponential, as they are
    where the density hardly varies.

    Args:
        train: means or z of the training inputs, shape (N, D); 2,000 of them are asked.

    Returns:
        A distance; None in one dimension, where none is needed, and where fewer than three rows
        are equalled by no other.
    """
    train = lone_rows(as_tensor(train, "train", "ND"))
    if len(train) < 3 or train.shape[1] < _FEWEST:
        return None
    chosen = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:_QUERIES]
    centred, spread = train - train.mean(0), float(train.std(0, correction=0).norm())
    nearest = _nearest(centred[chosen], centred, chosen)
    nearest = nearest[nearest > _ROUNDING * spread]
    if len(nearest) < 2:
        return _ROUNDING * spread
    levels = torch.tensor([_SHARE, 0.5, 0.75], dtype=nearest.dtype)
    least, middle, upper = nearest.quantile(levels).tolist()
    ratio = max(math.log(upper / middle), math.log(2) / train.shape[1]) / math.log(2)
    return float(max(least, middle * (-math.log1p(-_SHARE) / math.log(2)) ** ratio))


def unrecited(ratio: Tensor, z: Tensor, train: Tensor, distance: float | None) -> Tensor:
    """Take log ratios to be 0 at most where a z lies as near to a training input as a copy does.

    Args:
        ratio: log r_k - log p at every z that is played, shape (n, K), in nats.
        z: their inputs' means, or the z, shape (n, D).
        train: the same of the training inputs, shape (N, D).
        distance: of :func:`copy_distance`.

    Returns:
        Shape (n, K).

    Raises:
        ValueError: For shapes that do not belong together.
    """
    ratio, z = as_tensor(ratio, "ratio", "nK"), as_tensor(z, "z", "nD")
    train = as_tensor(train, "train", "ND")
    if len(z) != len(ratio) or z.shape[1] != train.shape[1]:
        shapes = ", ".join(str(tuple(part.shape)) for part in (ratio, z, train))
        raise ValueError(
            f"ratio, z and train must have shapes (n, K), (n, D) and (N, D), got {shapes}"
        )
    if distance is None:
        return ratio
    distance, atom = as_number(distance, "distance"), at_atoms(z, train)
    train = lone_rows(train)
    if not len(train):
        return ratio
    centre = train.mean(0)
    near = (_nearest(z - centre, train - centre) <= distance) & ~atom
    return torch.where(near[:, None], ratio.clamp_max(0), ratio)


def _nearest(z: Tensor, train: Tensor, itself: Tensor | None = None) -> Tensor:
    """Distance to the nearest row, of a query that is one itself to the nearest other one."""
    size = max(1, _BLOCK // len(train))
    found = []
    for start in range(0, len(z), size):
        distances = torch.cdist(z[start : start + size].float(), train.float())
        if itself is not None:
            rows = torch.arange(len(distances))
            distances[rows, itself[start : start + size]] = torch.inf
        found.append(distances.min(1).values)
    return torch.cat(found).double()
