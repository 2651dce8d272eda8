"""Squared distances of all pairs of points, and what statistics of one sample have in common.

All pairs are visited in tiles of rows and, within one sample, once: memory stays at a few tiles
whatever the number of points, and a tile stays in the processor's cache.
"""

import math
from collections.abc import Iterable, Iterator
from functools import cached_property

import torch
from torch import Tensor

__all__ = [
    "Sample",
    "Tile",
    "blocks",
    "distance_factors",
    "nearest_squared",
    "pair_weights",
    "tile_rows",
    "tiles_within",
]

Tile = tuple[slice, Tensor]
"""Rows i … j of a sample, and their squared distances to rows i … n."""

_TILE = 1 << 16  # pairs in one tile: half a megabyte
_TILE_ELSEWHERE = 1 << 24  # on a GPU, where calls cost more than memory
_FEWEST = 32  # rows of a tile, even so: a product of fewer takes longer by its row
_SIDE = 512  # rows and columns of a block of which only sums or minima are kept
_KEPT = 1 << 20  # pairs of a sample whose distances are kept: eight megabytes


class Sample:
    """Points, and what several statistics make of them: computed once, when first asked for.

    Args:
        points: shape (..., n, D), float64, checked.
    """

    def __init__(self, points: Tensor) -> None:
        self.points = points

    @cached_property
    def norms(self) -> Tensor:
        """Squared lengths of the points, shape (..., n)."""
        return self.points.square().sum(-1)

    def tiles(self) -> Iterable[Tile]:
        """The squared distances of all pairs, which nobody may overwrite; of many, made anew."""
        few = self.points.shape[-2] * self.norms.numel() <= _KEPT
        return self._tiles if few else tiles_within(self.points)

    def products(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The squared distances of each tile, and the inner products x·y of its pairs."""
        half = 0.5 * self.norms
        for rows, squared in self.tiles():
            product = half[..., rows, None] + half[..., None, rows.start :]
            yield squared, product.sub_(squared, alpha=0.5)

    @cached_property
    def _tiles(self) -> list[Tile]:
        return list(tiles_within(self.points))

    @cached_property
    def _reflected(self) -> tuple[Tensor, Tensor]:
        """The QR decomposition of the centred points, as LAPACK keeps it; n >= D."""
        return torch.geqrf(self.points - self.points.mean(-2, keepdim=True))

    @cached_property
    def triangle(self) -> Tensor:
        """|R_jj| of the centred points: D lengths whose product is √det(n S), shape (..., D)."""
        return self._reflected[0].diagonal(dim1=-2, dim2=-1).abs()

    @cached_property
    def white(self) -> "Sample":
        """The points with mean 0 and covariance I (divided by n), up to a rotation."""
        factor = torch.linalg.householder_product(*self._reflected)
        return Sample(factor * math.sqrt(self.points.shape[-2]))


def tiles_within(x: Tensor, rows: int | None = None) -> Iterator[Tile]:
    """Squared distances of all pairs within one sample, each pair once, by tiles of rows.

    Args:
        x: points in float64, shape (..., n, D).
        rows: rows of a tile; None takes what the processor's cache holds.

    Yields:
        Rows i … j of ``x``, and their squared distances to rows i … n, shape (..., j - i, n - i),
        whose leading square holds both orders of a pair and exact zeros on its diagonal.
    """
    left, right = distance_factors(x, x)
    stop, count = 0, x.shape[-2]
    while stop < count:
        start = stop
        stop = min(start + (rows or tile_rows(x, count - start)), count)
        chosen = slice(start, stop)
        squared = (left[..., chosen, :] @ right[..., start:, :].mT).clamp_(min=0)
        squared.diagonal(dim1=-2, dim2=-1).zero_()
        yield chosen, squared


def distance_factors(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Whose product are the squared distances of all pairs, not clamped at 0.

    Both are first shifted by the median of a few rows, so that neither a common offset nor an
    outlier costs digits.

    Args:
        x: points, shape (..., n, D).
        y: points, shape (..., m, D).

    Returns:
        Shapes (..., n, D + 2) and (..., m, D + 2).
    """
    center = y[..., :15, :].median(-2, keepdim=True).values
    x, y = x - center, y - center
    x_norm, y_norm = x.square().sum(-1, keepdim=True), y.square().sum(-1, keepdim=True)
    left = torch.cat([x * -2, x_norm, torch.ones_like(x_norm)], -1)
    return left, torch.cat([y, torch.ones_like(y_norm), y_norm], -1)


def blocks(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of blocks that cover a matrix of pairs, all columns of some rows first."""
    for top in range(0, rows, _SIDE):
        for left in range(0, columns, _SIDE):
            yield slice(top, min(top + _SIDE, rows)), slice(left, min(left + _SIDE, columns))


def nearest_squared(z: Tensor, train: Tensor, itself: Tensor | None = None) -> Tensor:
    """Squared distance of each z to the nearest row of a sample, rounded as norms of both are.

    Args:
        z: shape (n, D), of small norms: both are centred by then.
        train: shape (N, D), of the same type.
        itself: which row each z is, shape (n,): that does not count.

    Returns:
        Shape (n,), of the type of z.
    """
    left = torch.cat([z * -2, torch.ones_like(z[:, :1])], 1)
    right = torch.cat([train, train.square().sum(1, keepdim=True)], 1)
    least = torch.full_like(z[:, 0], torch.inf)
    for rows, columns in blocks(len(z), len(train)):
        block = left[rows] @ right[columns].T
        if itself is not None:
            own = itself[rows] - columns.start
            here = torch.nonzero((own >= 0) & (own < block.shape[1]))[:, 0]
            block[here, own[here]] = torch.inf
        least[rows] = torch.minimum(least[rows], block.amin(1))
    return least.add_(z.square().sum(1)).clamp_(min=0)


def pair_weights(values: Tensor) -> Tensor:
    """How often each column of a tile counts in sums over ordered pairs, shape (columns,)."""
    weights = values.new_full(values.shape[-1:], 2)
    weights[: values.shape[-2]] = 1
    return weights


def tile_rows(x: Tensor, columns: int) -> int:
    """Rows of ``x`` that meet ``columns`` points in about one tile of pairs."""
    size = _TILE if x.is_cpu else _TILE_ELSEWHERE
    return max(1, max(size // columns, _FEWEST) // x.shape[:-2].numel())
