"""Products of float32 matrices: all their digits, by the library that is fastest on this processor.

Torch hands them to MKL, which on other makers' processors leaves wide units unused: on one of AMD's
it takes 2.2 times as long as oneDNN. Torch gives them to oneDNN where they may be rounded to
bfloat16, and oneDNN rounds only where there are matrix units for that. Where there are none, the
permission costs no digit. On a GPU torch rounds the inputs of a convolution to 11 binary digits
unless told not to.
"""

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

__all__ = ["exact_convolutions", "float32_products", "has_bfloat16_units"]

_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16", "svebf16"}  # units, as Linux names them
_ERROR = 1e-6  # of float32 sums of 200 products, of their size; of bfloat16 ones 3e-3


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Within it, and in functions it decorates, convolutions on a GPU do not round their inputs."""
    rounds, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = rounds


@contextmanager
def float32_products() -> Iterator[None]:
    """Within it, and in functions it decorates, products have the digits of float32.

    On the processor oneDNN multiplies where that is faster and as precise; on a GPU convolutions
    do not round. What was permitted for matrix products outside of it stays permitted.

    Example:
        >>> with float32_products():
        ...     product = torch.full((1, 1), 1 + 2.0**-20) @ torch.ones(1, 1)
        >>> float(product) == 1 + 2.0**-20
        True
    """
    with exact_convolutions(), _permission() if _pays() else nullcontext():
        yield


def has_bfloat16_units() -> bool | None:
    """Whether this processor multiplies bfloat16 faster than float32; None if it does not say."""
    return None if (says := _processor()) is None else not _BFLOAT16.isdisjoint(says.split())


@contextmanager
def _permission() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@cache
def _pays() -> bool:
    """Whether MKL leaves units of this processor unused, and the permission costs no digit."""
    wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    both = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not (wide and both) or _is_intel() or torch.cuda.is_available():
        return False  # on a GPU the permission would cost digits
    with _permission():
        return _precise(torch.matmul)


def _precise(product: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """Whether a product of matrices has the digits of float32, for the strides of a training."""
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(2, 200, 200, generator=generator) for _ in range(2))
    for a, b in ((x, weight), (x, weight.mT), (x.mT, weight), (x[0], weight[0])):
        exact = a.double() @ b.double()
        if not (product(a, b) - exact).norm() <= _ERROR * exact.norm():
            return False
    return True


def _is_intel() -> bool:
    says = _processor()
    return "AMD" not in platform.processor() if says is None else "GenuineIntel" in says


def _processor() -> str | None:
    """What the operating system says of the processor, its units among it."""
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return None
