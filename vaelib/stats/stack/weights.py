"""Weights of a stack of densities, and what the stack gains over the prior."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaelib.arguments.plain import as_count, shown
from vaelib.arguments.tensors import as_number, as_tensor
from vaelib.stats.checks import check_generator
from vaelib.stats.jackknife import Estimate, mean_of
from vaelib.stats.stack.groups import as_groups, as_numbers, group_mean

__all__ = ["cross_fitted_gains", "gain_estimate", "stack_weights", "stacked_gains", "with_prior"]

_STEPS = 200
_SHARE = 0.02  # what the prior keeps, so that no gain is below log of it


def stack_weights(log_ratio: Tensor, groups: Tensor | None = None, steps: int = _STEPS) -> Tensor:
    """Weights w that nearly maximise the mean of log Σ_k w_k r_k(z)/p(z), by EM.

    The likelihood is concave in w; each step multiplies w_k by the mean responsibility over w_k and
    never lowers it. It starts from equal weights and stops where no weight moves by 1e-6.

    Args:
        log_ratio: log r_k(z_i) - log p(z_i), shape (n, K).
        groups: Numbers 0 … G - 1 of shape (n,); a group weighs as much as one row.
        steps: The most steps of EM.

    Returns:
        Weights of shape (K,), not negative, of sum 1.

    References:
        Wolpert (1992), Stacked generalization, Neural Networks 5.
        Smyth and Wolpert (1999), Linearly combining density estimators via stacking, Machine
        Learning 36.
    """
    log_ratio = as_tensor(log_ratio, "log_ratio", "nK").double()
    as_count(steps, "steps")
    ratio = (log_ratio - log_ratio.amax(1, keepdim=True)).exp()
    count = len(ratio)
    share = torch.full((count,), 1 / count, dtype=torch.float64)
    if groups is not None:
        groups = as_numbers(groups, count)
        sizes = torch.bincount(groups)
        share = 1 / (sizes[groups] * int((sizes > 0).sum())).double()
    weights = torch.full_like(ratio[0], 1 / ratio.shape[1])
    for _ in range(steps):
        new = weights * ((share / (ratio @ weights)) @ ratio)
        moved = float((new - weights).abs().max())
        weights = new
        if moved < 1e-6:
            break
    return weights / weights.sum()


def with_prior(weights: Tensor, share: float) -> Tensor:
    """The weights with that share given to the first candidate, the prior.

    Args:
        weights: Shape (K,), of sum 1.
        share: c, in (0, 1].

    Returns:
        (1 - c) w + c on the first, shape (K,).

    Raises:
        ValueError: For a share outside (0, 1].
    """
    weights, kept = as_tensor(weights, "weights", "K"), as_number(share, "share")
    if not 0 < kept <= 1:
        raise ValueError(f"share must lie in (0, 1], got {shown(share)}")
    out = (1 - kept) * weights
    out[0] += kept
    return out


def stacked_gains(log_ratio: Tensor, weights: Tensor) -> Tensor:
    """log Σ_k w_k r_k(z_i)/p(z_i).

    Args:
        log_ratio: Shape (n, K).
        weights: Shape (K,).

    Returns:
        Gains of shape (n,), in nats.

    Raises:
        ValueError: For another number of weights than columns.
    """
    log_ratio, weights = as_tensor(log_ratio, "log_ratio"), as_tensor(weights, "weights", "K")
    if log_ratio.dim() != 2 or log_ratio.shape[1] != len(weights):
        wanted = f"(n, {len(weights)})"
        raise ValueError(f"log_ratio must have shape {wanted}, got {tuple(log_ratio.shape)}")
    return (log_ratio + weights.log()).logsumexp(1)


def cross_fitted_gains(
    log_ratio: Tensor,
    generator: torch.Generator,
    *,
    groups: Tensor | None = None,
    folds: int = 5,
    share: float = _SHARE,
) -> Tensor:
    """The gain of each row under weights from the other folds.

    Args:
        log_ratio: log r_k - log p at held-out z, the prior (zeros) first, shape (n, K).
        generator: Random stream, which deals the groups to folds.
        groups: Labels of shape (n,); a group stays together.
        folds: How many.
        share: What the prior keeps.

    Returns:
        Gains of shape (n,), in nats, at least log of the share.

    Raises:
        ValueError: For fewer groups than folds.
    """
    log_ratio = as_tensor(log_ratio, "log_ratio", "nK").double()
    check_generator(generator)
    as_count(folds, "folds", 2)
    numbers = as_groups(groups, len(log_ratio))
    count = int(numbers.max()) + 1
    if count < folds:
        raise ValueError(f"held-out z must be at least {folds} groups, got {count}")
    fold = (torch.randperm(count, generator=generator) % folds)[numbers]
    gains = torch.empty(len(log_ratio), dtype=torch.float64)
    for k in range(folds):
        own = fold == k
        weights = stack_weights(log_ratio[~own], numbers[~own])
        gains[own] = stacked_gains(log_ratio[own], with_prior(weights, share))
    return gains


def gain_estimate(gains: Tensor, groups: Tensor | None = None) -> Estimate:
    """The mean gain and its standard error, by groups where there are any.

    Args:
        gains: Shape (n,).
        groups: Labels of shape (n,).

    Returns:
        Mean over groups of their mean gain, in nats, and its standard error.
    """
    gains = as_tensor(gains, "gains", "n")
    means = group_mean(gains, as_groups(groups, len(gains)))
    if len(means) < 2:
        return Estimate(float(means.mean()), math.nan)
    return mean_of(means)
