"""Subnormal numbers count as zero while networks train.

Adam's mean of a gradient that has become zero, as that of a ReLU unit which no input excites any
more, is a tenth smaller after every step and below the least normal float32 after about 800. The
processor then takes some hundred times as long for every product, and a training of 1,500 steps
twice as long as without; the numbers themselves, below 1e-38, move no weight.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["subnormals_flushed"]


@contextmanager
def subnormals_flushed() -> Iterator[None]:
    """Within it, and in functions it decorates, this thread takes subnormal numbers as zero.

    The threads that torch keeps for its own parallel loops do as they did when they began.

    Example:
        >>> with subnormals_flushed():
        ...     float(torch.tensor(1e-40) * 0.5)
        0.0
    """
    flushed = _flushed()
    torch.set_flush_denormal(True)  # where the processor can; else all is as slow, and as right
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)


def _flushed() -> bool:
    return sys.float_info.min / 2 == 0
