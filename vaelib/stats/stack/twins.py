"""Inputs that come in near pairs, of which no second set tells: each is the other's copy."""

from __future__ import annotations

import torch
from scipy import stats
from torch import Tensor

from vaelib.arguments.tensors import as_tensor
from vaelib.stats.checks import check_generator
from vaelib.stats.stack.repeats import lone_rows

__all__ = ["twins_p_value"]

_ROWS = 2000
_SHARES = (16, 8, 4, 2, 1)  # of the rows: how many of the closest pairs are looked at
_LEAST = 40  # rows, of which pairs would show


def twins_p_value(z: Tensor, generator: torch.Generator) -> float:
    """Test whether rows come in near pairs, such as an image and its augmented copy.

    Of independent draws of whatever law, a row that has one near neighbour is as likely to have
    another, or more likely: with λ(z) the expected number of neighbours, pairs that share a row
    have an expected number proportional to E λ², at least (E λ)². Of the k closest pairs of n rows
    2 k²/n or more share a row, on average; of twins next to none do. Pairs that share a row come
    in clumps, so that their number divided by 2 + 2 k/n is compared with a Poisson law, which was
    conservative for uniform, Gaussian, clustered and circular laws in 1 to 32 dimensions. Equal
    rows are left out: :mod:`vaelib.stats.stack.repeats` judges these.

    Args:
        z: means or points, shape (n, D); 2,000 at random of more.
        generator: random stream of the choice.

    Returns:
        The p-value, corrected for five k; 1 for fewer than 40 rows. Where fewer than half of the
        rows have a twin it says little, and nothing where twins lie further apart than neighbours.

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
    closest = torch.topk(distances, n, largest=False, sorted=True).indices
    least = 1.0
    for share in _SHARES:
        k = n // share
        ends = torch.cat([first[closest[:k]], second[closest[:k]]])
        neighbours = torch.bincount(ends, minlength=n).double()
        shared = float((neighbours * (neighbours - 1)).sum()) / 2
        clump = 2 + 2 * k / n
        least = min(least, float(stats.poisson.cdf(int(shared / clump), 2 * k**2 / n / clump)))
    return min(1.0, len(_SHARES) * least)
