"""Maximum mean discrepancy (MMD): the distance of two distributions in the space of a kernel.

    MMD²(P, Q) = E k(x, x') - 2 E k(x, y) + E k(y, y'),    x, x' ~ P and y, y' ~ Q independent

With a Gaussian kernel of bandwidth h, H = h², every expectation under N(0, I) or under a mixture
of diagonal Gaussians is known:

    E k(a, b) = Π_j √(H / (H + v_j)) exp(-(E a_j - E b_j)² / (2 (H + v_j))),    v = Var(a - b)

so against N(0, I) no prior sample, and none of its noise, is needed.

References:
    Gretton, Borgwardt, Rasch, Schölkopf and Smola (2012), A Kernel Two-Sample Test, JMLR 13.
    Rustamov (2021), Closed-form expressions for maximum mean discrepancy with applications to
    Wasserstein auto-encoders, Stat 10.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaelib.numerics.exp2 import BITS, powers_
from vaelib.numerics.gaussian_kernel import gaussian, normal_terms
from vaelib.numerics.pairs import Sample
from vaelib.stats.checks import as_bandwidths, as_pair, as_points, as_sample
from vaelib.stats.kernels import Kernel, kernel_sums

__all__ = [
    "mmd_squared",
    "mmd_squared_mixture",
    "mmd_squared_normal",
    "mmd_squared_normal_unbiased",
    "mmd_squared_unbiased",
]

_TILE = 1 << 18  # pairs times dimensions in one tile: two megabytes


def mmd_squared(
    x: Tensor, y: Tensor, bandwidths: Sequence[float], *, kernel: Kernel = gaussian
) -> Tensor:
    """Biased MMD² of two samples: equal points are paired with themselves.

    Never negative, and 0 when the samples are equal; when both come from one distribution its mean
    is (1 - E k(x, x')) (1/n + 1/m).

    Args:
        x: Points, shape (..., n, D), n >= 2.
        y: Points, shape (..., m, D), m >= 2.
        bandwidths: H bandwidths, in the unit of the points.
        kernel: A kernel of :mod:`vaelib.stats.kernels`.

    Returns:
        MMD² in squared kernel units, shape (..., H).
    """
    x, y = as_pair(x, y)
    bandwidths, n, m = as_bandwidths(bandwidths), x.shape[-2], y.shape[-2]
    within = kernel_sums(kernel, bandwidths, x) / n**2 + kernel_sums(kernel, bandwidths, y) / m**2
    return (within - kernel_sums(kernel, bandwidths, x, y) * (2 / (n * m))).clamp_(min=0)


def mmd_squared_unbiased(
    x: Tensor, y: Tensor, bandwidths: Sequence[float], *, kernel: Kernel = gaussian
) -> Tensor:
    """Unbiased MMD² of two samples: its mean is the MMD² of their distributions.

    Negative about half of the time when the distributions agree; do not clip it.

    Args:
        x: Points, shape (..., n, D), n >= 2.
        y: Points, shape (..., m, D), m >= 2.
        bandwidths: H bandwidths, in the unit of the points.
        kernel: A kernel of :mod:`vaelib.stats.kernels`, with k(x, x) = 1.

    Returns:
        MMD² in squared kernel units, shape (..., H).
    """
    x, y = as_pair(x, y)
    bandwidths, n, m = as_bandwidths(bandwidths), x.shape[-2], y.shape[-2]
    within_x = (kernel_sums(kernel, bandwidths, x) - n) / (n * (n - 1))
    within_y = (kernel_sums(kernel, bandwidths, y) - m) / (m * (m - 1))
    return within_x + within_y - kernel_sums(kernel, bandwidths, x, y) * (2 / (n * m))


def mmd_squared_normal(z: Tensor | Sample, bandwidths: Sequence[float]) -> Tensor:
    """Biased Gaussian-kernel MMD² of points to N(0, I).

    When the points come from N(0, I) its mean is (1 - (H / (H + 2))^(D/2)) / n.

    Args:
        z: Points, shape (..., n, D), n >= 2, or a sample of them.
        bandwidths: Bandwidths h of the kernel.

    Returns:
        MMD² in squared kernel units, one per bandwidth in the last axis.
    """
    sample, bandwidths = as_sample(z), as_bandwidths(bandwidths)
    within = kernel_sums(gaussian, bandwidths, sample) / sample.points.shape[-2] ** 2
    return (within + normal_terms(sample.points, bandwidths)).clamp_(min=0)


def mmd_squared_normal_unbiased(z: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """Unbiased Gaussian-kernel MMD² of points to N(0, I): an effect size free of n.

    Args:
        z: Points, shape (..., n, D), n >= 2.
        bandwidths: Bandwidths h of the kernel.

    Returns:
        MMD² in squared kernel units, one per bandwidth in the last axis; may be negative.
    """
    z, bandwidths = as_points(z), as_bandwidths(bandwidths)
    n = z.shape[-2]
    within = (kernel_sums(gaussian, bandwidths, z) - n) / (n * (n - 1))
    return within + normal_terms(z, bandwidths)


def mmd_squared_mixture(mean: Tensor, scale: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """Gaussian-kernel MMD² of a mixture of diagonal Gaussians to N(0, I), exactly.

    The mixture 1/N Σ_n N(mean_n, diag scale_n²) is taken as it is: for the aggregate posterior of
    N inputs that is q_N, not its population limit.

    Args:
        mean: Means of the components, shape (N, D).
        scale: Their standard deviations, shape (N, D), not negative; 0 makes a point.
        bandwidths: Bandwidths h of the kernel.

    Returns:
        MMD² in squared kernel units, one per bandwidth, shape (H,).

    Raises:
        ValueError: If the arguments are bad, differ in shape, or a scale is negative.

    Example:
        >>> mean = torch.zeros(1, 2)
        >>> round(30 * mmd_squared_mixture(mean, torch.full_like(mean, 2**0.5), [1.0]).item(), 6)
        1.0
    """
    mean, scale = as_points(mean, "mean", rows=1), as_points(scale, "scale", rows=1)
    if mean.dim() != 2 or mean.shape != scale.shape:
        shapes = f"{tuple(mean.shape)} and {tuple(scale.shape)}"
        raise ValueError(f"mean and scale must share one shape (N, D), got {shapes}")
    if bool((scale < 0).any()):
        raise ValueError(f"scale must not be negative, got min {float(scale.min())}")
    bandwidths, variance = as_bandwidths(bandwidths), scale.square()
    n, dimensions = mean.shape
    within = torch.zeros(len(bandwidths), dtype=torch.float64)
    size = max(1, _TILE // (n * dimensions))
    for start in range(0, n, size):  # each pair once: what lies right of the square counts twice
        rows = slice(start, start + size)
        squared = (mean[rows, None] - mean[None, start:]).square_()
        spread = variance[rows, None] + variance[None, start:]
        for i, h in enumerate(bandwidths):
            values = _expected_gaussian(squared, spread, h)
            within[i] += 2 * values.sum() - values[:, :size].sum()
    cross = [_expected_gaussian(mean.square(), variance + 1, h).mean() for h in bandwidths]
    const = [(h**2 / (h**2 + 2)) ** (dimensions / 2) for h in bandwidths]
    return (within / n**2 - 2 * torch.stack(cross) + within.new_tensor(const)).clamp_(min=0)


def _expected_gaussian(squared: Tensor, spread: Tensor, bandwidth: float) -> Tensor:
    """E k(a, b) from squared mean differences and variances of a - b, shapes (..., D)."""
    smoothed = spread + bandwidth**2
    doubled = (smoothed / bandwidth**2).log2_().add_(squared / smoothed, alpha=BITS).sum(-1)
    return powers_(doubled.mul_(-0.5))
