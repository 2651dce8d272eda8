"""What makes held-out z no held-out z: near-copies of training z."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from vaelib.arguments.tensors import as_labels
from vaelib.stats.checks import as_two_sets, check_generator
from vaelib.stats.stack.groups import as_groups

__all__ = ["copied_share"]

_HELDOUT = 2000  # z whose copies are looked for
_AMONG = 20_000  # training z that they are looked for among
_WIDEST = 4.0  # scale of a kernel, in distances between neighbours
_AT_ONCE = 1 << 18  # pairs
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
    heldout, few = heldout[chosen], train[:_HELDOUT]
    labels = torch.arange(len(heldout)) if groups is None else groups.to(chosen.device)[chosen]
    itself = torch.arange(len(few))
    nearest = torch.cat([_squared(*b).min(1).values for b in _blocks(few, train, itself)])
    if not bool((nearest > 0).any()):
        return 0.0
    widest = float(nearest[nearest > 0].median()) * _WIDEST**2
    across = _kernels(_blocks(heldout, train), widest)
    own = _kernels(_blocks(few, train, itself), widest)
    within = _kernels(_blocks(heldout, heldout, labels, labels), widest)
    others = (labels[:, None] != labels).sum(1).clamp_min(1)
    sums = zip(across, own, within, strict=True)
    return max(_share(*one, others, as_groups(labels, len(labels)), len(train)) for one in sums)


_Block = tuple[Tensor, Tensor, Tensor | None]  # queries, among, pairs that do not count


def _blocks(
    queries: Tensor, among: Tensor, labels: Tensor | None = None, others: Tensor | None = None
) -> Iterator[_Block]:
    """Rows of the matrix of pairs that fit a cache; pairs of one label do not count."""
    size = max(1, _AT_ONCE // len(among))
    columns = torch.arange(len(among)) if others is None else others
    for start in range(0, len(queries), size):
        rows = slice(start, start + size)
        none = None if labels is None else labels[rows, None] == columns
        yield queries[rows], among, none


def _squared(queries: Tensor, among: Tensor, none: Tensor | None) -> Tensor:
    """Squared distances, infinite where a pair does not count."""
    squared = torch.cdist(queries, among).square_()
    return squared if none is None else squared.masked_fill_(none, torch.inf)


class _Sums(NamedTuple):
    """Of a kernel matrix: over its rows, its columns, and of its squares."""

    rows: Tensor
    columns: Tensor
    squares: float


def _kernels(blocks: Iterator[_Block], widest: float) -> list[_Sums]:
    """The sums of Gaussian kernels, each of half the scale of the one before."""
    rows: list[list[Tensor]] = [[] for _ in range(_SCALES)]
    columns: list[Tensor] = []
    squares = [0.0] * _SCALES
    for block in blocks:
        kernel = (_squared(*block) / (-2 * widest)).float().exp_()
        columns = columns or [torch.zeros(kernel.shape[1]) for _ in range(_SCALES)]
        for scale in range(_SCALES):
            if scale:
                kernel.square_()  # the fourth power is a Gaussian of half the scale
            rows[scale].append(kernel.sum(1))
            columns[scale] += kernel.sum(0)
            kernel.square_()
            squares[scale] += float(kernel.sum())
    return [_Sums(torch.cat(r), c, s) for r, c, s in zip(rows, columns, squares, strict=True)]


def _share(
    across: _Sums, own: _Sums, within: _Sums, others: Tensor, groups: Tensor, training: int
) -> float:
    """The lower bound by the kernels of one scale; the held-out z of a group are one draw."""
    n, few = len(across.rows), len(own.rows)
    held = across.rows / training - within.rows / others
    trained = across.columns[:few] / n - own.rows / (training - 1)
    mean = (held.mean() + trained.mean()) / 2
    sums = torch.zeros(int(groups.max()) + 1).index_add_(0, groups, held - held.mean())
    independent = len(sums)
    own_error = sums.square().sum() / n**2 * independent / max(1, independent - 1)
    # few held-out z may have no near pair by chance
    sparse = across.squares / (n * training) / (2 * independent**2)
    error = math.sqrt(float(own_error + trained.var() / few) + sparse)
    return min(1.0, max(0.0, training * (float(mean) - _SIGMA * error)))
