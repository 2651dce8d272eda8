"""Latents of one split, as an audit is given them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vaelib.posterior import AggregatePosterior
from vaelib.stats.stack.groups import as_groups

__all__ = ["Latents"]


@dataclass(frozen=True)
class Latents:
    """Latents of one split.

    Attributes:
        z: one for each input, shape (n, D), float64.
        posterior: of the inputs; None for points and bare z.
        groups: labels of inputs that are not independent, shape (n,).

    Raises:
        ValueError: for groups that are not one integer for each input.
    """

    z: Tensor
    posterior: AggregatePosterior | None = None
    groups: Tensor | None = None

    def __post_init__(self) -> None:
        as_groups(self.groups, len(self.z))

    def part(self, most: int, generator: torch.Generator) -> Latents:
        """A random choice of so many inputs; all of them where there are no more.

        Where there are groups, it is they that are chosen, whatever their size, and of each no
        more z than make as many: to choose among the z would favour large groups.

        Args:
            most: how many.
            generator: random stream of the choice.

        Returns:
            The inputs.
        """
        if len(self.z) <= most:
            return self
        index = torch.randperm(len(self.z), generator=generator)
        if self.groups is not None:
            index = _few_of_each(as_groups(self.groups, len(self.z)), most, index, generator)
        index = index[:most]
        return Latents(
            self.z[index],
            None if self.posterior is None else self.posterior.part(index),
            None if self.groups is None else self.groups[index.to(self.groups.device)],
        )


def _few_of_each(groups: Tensor, most: int, order: Tensor, generator: torch.Generator) -> Tensor:
    """Rows of random groups, of each the first so many in an order."""
    count = int(groups.max()) + 1
    chosen = torch.randperm(count, generator=generator)[:most]
    wanted = torch.zeros(count, dtype=torch.bool)
    wanted[chosen] = True
    order = order[wanted[groups[order]]]
    order = order[groups[order].argsort(stable=True)]
    sizes = torch.bincount(groups[order], minlength=count)
    place = torch.arange(len(order)) - (sizes.cumsum(0) - sizes)[groups[order]]
    return order[place < max(1, most // len(chosen))]
