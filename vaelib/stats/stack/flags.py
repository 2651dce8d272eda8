"""What makes held-out z no held-out z: near-copies of training z, repeated rows."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["copied_share", "repeated_rows"]

_HELDOUT = 2000  # z whose copies are looked for
_AMONG = 20_000  # training z that they are looked for among
_WIDEST = 4.0  # scale of a kernel, in distances between neighbours
_SCALES = 6  # each half of the one before
_SIGMA = 4.0  # standard errors below the estimate: few false alarms though six scales are tried


def copied_share(
    train: Tensor, heldout: Tensor, generator: torch.Generator, groups: Tensor | None = None
) -> float:
    """Prove from below what share of the held-out z are near-copies of training z.

    For independent samples, of whatever two laws, the unbiased estimate of half the squared maximum
    mean discrepancy, ``E k(t, t')/2 + E k(h, h')/2 - E k(t, h)``, has a mean of at least 0. Each
    copy adds a pair (t, h) that lies near, at most 1/N to ``E k(t, h)``, so that N times the
    negative estimate bounds the share of copies from below. Kernels are Gaussian, of six scales
    around the median distance between neighbours; an estimate counts less four standard errors, of
    its first-order projection, which is conservative where the laws are equal.

    Copies are seen where their noise is not much larger than the distance between neighbours; 2,000
    held-out z and 20,000 training z are compared at most.

    Args:
        train: z of the training inputs, shape (N, D), N >= 2.
        heldout: z of the held-out inputs, shape (n, D), n >= 2.
        generator: random stream of the choice.
        groups: labels of held-out inputs that are not independent, shape (n,): their pairs do not
            count.

    Returns:
        A share in [0, 1]; 0 for independent samples, but for one pair of samples in thousands.

    References:
        Gretton et al., A kernel two-sample test, 2012, Lemma 6.
    """
    chosen = torch.randperm(len(heldout), generator=generator)[:_HELDOUT]
    train = train[torch.randperm(len(train), generator=generator)[:_AMONG]]
    heldout, few = heldout[chosen], train[:_HELDOUT]
    other = torch.ones(len(heldout), len(heldout), dtype=torch.bool)
    if groups is not None:
        label = groups.to(heldout.device)[chosen]
        other = label[:, None] != label
    across, own = _squared(heldout, train), _squared(few, train)
    own[torch.arange(len(few)), torch.arange(len(few))] = torch.inf
    within = _squared(heldout, heldout).masked_fill(~other.fill_diagonal_(False), torch.inf)
    nearest = own.min(1).values
    if not bool((nearest > 0).any()):
        return 0.0
    square = float(nearest[nearest > 0].median()) * _WIDEST**2
    kernels = [(-squared / (2 * square)).float().exp_() for squared in (across, own, within)]
    most = _share(kernels, other)
    for _ in range(_SCALES - 1):
        for kernel in kernels:
            kernel.square_().square_()  # a Gaussian of half the scale
        most = max(most, _share(kernels, other))
    return most


def _squared(queries: Tensor, among: Tensor) -> Tensor:
    return torch.cdist(queries, among).square_()


def _share(kernels: list[Tensor], other: Tensor) -> float:
    """The lower bound by the kernels of one scale, 0 where a pair does not count."""
    across, own, within = kernels
    n, few, training = len(across), len(own), across.shape[1]
    held = across.mean(1) - within.sum(1) / other.sum(1).clamp_min(1)
    trained = across[:, :few].mean(0) - own.sum(1) / (training - 1)
    mean = (held.mean() + trained.mean()) / 2
    sparse = across.square().mean() / (2 * n**2)  # few held-out z may have no near pair by chance
    error = math.sqrt(float(held.var() / n + trained.var() / few + sparse))
    return min(1.0, max(0.0, training * (float(mean) - _SIGMA * error)))


def repeated_rows(*columns: Tensor) -> float:
    """The share of rows that equal an earlier row.

    Args:
        columns: tensors of shape (n, …), compared together.

    Returns:
        A share in [0, 1).
    """
    rows = torch.cat([column.reshape(len(column), -1) for column in columns], 1)
    return 1 - len(torch.unique(rows, dim=0)) / len(rows)
