"""Dimensions of z that carry nothing about the input, which match N(0, I) for the wrong reason.

A dimension of which every input has nearly the same posterior is **collapsed**. What it carries is
bounded by I(x; z_j) <= ½ log V_j - E log scale_j, V_j the variance of z_j: the entropy of a law is
at most that of the Gaussian of its variance. At the scale of the prior .005 nats are a variance of
.01 of the means, the usual threshold of an active unit, and the bound does not change where z is
rescaled, as that does.

References:
    Burda, Grosse and Salakhutdinov (2016), Importance weighted autoencoders, ICLR.
"""

import torch
from torch import Tensor

from vaelib.arguments.tensors import as_tensor

__all__ = ["CARRIED", "carried", "collapsed_sentence", "named"]

CARRIED = 0.005
"""Nats at which a dimension carries something."""

_NAMED = 8


def carried(mean: Tensor, scale: Tensor) -> Tensor:
    """What each dimension of z carries about the input, at most.

    Args:
        mean: posterior means, shape (N, D).
        scale: their standard deviations, positive, shape (N, D).

    Returns:
        Shape (D,), in nats, at least 0.

    Raises:
        ValueError: for shapes that differ or are not (N, D), or scales that are not positive.

    Example:
        >>> mean = torch.stack([torch.linspace(-1.5, 1.5, 100), torch.zeros(100)], 1)
        >>> scale = torch.tensor([0.5, 1.0]).expand(100, 2)
        >>> [round(one, 2) for one in carried(mean, scale).tolist()]
        [0.7, 0.0]
    """
    mean, scale = as_tensor(mean, "mean", "ND").double(), as_tensor(scale, "scale", "ND").double()
    if mean.shape != scale.shape or not mean.numel() or not bool((scale > 0).all()):
        raise ValueError(
            "mean and positive scale must have the same shape (N, D), got "
            f"{tuple(mean.shape)} and {tuple(scale.shape)}"
        )
    variance = mean.var(0, correction=0) + scale.square().mean(0)
    bound: Tensor = 0.5 * variance.log() - scale.log().mean(0)
    return bound.clamp_min(0)


def named(dimensions: Tensor) -> str:
    """Some dimensions in words.

    Args:
        dimensions: their numbers, ascending, shape (K,), K at least 1.

    Returns:
        Such as "dimension 3", or "dimensions 0, 4 to 7 and 9".
    """
    numbers = [int(one) for one in dimensions]
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    if len(runs) > _NAMED:
        return f"{len(numbers)} dimensions, among them {', '.join(map(str, numbers[:_NAMED]))},"
    parts = [str(a) if a == b else f"{a} and {b}" if b == a + 1 else f"{a} to {b}" for a, b in runs]
    words = "dimension " if len(numbers) == 1 else "dimensions "
    return words + (", ".join(parts[:-1]) + " and " if len(parts) > 1 else "") + parts[-1]


def collapsed_sentence(bound: Tensor | None) -> str:
    """Which dimensions are collapsed, in words.

    Args:
        bound: of :func:`carried`; None where there are no posteriors.

    Returns:
        A sentence; empty where none is.
    """
    if bound is None or not bool((bound < CARRIED).any()):
        return ""
    dead = torch.nonzero(bound < CARRIED)[:, 0]
    if len(dead) == len(bound):
        every = "The only dimension is" if len(bound) == 1 else f"All {len(bound)} dimensions are"
        return (
            f"{every} collapsed: z carries nothing about the input, and samples show nothing of q."
        )
    words, verb = named(dead), "is" if len(dead) == 1 else "are"
    return f"Collapsed, the same for every input, {verb} {words} of {len(bound)}."
