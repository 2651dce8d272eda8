"""The log of a sum of very many densities, by tiles: bounded memory, whatever N and M."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from vaelib.numerics.exp2 import BITS, powers_

__all__ = ["Logs", "RunningLogSum", "log_mean_exp"]

Logs = Callable[[Tensor | slice, Tensor | slice, Tensor], Tensor]
"""Maps rows of points, rows of components and a base for each of the points to the log densities
minus the base, both in bits, a new tensor of shape (M, N)."""

_TILE = 1 << 17  # numbers of the (points, components) matrix at once: as many as the cache holds
_HEIGHT = 512  # points of a tile, at most
_TILE_ELSEWHERE, _HEIGHT_ELSEWHERE = 1 << 24, 8192  # on a GPU, where calls cost more than memory


class RunningLogSum:
    """The log of a sum of exponentials that grows, for each of M rows.

    The sum is kept over a base. That is the largest exponent of the first terms, and moves only
    when later ones exceed it by so much that they overflow: so most terms need no maximum. Within,
    exponents are of 2, in bits.

    Args:
        start: the log of the sum so far, in nats, shape (M,); -inf for none.

    Example:
        >>> total = RunningLogSum(torch.tensor([-torch.inf]))
        >>> total.add(lambda base: torch.zeros(1, 3) - base)
        >>> total.add(lambda base: torch.tensor([[1000.0]]) - base)
        >>> round(float(total.logs() / math.log(2)))
        1000
    """

    def __init__(self, start: Tensor) -> None:
        self._logs = start * BITS
        self._base: Tensor | None = None  # until there is something in every row
        self._total = self._logs

    def logs(self) -> Tensor:
        """The log of the sum, in nats, shape (M,)."""
        return self._bits() / BITS

    def add(self, terms: Callable[[Tensor], Tensor]) -> None:
        """Add terms.

        Args:
            terms: maps a base of shape (M,) to the exponents of 2 minus the base, a new tensor of
                shape (M, any number). It may be called twice.
        """
        if self._base is not None:
            total = powers_(terms(self._base)).sum(1).add_(self._total)
            if _finite(total):
                self._total = total
                return
        so_far = self._bits()
        values = terms(torch.zeros_like(so_far))
        peak = torch.maximum(so_far, values.amax(1))
        base = peak.clamp_min(torch.finfo(peak.dtype).min)
        total = powers_(so_far - base) * so_far.isfinite()
        total += powers_(values.sub_(base.unsqueeze(1))).sum(1)
        if _finite(peak):
            self._base, self._total = peak, total
        else:
            self._base, self._logs = None, peak + total.log2()

    def _bits(self) -> Tensor:
        return self._logs if self._base is None else self._base + self._total.log2()


def _finite(values: Tensor) -> bool:
    return math.isfinite(float(values.detach().sum()))


def log_mean_exp(logs: Logs, z: Tensor, components: int, leave_one_out: bool) -> Tensor:
    """log of the mean of component densities at each point, by tiles of bounded size.

    Args:
        logs: their log densities.
        z: points of shape (M, D), in float64.
        components: N.
        leave_one_out: leave component m out at point m.

    Returns:
        Log densities of shape (M,), in float64; -inf where no component has mass.
    """
    tile, most = (_TILE, _HEIGHT) if z.is_cpu else (_TILE_ELSEWHERE, _HEIGHT_ELSEWHERE)
    height = min(len(z), most)
    width = min(components, max(1, tile // height))
    out = torch.empty_like(z[:, 0])
    if leave_one_out:
        logs = partial(_without_own, logs)
    for start in range(0, len(z), height):
        rows = slice(start, min(start + height, len(z)))
        total = RunningLogSum(torch.full_like(out[rows], -math.inf))
        for first in range(0, components, width):
            columns = slice(first, min(first + width, components))
            total.add(partial(logs, rows, columns))
        out[rows] = total.logs()
    return out - math.log(components - leave_one_out)


def _without_own(logs: Logs, rows: slice, columns: slice, base: Tensor) -> Tensor:
    """The same where point and component have the same number, -inf."""
    values = logs(rows, columns, base)
    own = slice(max(rows.start, columns.start), min(rows.stop, columns.stop))
    if own.start < own.stop:
        index = torch.arange(own.start, own.stop, device=values.device)
        values[index - rows.start, index - columns.start] = -math.inf
    return values
