"""Inputs that come in near pairs or clumps, of which no second set tells: copies of one another."""

from __future__ import annotations

import torch
from scipy import stats
from torch import Tensor

from vaelib.arguments.tensors import as_tensor
from vaelib.stats.checks import check_generator
from vaelib.stats.stack.repeats import lone_rows

__all__ = ["twins_p_value"]

_ROWS = 2000
_PAIRS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9.5)
# closest pairs that are looked at, in rows; clumps of c rows have (c - 1)/2 pairs a row
_LEAST = 40  # rows, of which pairs would show


def twins_p_value(z: Tensor, generator: torch.Generator) -> float:
    """Test whether rows come in near pairs or even clumps, such as an image and augmented copies.

    Of independent draws of whatever law, a row that has one near neighbour is as likely to have
    another, or more likely: with λ(z) the expected number of neighbours, pairs that share a row
    have an expected number proportional to E λ², at least (E λ)². Of the k closest pairs of n rows
    2 k²/n or more share a row, on average; of twins next to none do, of clumps of c rows each the
    share (c - 2)/(c - 1) of that. Pairs that share a row come in clumps, so that their number
    divided by 2 + 2 k/n is compared with a Poisson law, which was conservative for uniform,
    Gaussian, clustered and spherical laws in 1 to 32 dimensions. Equal rows are left out:
    :mod:`vaelib.stats.stack.repeats` judges these.

    Args:
        z: means or points, shape (n, D); 2,000 at random of more.
        generator: random stream of the choice.

    Returns:
        The p-value, corrected for all k; 1 for fewer than 40 rows. Where fewer than half of the
        rows have a twin it says little, and nothing where twins lie further apart than neighbours
        or where clumps differ in size as draws do.

    Raises:
        ValueError: for rows that are no numbers.
    """
    z = as_tensor(z, "z", "nD")
    check_generator(generator)
    z = lone_rows(z) if len(z) else z
    z = z[torch.randperm(len(z), generator=generator)[:_ROWS].to(z.device)]
    n = len(z)
    if n < _LEAST:
        return 1.0
    first, second = torch.triu_indices(n, n, 1)
    distances = torch.pdist(z.cpu().double())
    most = min(int(max(_PAIRS) * n), len(distances) // 4)
    closest = torch.topk(distances, most, largest=False, sorted=True).indices
    least = 1.0
    for k in (int(pairs * n) for pairs in _PAIRS):
        if k > most:
            break
        ends = torch.cat([first[closest[:k]], second[closest[:k]]])
        neighbours = torch.bincount(ends, minlength=n).double()
        shared = float((neighbours * (neighbours - 1)).sum()) / 2
        clump = 2 + 2 * k / n
        least = min(least, float(stats.poisson.cdf(int(shared / clump), 2 * k**2 / n / clump)))
    return min(1.0, len(_PAIRS) * least)
