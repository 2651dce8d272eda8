"""Powers of 2 where a statistic sums very many exponentials.

Torch computes exp2 by its own vectorised code, but hands exp to a library that takes a little more
than that on some processors and 3.5 times as long on others.
"""

import math

from torch import Tensor

__all__ = ["BITS", "LOWEST", "powers_"]

BITS = 1 / math.log(2)
"""Bits in a nat: exp(x) is 2 ** (BITS x)."""

LOWEST = -115.0
"""An exponent of 2 whose power, 2e-35, is nothing next to 1; far below, numbers are subnormal, and
many times slower."""


def powers_(exponents: Tensor) -> Tensor:
    """2 ** exponents, in place, with 2 ** -115 for everything below.

    Args:
        exponents: of any shape.

    Returns:
        ``exponents``, overwritten.

    Example:
        >>> import torch
        >>> powers_(torch.tensor([3.0, 0.0, -1e6]))
        tensor([8.0000e+00, 1.0000e+00, 2.4074e-35])
    """
    return exponents.clamp_(min=LOWEST).exp2_()
