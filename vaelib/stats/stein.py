"""Kernel Stein discrepancy (KSD) to N(0, I): an MMD whose kernel has mean zero under the target.

With the score s(z) = -z of N(0, I), squared distance r², D dimensions, H = h² and a base kernel k,

    u(x, y) = s(x)·s(y) k + s(x)·∇_y k + s(y)·∇_x k + ∇_x·∇_y k
    Gaussian:             k [x·y - r²/H + D/H - r²/H²]
    IMQ, w = 1 + r²/H:    x·y w^(-1/2) + (D - r²)/H w^(-3/2) - 3 r²/H² w^(-5/2)
                          = w^(-1/2) [x·y - 1 + (1 + (D - 3)/H) / w + 3/H / w²]

It needs the score alone, no normalising constant and no moments of the target. It hardly sees the
weights of well separated modes, where scores agree.

References:
    Liu, Lee and Jordan (2016), A kernelized Stein discrepancy for goodness-of-fit tests, ICML.
    Chwialkowski, Strathmann and Gretton (2016), A kernel test of goodness of fit, ICML.
    Gorham and Mackey (2017), Measuring sample quality with kernels, ICML (why IMQ).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vaelib.arguments.plain import as_count, check_callable
from vaelib.arguments.tensors import check_floating
from vaelib.numerics.gaussian_kernel import gaussian
from vaelib.numerics.pairs import Sample
from vaelib.stats.checks import as_bandwidths, as_sample, check_bandwidth
from vaelib.stats.kernels import inverse_multiquadric, of_kernel, pair_total

__all__ = ["STEIN_KERNELS", "SteinKernel", "gaussian_stein", "imq_stein", "ksd_squared"]

SteinKernel = Callable[[Tensor, Tensor, float, int], Tensor]
"""Squared distances r², products x·y, bandwidth and D in, u(x, y) out."""


def gaussian_stein(squared: Tensor, product: Tensor, bandwidth: float, dimensions: int) -> Tensor:
    """Stein kernel of N(0, I) over a Gaussian kernel.

    Args:
        squared: Squared distances r², any shape.
        product: Inner products x·y of the same pairs.
        bandwidth: h of the base kernel.
        dimensions: D.

    Returns:
        u(x, y), the shape of ``squared``.
    """
    bandwidth = _check(squared, product, bandwidth, dimensions)
    inverse = bandwidth**-2
    factor = product + dimensions * inverse - squared * (inverse + inverse**2)
    return factor.mul_(gaussian(squared, bandwidth))


def imq_stein(squared: Tensor, product: Tensor, bandwidth: float, dimensions: int) -> Tensor:
    """Stein kernel of N(0, I) over an inverse multiquadric kernel.

    Args:
        squared: Squared distances r², any shape.
        product: Inner products x·y of the same pairs.
        bandwidth: h of the base kernel.
        dimensions: D.

    Returns:
        u(x, y), the shape of ``squared``.
    """
    bandwidth = _check(squared, product, bandwidth, dimensions)
    inverse, root = bandwidth**-2, inverse_multiquadric(squared, bandwidth)
    power = root.square()  # 1 / w, so that r² = H (1 / power - 1)
    value = (power * (3 * inverse)).add_((dimensions - 3) * inverse + 1)
    return value.mul_(power).add_(product).sub_(1).mul_(root)


def _check(squared: Tensor, product: Tensor, bandwidth: float, dimensions: int) -> float:
    """By their kinds alone, since a kernel is evaluated in tiles."""
    check_floating(squared=squared, product=product)
    if squared.shape != product.shape or squared.dtype != product.dtype:
        got = " and ".join(f"{part.dtype} of {tuple(part.shape)}" for part in (squared, product))
        raise ValueError(f"squared and product must have one type and shape, got {got}")
    as_count(dimensions, "dimensions", 1)
    return check_bandwidth(bandwidth)


def ksd_squared(
    z: Tensor | Sample, bandwidths: Sequence[float], *, kernel: SteinKernel = imq_stein
) -> Tensor:
    """Biased (V-statistic) squared KSD of points to N(0, I).

    Args:
        z: Points, shape (..., n, D), n >= 2, or a sample of them.
        bandwidths: Bandwidths h of the base kernel.
        kernel: A kernel of this module.

    Returns:
        KSD², never negative, one per bandwidth in the last axis.
    """
    check_callable(kernel, "kernel")
    sample, bandwidths = as_sample(z), as_bandwidths(bandwidths)
    n, dimensions = sample.points.shape[-2:]
    total = torch.zeros(*sample.points.shape[:-2], len(bandwidths), dtype=torch.float64)
    for squared, product in sample.products():
        for i, h in enumerate(bandwidths):
            total[..., i] += pair_total(of_kernel(kernel(squared, product, h, dimensions), squared))
    return (total / n**2).clamp_(min=0)


STEIN_KERNELS: dict[str, SteinKernel] = {"gaussian": gaussian_stein, "imq": imq_stein}
