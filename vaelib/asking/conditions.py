"""Priors that are conditioned on a label, p(z|c): an answer for each label."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from vaelib.arguments.rows import Usable
from vaelib.arguments.tables import Table, as_numbers
from vaelib.arguments.tensors import as_labels, as_number
from vaelib.asking.found import found_of
from vaelib.asking.joint import Conditions
from vaelib.asking.progress import watched
from vaelib.asking.taken import posteriors_of
from vaelib.audits.measurement import Progress
from vaelib.audits.settings import DEFAULTS
from vaelib.audits.verdict import MARGIN
from vaelib.priors import Prior
from vaelib.report import Report
from vaelib.stats.checks import check_level

__all__ = ["answers_by_condition"]


def answers_by_condition(
    mean: Table,
    scale: Table,
    conditions: Table,
    prior: str | Prior | Mapping[int, Prior] = "normal",
    heldout: tuple[Table, Table, Table] | None = None,
    *,
    seed: int = DEFAULTS.seed,
    margin: float = MARGIN,
    alpha: float = DEFAULTS.alpha,
    progress: Progress | bool | None = None,
) -> Conditions:
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
        margin: KL in nats that still counts as a match.
        alpha: one-sided level of all answers together: each has its share of it.
        progress: as of :func:`vaelib.answers`.

    Returns:
        Condition -> the report of :func:`vaelib.answers`, in ascending order; ``print`` says what
        holds of all together, ``to_json()`` is one object of all. A condition without held-out
        inputs is answered from its training inputs, which the answer says.

    Raises:
        TypeError: as :func:`vaelib.answers`.
        ValueError: for labels that are not integers, or as many as there are inputs; for held-out
            inputs of a condition that was not trained on, or a condition without a prior.

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> mean = torch.randn(400, 2, generator=generator)
        >>> label = torch.arange(400) % 2
        >>> mean = mean + 3 * label[:, None]
        >>> found = answers_by_condition(mean, torch.full_like(mean, 0.1), label)
        >>> {condition: report.verdict for condition, report in found.items()}
        {0: 'undecided', 1: 'no'}
    """
    check_level(alpha)
    taken = posteriors_of(mean, scale, _first_two(heldout))
    if taken.places:
        raise ValueError("mean must have shape (N, D) where there are conditions, got maps")
    (centre, spread), others = taken.train, taken.heldout
    labels = _labels(conditions, "conditions", taken.kept[0])
    held = None
    if heldout is not None and others is not None:
        held = _labels(heldout[2], "conditions of heldout", taken.kept[1])
        if new := sorted(set(held.tolist()) - set(labels.tolist())):
            raise ValueError(
                f"heldout must have conditions that were trained on, got {new[0]}; drop its inputs"
            )
    names = sorted(set(labels.tolist()))
    found = {}
    with watched(progress) as tell:
        for name in names:
            if isinstance(prior, Mapping) and name not in prior:
                raise ValueError(f"prior must hold one for every condition, got none for {name}")
            given = prior[name] if isinstance(prior, Mapping) else prior
            rows, pair = labels == name, None
            if held is not None and others is not None and bool((held == name).any()):
                pair = others[0][held == name], others[1][held == name]
            one = found_of(
                replace(
                    taken, train=(centre[rows], spread[rows]), heldout=pair, split=_split(pair)
                ),
                given,
                _of_condition(name, tell),
                margin,
                seed=seed,
                alpha=alpha / len(names),
            )
            found[name] = Report(one.answers, one.rows, one.answers, one.asked)
    return Conditions(found, as_number(alpha, "alpha"))


def _split(pair: object) -> str:
    return "train" if pair is None else "test"


def _first_two(heldout: object) -> object:
    """Mean and scale of held-out inputs, where conditions stand beside them."""
    if heldout is None:
        return None
    if not isinstance(heldout, tuple | list) or len(heldout) != 3:
        raise ValueError("heldout must be mean, scale and conditions, got something else")
    return tuple(heldout[:2])


def _labels(conditions: Table, name: str, kept: Usable) -> Tensor:
    """Those of the inputs that gave numbers."""
    numbers = as_numbers(conditions, name, "integers")
    return as_labels(numbers, name, len(kept.rows), "input").cpu()[kept.rows]


def _of_condition(name: int, tell: Progress) -> Progress:
    return lambda stage, done, of: tell(f"condition {name}, {stage}", done, of)
