"""Unbiased MMD² of image features, with its error.

The bandwidth is the median distance between real features: fixed by the reference, so that all
models are measured with one kernel.

References:
    Gretton et al. (2012), A kernel two-sample test, JMLR 13.
    Bińkowski et al. (2018), Demystifying MMD GANs, ICLR.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaelib.arguments.plain import check_kind
from vaelib.numerics.gaussian_kernel import gaussian
from vaelib.stats.checks import as_features, check_same_nets
from vaelib.stats.jackknife import GROUPS, Estimate, group_of, jackknife_error
from vaelib.stats.kernels import cross_tiles, median_bandwidth

__all__ = ["KernelReference", "image_mmd"]


class KernelReference:
    """Real features, the bandwidth they fix, and their kernel sums.

    Args:
        features: Of T nets, shape (T, m, d) or (m, d); the rows shuffled.

    Attributes:
        points: Shape (T, m, d), float64.
        bandwidths: The median distance of each net, T of them.
        within: Kernel sums of all pairs by their groups, shape (T, G, G).
    """

    def __init__(self, features: Tensor) -> None:
        self.points = as_features(features)
        self.bandwidths = [median_bandwidth(points) for points in self.points]
        self.within = _group_sums(self.points, self.points, self.bandwidths)


def _group_sums(x: Tensor, y: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """Sums of the kernel over all pairs of row groups, shape (T, G, G), on the CPU."""
    of_x, of_y = (group_of(points.shape[1]).to(points.device) for points in (x, y))
    columns = torch.nn.functional.one_hot(of_y, GROUPS).double()
    total = x.new_zeros(len(x), GROUPS, GROUPS)
    for net, bandwidth in enumerate(bandwidths):
        for rows, squared in cross_tiles(x[net], y[net]):
            total[net].index_add_(0, of_x[rows], gaussian(squared, bandwidth) @ columns)
    return total.cpu()


def image_mmd(generated: Tensor, real: KernelReference) -> Estimate:
    """Unbiased Gaussian-kernel MMD² of generated to real features.

    Args:
        generated: Shape (T, n, d) or (n, d), of the same nets; the rows shuffled.
        real: The reference.

    Returns:
        The mean over the nets and its jackknife standard error, in squared kernel units. Negative
        half of the time where the distributions agree; do not clip it.

    Raises:
        ValueError: If the features are bad or differ in nets or dimensions.
    """
    check_kind(real, KernelReference, "real")
    x = as_features(generated, device=real.points.device)
    check_same_nets(x, real.points)
    own = _group_sums(x, x, real.bandwidths)
    cross = _group_sums(x, real.points, real.bandwidths)
    n = torch.bincount(group_of(x.shape[1])).double()
    m = torch.bincount(group_of(real.points.shape[1])).double()
    without = _unbiased(_less(own), _less(real.within), _less(cross), n.sum() - n, m.sum() - m)
    all_own, all_real, all_cross = (s.sum((1, 2)) for s in (own, real.within, cross))
    value = _unbiased(all_own, all_real, all_cross, n.sum(), m.sum())
    return Estimate(float(value.mean()), jackknife_error(without.mean(0)))


def _less(sums: Tensor) -> Tensor:
    """The total without the rows and columns of each group, shape (T, G)."""
    both = sums.sum(1) + sums.sum(2) - sums.diagonal(dim1=1, dim2=2)
    return sums.sum((1, 2)).unsqueeze(1) - both


def _unbiased(own: Tensor, real: Tensor, cross: Tensor, n: Tensor, m: Tensor) -> Tensor:
    within = (own - n) / (n * (n - 1)) + (real - m) / (m * (m - 1))
    return within - 2 * cross / (n * m)
