"""Whether an encoder gives an input the same posterior each time, whatever stands beside it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vaelib.encoders.laws import Part
from vaelib.encoders.seen import seen

__all__ = ["check_same"]

_NEAR = 0.02  # of the size of a value: what half precision and other sums make of it


def check_same(found: Part, again: Callable[[], Part], given: object) -> None:
    """Compare what was found with a second call, of the same inputs or of the first half of them.

    A function around a model that trains differs between calls by its dropout, and between batches
    by their statistics. Draws differ, and are not compared.

    Args:
        found: of the first call.
        again: makes the second.
        given: what it is called with, for the error.

    Raises:
        ValueError: where a mean or a spread differs.
    """
    if found.kind == "z":
        return
    try:
        other = again()
    except ValueError:  # of fewer inputs, which some functions cannot take
        return
    if other.kind != found.kind or len(other.values) != len(found.values):
        return
    differences = [_difference(a, b) for a, b in zip(found.values, other.values, strict=True)]
    if found.kind == "three":  # one of them is drawn
        differences.remove(max(differences))
    if worst := max(differences):
        raise ValueError(
            f"the encoder must give an input one posterior, got values that differ by {worst:.3g} "
            f"between two calls with {seen(given)}, as a model in training does by dropout "
            "or the statistics of a batch; call its model.eval() first, or hand over the module"
        )


def _difference(first: Tensor, second: Tensor) -> float:
    """The largest, 0 for one that rounding makes, or where they are not of the same inputs."""
    first = first[: len(second)]
    if first.shape != second.shape:
        return 0.0
    known = first.isfinite() & second.isfinite()
    if not bool(known.any()):
        return 0.0
    first, second = first[known], second[known]
    size = torch.maximum(first.abs(), second.abs()).mean()
    worst = float((first - second).abs().max())
    return worst if worst > _NEAR * max(float(size), 1e-3) else 0.0
