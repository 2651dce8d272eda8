"""Held-out z that lie as near to a training z as copies do: they win nothing.

A stack that has seen an input recites it, so that a few near-copies among the held-out inputs
would certify nats at an exact match. Two distances say how near is too near. Where a z lies nearer
to the training inputs than all but 1 % of these lie to each other, its gain is taken to be 0 at
most: a function of z and of what was fitted, which lowers the gain, so that the lower end stays
proved. Where training inputs come in clumps, as augmented ones do, that distance is their noise.
So the other one is what independent draws would be, by how near the held-out inputs lie to each
other; it depends on all of them, so that the lower end is the smaller one of both ways to play.
Together they cost about 1 % of what draws win.

Training inputs that others equal are atoms of the law, or repeats, which are judged elsewhere: what
equals them wins what it wins, where the held-out inputs have such atoms, too.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from vaelib.arguments.plain import as_count
from vaelib.arguments.tensors import as_number, as_tensor
from vaelib.numerics.pairs import nearest_squared
from vaelib.stats.checks import as_points
from vaelib.stats.stack.groups import as_groups
from vaelib.stats.stack.repeats import at_atoms, lone_rows

__all__ = ["copy_distance", "nearest_row", "recited", "unrecited"]

_FEWEST = 2  # D below which neighbours lie so near that who recites them wins next to nothing
_QUERIES = 2000  # inputs whose neighbours tell the distance
_SHARE = 0.01
_ROUNDING = 1e-6  # of the spread: rows that are nearer repeat each other
_TREE = 4  # D up to which a tree is faster than all pairs
_UNCLEAR = 100  # rounding errors of float32 below which a squared distance is found again


def copy_distance(z: Tensor, others: int | None = None) -> float | None:
    """How near a z must lie to one of many inputs to be taken for a copy of it.

    That is the first percentile of the distances between neighbours. Where the inputs hold copies
    of each other, that percentile is their noise; so no less is taken than what the median and the
    upper quartile say of it, for distances whose D'-th power is exponential, as they are where the
    density hardly varies. Among more inputs neighbours lie nearer, as such distances do.

    Args:
        z: means or z of inputs, shape (N, D); 2,000 of them are asked.
        others: how many inputs the neighbour of a z is sought among; N - 1 without.

    Returns:
        A distance; None in one dimension, where none is needed, and where fewer than three rows
        are equalled by no other.

    Raises:
        ValueError: For fewer than one other.
    """
    z = lone_rows(as_points(z, rows=1))
    others = None if others is None else as_count(others, "others", 1)
    if len(z) < 3 or z.shape[1] < _FEWEST:
        return None
    chosen = torch.randperm(len(z), generator=torch.Generator().manual_seed(0))[:_QUERIES]
    centred, spread = z - z.mean(0), _spread(z)
    nearest = _nearest(centred[chosen], centred, chosen)
    nearest = nearest[nearest > _ROUNDING * spread]
    if len(nearest) < 2:
        return _ROUNDING * spread
    levels = torch.tensor([_SHARE, 0.5, 0.75], dtype=nearest.dtype)
    least, middle, upper = nearest.quantile(levels).tolist()
    ratio = max(math.log(upper / middle), math.log(2) / z.shape[1]) / math.log(2)
    distance = max(least, middle * (-math.log1p(-_SHARE) / math.log(2)) ** ratio)
    return float(distance * ((len(z) - 1) / (others or len(z) - 1)) ** ratio)


def unrecited(
    ratio: Tensor,
    z: Tensor,
    train: Tensor,
    distance: float | None,
    nearest: Tensor | None = None,
) -> Tensor:
    """Take log ratios to be 0 at most where a z lies as near to a training input as a copy does.

    Args:
        ratio: log r_k - log p at every z that is played, shape (n, K), in nats.
        z: their inputs' means, or the z, shape (n, D).
        train: the same of the training inputs, shape (N, D).
        distance: of :func:`copy_distance`.
        nearest: of :func:`nearest_row`, where it is known.

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
    distance, lone = as_number(distance, "distance"), lone_rows(train)
    if not len(lone):
        return ratio
    if nearest is None or len(lone) < len(train):
        nearest = nearest_row(z, lone)
    nearest = _of_each(nearest, z)
    near = (nearest <= distance) & ~at_atoms(z, train)
    return torch.where(near[:, None], ratio.clamp_max(0), ratio)


