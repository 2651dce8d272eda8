"""Priors that are conditioned on a label, p(z|c): an answer for each label."""

from collections.abc import Mapping

import torch
from torch import Tensor

from vaelib.audits.answers import Answer, answers
from vaelib.audits.settings import DEFAULTS
from vaelib.audits.verdict import MARGIN
from vaelib.priors import Prior

__all__ = ["answers_by_condition"]


def answers_by_condition(
    mean: Tensor,
    scale: Tensor,
    conditions: Tensor,
    prior: str | Prior | Mapping[int, Prior] = "normal",
    heldout: tuple[Tensor, Tensor, Tensor] | None = None,
    *,
    seed: int = DEFAULTS.seed,
    margin: float = MARGIN,
    alpha: float = DEFAULTS.alpha,
) -> dict[int, list[Answer]]:
    """Audit a conditional encoder: is q(z|c) the prior p(z|c), for each condition c?

    A prior of a hierarchical model needs no conditions: with p(z2|z1) = N(m(z1), s(z1)² I), the KL
    of the pair to its prior is that of (z1, (z2 - m(z1))/s(z1)) to N(0, I).

    Args:
        mean: posterior means of the training inputs, shape (N, D).
        scale: their standard deviations, shape (N, D).
        conditions: integer labels of the training inputs, shape (N,).
        prior: one for all conditions, or of each its own.
        heldout: mean, scale and conditions of inputs that were not trained on.
        seed: of the audits.
        margin: KL in nats that does no harm.
        alpha: one-sided level of all answers together: each has its share of it.

    Returns:
        Condition -> the answers of :func:`vaelib.answers`, in ascending order. A condition without
        held-out inputs is answered from its training inputs, which the answer says.

    Raises:
        ValueError: for labels that are not integers, or as many as there are inputs; for held-out
            inputs of a condition that was not trained on, or a condition without a prior.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> mean = torch.randn(400, 2, generator=generator)
        >>> label = torch.arange(400) % 2
        >>> mean = mean + 3 * label[:, None]
        >>> found = answers_by_condition(mean, torch.full_like(mean, 0.1), label)
        >>> {condition: given[0].verdict for condition, given in found.items()}
        {0: 'undecided', 1: 'no'}
    """
    labels = _labels(conditions, mean, "conditions")
    if heldout is not None and (isinstance(heldout, Tensor) or len(heldout) != 3):
        raise ValueError("heldout must be mean, scale and conditions, got something else")
    if heldout is not None:
        held = _labels(heldout[2], heldout[0], "conditions of heldout")
        if new := sorted(set(held.tolist()) - set(labels.tolist())):
            raise ValueError(
                f"heldout must have conditions that were trained on, got {new[0]}; drop its inputs"
            )
    names = sorted(set(labels.tolist()))
    found = {}
    for name in names:
        if isinstance(prior, Mapping) and name not in prior:
            raise ValueError(f"prior must hold one for every condition, got none for {name}")
        given = prior[name] if isinstance(prior, Mapping) else prior
        rows, pair = labels == name, None
        if heldout is not None and bool((held == name).any()):
            pair = heldout[0][held == name], heldout[1][held == name]
        level = alpha / len(names)
        found[name] = answers(
            mean[rows], scale[rows], pair, seed=seed, margin=margin, alpha=level, prior=given
        )
    return found


def _labels(labels: Tensor, inputs: Tensor, name: str) -> Tensor:
    if not isinstance(labels, Tensor):
        raise ValueError(f"{name} must be a tensor of integers, got {type(labels).__name__}")
    if labels.shape != inputs.shape[:1] or labels.is_floating_point():
        raise ValueError(
            f"{name} must be integers of shape ({len(inputs)},), one label per input, got "
            f"{labels.dtype} of shape {tuple(labels.shape)}"
        )
    return labels.to(torch.int64)
