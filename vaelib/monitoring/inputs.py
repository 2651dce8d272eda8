"""The latents of one call as they come, in one batch or several, in constant memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaelib.arguments.rows import LARGEST
from vaelib.arguments.tables import Table, as_numbers, check_order
from vaelib.arguments.tensors import as_labels, as_tensor
from vaelib.monitoring.identities import is_evaluated, marks_of
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.certify import LEAST

__all__ = ["Given", "Inputs", "as_latents"]


@dataclass(frozen=True)
class Inputs:
    """Latents of a call, in an order that depends on their identities alone.

    Attributes:
        posteriors: Mean and scale, each of shape (n, D), float64.
        evaluated: Which are evaluated, and never fit, shape (n,).
        ids: Shape (n,), int64.
    """

    posteriors: Posteriors
    evaluated: Tensor
    ids: Tensor

    @staticmethod
    def of(state: Mapping[str, Tensor]) -> Inputs:
        """Those of a state."""
        data = Posteriors(state["mean"], state["scale"])
        return Inputs(data, state["evaluated"], state["ids"])

    def state(self) -> dict[str, Tensor]:
        """What :meth:`of` takes."""
        data = self.posteriors
        kept = {"evaluated": self.evaluated, "ids": self.ids}
        return {"mean": data.mean, "scale": data.scale} | kept

    @property
    def bad(self) -> Tensor:
        """Which have a value that is NaN, infinite or above 1e48 in size, shape (n,)."""
        both = torch.cat([self.posteriors.mean, self.posteriors.scale], 1)
        return (~(both.abs() < LARGEST)).any(1)

    def part(self, rows: Tensor) -> Inputs:
        """Some of them."""
        return Inputs(self.posteriors.part(rows), self.evaluated[rows], self.ids[rows])

    @property
    def enough(self) -> bool:
        """Whether there are as many to evaluate, and to fit, as a proof takes."""
        evaluated = int(self.evaluated.sum())
        return min(evaluated, len(self.ids) - evaluated) >= LEAST


def as_latents(mean: Table, scale: Table) -> tuple[Tensor, Tensor]:
    """Means and scales on the CPU in float64, without gradients.

    Args:
        mean: Shape (B, D), of any real type, on any device.
        scale: The same shape.

    Returns:
        Both.

    Raises:
        ValueError: For other shapes, or a scale below 0.
    """
    check_order(mean, scale)
    m = as_tensor(as_numbers(mean, "mean"), "mean", "BD").cpu().double()
    s = as_tensor(as_numbers(scale, "scale"), "scale", "BD").cpu().double()
    if m.shape != s.shape:
        raise ValueError(
            f"scale must have the shape {tuple(m.shape)} of mean, got {tuple(s.shape)}"
        )
    if bool((s < 0).any()):
        least = float(s.nan_to_num().min())
        raise ValueError(
            f"scale must not be negative, got min {least:.3g}; is it a log variance? "
            "then hand over (logvar / 2).exp()"
        )
    return m, s


class Given:
    """Collects the batches of one call, and keeps the same inputs of them at every call.

    Where there are more than ``most`` those are kept whose identities have the smallest marks.

    Args:
        most: Inputs kept.
        salt: Of the choice.
    """

    def __init__(self, most: int, salt: int) -> None:
        self._most, self._salt = most, salt
        self.clear()

    def clear(self) -> None:
        """Forget the batches."""
        self.count = 0
        self.identified: bool | None = None
        self._mean = self._scale = torch.zeros(0, 0, dtype=torch.float64)
        self._ids = torch.zeros(0, dtype=torch.int64)

    def add(self, mean: Tensor, scale: Tensor, ids: Table | None, first: int) -> None:
        """Take a batch in.

        Args:
            mean: Of :func:`as_latents`.
            scale: Of :func:`as_latents`.
            ids: Integers, shape (B,); None where inputs come in a fixed order.
            first: Number of the first input of the call, where there are no identities.

        Raises:
            ValueError: For identities that are none, repeated, or given for some batches only.
        """
        rows = len(mean)
        identified = ids is not None
        if self.identified not in (None, identified):
            raise ValueError("ids must be given with every batch or with none, got both")
        if ids is None:
            start = first + self.count
            numbers = torch.arange(start, start + rows)
        else:
            numbers = as_labels(as_numbers(ids, "ids", "integers"), "ids", rows, "input").cpu()
        every = torch.cat([self._ids, numbers])
        if identified and (again := len(every) - len(np.unique(every.numpy()))):
            raise ValueError(
                f"ids must name every input once between two calls, got {again} repeated; "
                "call reset() after compute(), and give each input one row"
            )
        self.identified = identified
        self.count += rows
        fits = self._mean.shape[1] == mean.shape[1]
        self._mean = torch.cat([self._mean, mean]) if fits else mean
        self._scale = torch.cat([self._scale, scale]) if fits else scale
        self._ids = every
        if len(every) > 2 * self._most:
            self._prune()

    def _prune(self) -> None:
        order = torch.from_numpy(np.argsort(marks_of(self._ids, ~self._salt), kind="stable"))
        kept = order[: self._most]
        self._mean, self._scale = self._mean[kept], self._scale[kept]
        self._ids = self._ids[kept]

    def inputs(self) -> Inputs:
        """All that are kept, in the order of their marks."""
        self._prune()
        chosen = is_evaluated(self._ids, self._salt)
        return Inputs(Posteriors(self._mean, self._scale), chosen, self._ids)

    def state(self) -> dict[str, Any]:
        """What :meth:`load` takes."""
        return {
            "count": self.count,
            "identified": self.identified,
            "mean": self._mean,
            "scale": self._scale,
            "ids": self._ids,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.count, self.identified = state["count"], state["identified"]
        self._mean, self._scale, self._ids = state["mean"], state["scale"], state["ids"]