def recited(
    z: Tensor, train: Tensor, groups: Tensor | None = None, nearest: Tensor | None = None
) -> Tensor:
    """Which held-out z lie nearer to a training input than independent draws but for 1 % do.

    Args:
        z: means of the held-out inputs, or the z, shape (n, D).
        train: the same of the training inputs, shape (N, D).
        groups: numbers of shape (n,) of held-out inputs that are not independent.
        nearest: of :func:`nearest_row`, where it is known.

    Returns:
        Booleans of shape (n,); False for those that equal other held-out inputs, which are atoms
        of their law.

    Raises:
        ValueError: For shapes that do not belong together.
    """
    z, train = _two(z, train)
    numbers = as_groups(groups, len(z))
    among = z if groups is None else z[_first_of_each(numbers)]
    if len(among) > len(train) + 1:
        generator = torch.Generator().manual_seed(0)
        among = among[torch.randperm(len(among), generator=generator)[: len(train) + 1]]
    atom, distance = at_atoms(z, z), copy_distance(among, len(train))
    if distance is None:
        return torch.zeros(len(z), dtype=torch.bool)
    nearest = _of_each(nearest, z) if nearest is not None else nearest_row(z, train)
    return (nearest <= distance) & ~atom


def nearest_row(z: Tensor, train: Tensor) -> Tensor:
    """Distance of each z to the nearest training input.

    Args:
        z: means of the held-out inputs, or the z, shape (n, D).
        train: the same of the training inputs, shape (N, D).

    Returns:
        Shape (n,), float64; rounded to about 1e-8 of the spread.

    Raises:
        ValueError: For shapes that do not belong together.
    """
    z, train = _two(z, train)
    centre = train.mean(0)
    return _nearest(z - centre, train - centre)


def _two(z: object, train: object) -> tuple[Tensor, Tensor]:
    z, train = as_points(z, rows=1), as_points(train, "train", rows=1)
    if z.dim() != 2 or train.dim() != 2 or z.shape[1] != train.shape[1]:
        shapes = f"{tuple(z.shape)} and {tuple(train.shape)}"
        raise ValueError(f"z and train must have shapes (n, D) and (N, D), got {shapes}")
    return z, train


def _of_each(nearest: object, z: Tensor) -> Tensor:
    """A distance for each z."""
    nearest = as_tensor(nearest, "nearest", "n")
    if len(nearest) != len(z):
        raise ValueError(f"nearest must have shape ({len(z)},), got {tuple(nearest.shape)}")
    return nearest


def _first_of_each(groups: Tensor) -> Tensor:
    """The place of the first row of each group."""
    return torch.from_numpy(np.unique(groups.numpy(), return_index=True)[1])


def _spread(z: Tensor) -> float:
    return float(z.std(0, correction=0).norm())


def _nearest(z: Tensor, train: Tensor, itself: Tensor | None = None) -> Tensor:
    """Distance to the nearest row, of a query that is one itself to the nearest other one."""
    if z.shape[1] <= _TREE:
        others = 1 if itself is None else 2
        distances, _ = cKDTree(train.cpu().numpy()).query(z.cpu().numpy(), k=[others])
        return torch.from_numpy(np.asarray(distances)[:, 0])
    squared = nearest_squared(z.float(), train.float(), itself).double()
    rounding = torch.finfo(torch.float32).eps * float(train.square().sum(1).max())
    unclear = squared < _UNCLEAR * rounding
    if bool(unclear.any()):
        few = None if itself is None else itself[unclear]
        squared[unclear] = nearest_squared(z[unclear], train, few)
    return squared.sqrt()
