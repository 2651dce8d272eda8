"""The sum of very many normal densities, without those that provably cannot change it.

Components are ordered into the leaves of a k-d tree, points into tiles. The box of a leaf's means,
its largest scale per dimension and its highest peak bound what it adds anywhere in the box of a
tile. Leaves are evaluated from the highest bound down, until all that are left are together below
1e-10 of the smallest sum in the tile.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from vaelib.numerics.log_sum_exp import Logs, RunningLogSum

__all__ = ["Leaves", "Scores", "median_splits", "pruned_log_sum_exp"]

Scores = Callable[[Tensor, Tensor, Tensor], Logs]
"""Maps means and scales, shape (N, D), and points, shape (M, D), to the log densities in bits."""

_LEAST = 8192, 2048  # components and points from which leaves may pay
_LEAST_ON_A_LINE = 2048  # components, where D = 1
_MOST_NEEDED = 0.5  # of the leaves: with more, leaving the others out does not pay
_LEFT_OUT = 1e-10  # of the sum, at most
_PART = 1 << 18  # components or points ordered at once
_HELD = 1 << 20  # numbers of their means
_ROWS = 64  # of a tile, at least
_COLUMNS = 4096  # components that are evaluated between two looks at the bounds, at most
_LOOKS = 16  # at the bounds, at least, where all leaves are needed
_REACH = 7.0  # standard deviations at which a density is 1e-10 of its peak
_SEEN = 64  # of a group, to choose the dimension that splits it
_PILOTS = 8  # tiles that show how many leaves are needed


def pruned_log_sum_exp(
    mean: Tensor, scale: Tensor, z: Tensor, scores: Scores, leave_one_out: bool
) -> Tensor | None:
    """log sum_n N(z; mean_n, diag scale_n^2), with an error below 1e-9, where leaves pay.

    Memory is that of a part of the components and of the points, whatever N and M; each part is
    spread over all components.

    Args:
        mean: shape (N, D), float64.
        scale: standard deviations, shape (N, D).
        z: points, shape (M, D).
        scores: the log densities of some components at some points, in bits.
        leave_one_out: leave component m out at point m.

    Returns:
        Shape (M,), in nats; None for few components or points, or where most leaves are needed.
    """
    least = min(_LEAST[0], _LEAST_ON_A_LINE) if mean.shape[1] == 1 else _LEAST[0]
    if not z.is_cpu or len(mean) < least or len(z) < _LEAST[1]:
        return None
    held = min(_PART, max(_LEAST[0], _HELD // mean.shape[1]))
    passes = math.ceil(len(mean) / held)
    unit, slack = scale.mean(0), math.log(_LEFT_OUT / passes)
    total = torch.empty_like(z[:, 0])
    for group in torch.arange(len(z)).tensor_split(math.ceil(len(z) / held)):
        tiles = median_splits(z[group] / unit, len(group) // _ROWS)
        order = group[tiles.flatten().clamp_max(len(group) - 1)]
        points, sums = z[order], torch.full_like(total[order], -math.inf)
        rows = [slice(i, i + tiles.shape[1]) for i in range(0, len(order), tiles.shape[1])]
        for first in range(passes):
            leaves = Leaves(mean[first::passes], scale[first::passes], unit)
            logs = scores(leaves.mean, leaves.scale, points)
            if leave_one_out:
                logs = _without_own(logs, order, leaves.members * passes + first)
            if first == 0 and not _pays(leaves, logs, points, rows, slack):
                return None
            for tile in rows:
                _add(leaves, logs, points, tile, sums, slack)
        total[order] = sums
    return total


class Leaves:
    """Components in leaves of neighbours, in about as many as each has components.

    Args:
        mean: shape (N, D).
        scale: shape (N, D).
        unit: a typical scale of each dimension, shape (D,).
    """

    def __init__(self, mean: Tensor, scale: Tensor, unit: Tensor) -> None:
        keys = torch.cat([mean, _REACH * scale], 1).div_(torch.cat([unit, unit]))
        places = median_splits(keys, math.isqrt(len(mean)))
        self.members = places.flatten()
        self._components, (self.count, self.size) = len(mean), places.shape
        inside = self.members.clamp_max(len(mean) - 1)
        self.mean, self.scale = mean[inside], scale[inside]
        means, scales = (x.view(self.count, self.size, -1) for x in (self.mean, self.scale))
        self._low, self._high, self._reach = means.amin(1), means.amax(1), scales.amax(1)
        peak = -scales.log().sum(2).amin(1) - 0.5 * mean.shape[1] * math.log(2 * math.pi)
        self._top = peak + math.log(self.size)

    def bounds(self, z: Tensor) -> Tensor:
        """At least the log of each leaf's sum of densities, anywhere in the box of points z."""
        gap = torch.maximum(self._low - z.amax(0), z.amin(0) - self._high).clamp_min_(0)
        return self._top - 0.5 * gap.div_(self._reach).square_().sum(1)

    def rows(self, leaves: Tensor) -> Tensor:
        """Where the components of some leaves stand in mean and scale."""
        rows = (leaves.unsqueeze(1) * self.size + torch.arange(self.size)).flatten()
        return rows[self.members[rows] < self._components]


