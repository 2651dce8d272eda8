"""The Gaussian kernel, and what of its mean discrepancy to N(0, I) is known.

Here because networks train with it and statistics measure with it: neither depends on the other.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from vaelib.numerics.exp2 import BITS, powers_

__all__ = ["gaussian", "normal_terms"]


def gaussian(squared: Tensor, bandwidth: float) -> Tensor:
    """Gaussian kernel exp(-r² / (2 h²)).

    Args:
        squared: Squared distances r², any shape.
        bandwidth: h, in the unit of the points.

    Returns:
        Kernel values in (0, 1], the shape of ``squared``.
    """
    return powers_(squared * (-0.5 * BITS / bandwidth**2))


def normal_terms(z: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """What N(0, I) adds to the MMD² of points to it: all but the mean over pairs of points.

    Args:
        z: Points, shape (..., n, D).
        bandwidths: H bandwidths h of the kernel.

    Returns:
        - 2 mean_i E k(z_i, y) + E k(y, y') for y, y' ~ N(0, I), shape (..., H).
    """
    dimensions, norm = z.shape[-1], z.square().sum(-1)
    terms = []
    for h in bandwidths:
        cross = (h**2 / (h**2 + 1)) ** (dimensions / 2) * gaussian(norm, (h**2 + 1) ** 0.5)
        terms.append((h**2 / (h**2 + 2)) ** (dimensions / 2) - 2 * cross.mean(-1))
    return torch.stack(terms, -1)
