"""What makes held-out z no held-out z: near-copies of training z."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vaelib.arguments.tensors import as_labels
from vaelib.numerics.exp2 import BITS, powers_
from vaelib.numerics.pairs import blocks, distance_factors, nearest_squared
from vaelib.stats.checks import as_two_sets, check_generator
from vaelib.stats.stack.groups import as_groups

__all__ = ["copied_share"]

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

    Raises:
        ValueError: for samples that are bad or differ in D, or labels that are none.

    References:
        Gretton et al., A kernel two-sample test, 2012, Lemma 6.
    """
    check_generator(generator)
    train, heldout = as_two_sets(train, heldout)
    if groups is not None:
        groups = as_labels(groups, "groups", len(heldout), "z")
    chosen = torch.randperm(len(heldout), generator=generator)[:_HELDOUT]
    train = train[torch.randperm(len(train), generator=generator)[:_AMONG]]
    train, heldout = train - train.mean(0), heldout[chosen] - train.mean(0)
    few = train[:_HELDOUT]
    labels = torch.arange(len(heldout)) if groups is None else groups.to(chosen.device)[chosen]
    itself = torch.arange(len(few))
    nearest = nearest_squared(few, train, itself)
    if not bool((nearest > 0).any()):
        return 0.0
    widest = float(nearest[nearest > 0].median()) * _WIDEST**2
    across = _kernels(heldout, train, widest)
    own = _kernels(few, train, widest, (itself, torch.arange(len(train))))
    within = _kernels(heldout, heldout, widest, (labels, labels))
    others = (labels[:, None] != labels).sum(1).clamp_min(1)
    sums = zip(across, own, within, strict=True)
    return max(_share(*one, others, as_groups(labels, len(labels)), len(train)) for one in sums)


class _Sums(NamedTuple):
    """Of a kernel matrix: over its rows, its columns, and of its squares."""

    rows: Tensor
    columns: Tensor
    squares: float


def _kernels(
    queries: Tensor, among: Tensor, widest: float, labels: tuple[Tensor, Tensor] | None = None
) -> list[_Sums]:
    """The sums of Gaussian kernels, each of half the scale of the one before.

    Args:
        queries: one side of the pairs, shape (n, D).
        among: the other, shape (N, D).
        widest: the largest squared scale.
        labels: of both sides: pairs of one label do not count.

    Returns:
        The sums, the widest scale first.
    """
    left, right = distance_factors(queries, among)
    left *= -0.5 * BITS / widest
    rows = torch.zeros(_SCALES, len(queries), dtype=torch.float64)
    columns = torch.zeros(_SCALES, len(among), dtype=torch.float64)
    squares = [0.0] * _SCALES
    for down, across in blocks(len(queries), len(among)):
        kernel = powers_((left[down] @ right[across].T).float().clamp_(max=0))
        if labels is not None:
            kernel.masked_fill_(labels[0][down, None] == labels[1][across], 0)
        for scale in range(_SCALES):
            if scale:
                kernel.square_()  # the fourth power is a Gaussian of half the scale
            rows[scale, down] += kernel.sum(1)
            columns[scale, across] += kernel.sum(0)
            kernel.square_()
            squares[scale] += float(kernel.sum())
    return [_Sums(*sums) for sums in zip(rows, columns, squares, strict=True)]


def _share(
    across: _Sums, own: _Sums, within: _Sums, others: Tensor, groups: Tensor, training: int
) -> float:
    """The lower bound by the kernels of one scale; the held-out z of a group are one draw."""
    n, few = len(across.rows), len(own.rows)
    held = across.rows / training - within.rows / others
    trained = across.columns[:few] / n - own.rows / (training - 1)
    mean = (held.mean() + trained.mean()) / 2
    sums = held.new_zeros(int(groups.max()) + 1).index_add_(0, groups, held - held.mean())
    independent = len(sums)
    own_error = sums.square().sum() / n**2 * independent / max(1, independent - 1)
    # few held-out z may have no near pair by chance
    sparse = across.squares / (n * training) / (2 * independent**2)
    error = math.sqrt(float(own_error + trained.var() / few) + sparse)
    return min(1.0, max(0.0, training * (float(mean) - _SIGMA * error)))