def median_splits(points: Tensor, most: int) -> Tensor:
    """Groups of equal size, by splits at the median of the dimension that is widest in a group.

    Args:
        points: shape (n, K).
        most: groups, at most.

    Returns:
        Indices of points, shape (groups, size), the groups a power of 2; n and more are empty.
    """
    levels = max(1, most).bit_length() - 1
    index = torch.arange(-(-len(points) >> levels) << levels).unsqueeze(0)
    for _ in range(levels):
        inside = index.clamp_max(len(points) - 1)
        some = points[inside[:, :: math.ceil(index.shape[1] / _SEEN)]]
        widest = (some.amax(1) - some.amin(1)).argmax(1, keepdim=True)
        index = index.gather(1, points[inside, widest].argsort(1)).view(2 * len(index), -1)
    return index


def _without_own(logs: Logs, points: Tensor, components: Tensor) -> Logs:
    """The same where point and component have the same number, -inf."""

    def others(rows: Tensor | slice, columns: Tensor | slice, base: Tensor) -> Tensor:
        own = points[rows].unsqueeze(1) == components[columns]
        return logs(rows, columns, base).masked_fill_(own, -math.inf)

    return others


def _pays(leaves: Leaves, logs: Logs, points: Tensor, rows: list[slice], slack: float) -> bool:
    """Whether a few tiles, once the nearest leaves are in, can do without most of the others."""
    pilots = rows[:: math.ceil(len(rows) / _PILOTS)]
    needed = 0
    for tile in pilots:
        sums = torch.full_like(points[:, 0], -math.inf)
        needed += _add(leaves, logs, points, tile, sums, slack, rounds=1)
    return needed <= _MOST_NEEDED * len(pilots) * leaves.count


def _add(
    leaves: Leaves,
    logs: Logs,
    points: Tensor,
    tile: slice,
    sums: Tensor,
    slack: float,
    rounds: float = math.inf,
) -> int:
    """Add leaves to the sums of a tile, in place; returns how many are needed."""
    bounds, order = leaves.bounds(points[tile]).sort(descending=True)
    left = bounds.flip(0).logcumsumexp(0).flip(0)
    step = max(1, min(_COLUMNS // leaves.size, leaves.count // _LOOKS))
    done, needed, total = 0, leaves.count, RunningLogSum(sums[tile])
    while done < needed and done < rounds * step:
        total.add(partial(logs, tile, leaves.rows(order[done : min(needed, done + step)])))
        sums[tile] = total.logs()
        done += step
        needed = int((left >= sums[tile].min() + slack).sum())
    return needed
