"""What a sampler is fitted to and chosen by: latents brought to where the prior is N(0, I)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vaelib.arguments.tensors import check_finite
from vaelib.box_posterior import aggregate
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Prior, Uniform
from vaelib.samplers.sampler import Box
from vaelib.seeding import stream
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.groups import as_groups

__all__ = ["LEAST", "Given", "Pair", "given_of"]

LEAST = 20
"""Independent held-out z, and training inputs, below which nothing is chosen."""

Pair = tuple[Tensor, Tensor]
_SPLIT = 100  # independent inputs below which none are kept apart to choose
_HELD = 0.2  # of the inputs that choose where none are held out
_DRAWS = 4  # z per input where candidates are fitted to draws


@dataclass(frozen=True)
class Given:
    """Latents to fit to, and others to choose by.

    Attributes:
        train: posteriors or points, where the prior is N(0, I).
        z: one of each held-out input, shape (n, D), there too.
        means: of the held-out inputs, which copies share exactly; z where there are none.
        groups: numbers of shape (n,).
        heldout: posteriors of the held-out inputs, where they have a density.
        rows: N, the inputs of ``train``.
        split: whether the held-out ones are a random part of what was given.
        box: of a uniform prior.
    """

    train: Posteriors
    z: Tensor
    means: Tensor
    groups: Tensor
    heldout: AggregatePosterior | None
    rows: int
    split: bool
    box: Box | None


def given_of(
    mean: Tensor,
    scale: Tensor,
    heldout: Pair | None,
    prior: Prior,
    groups: Tensor | None,
    seed: int,
) -> Given:
    """Bring latents to where the prior is N(0, I), and part them where none are held out.

    Args:
        mean: of the training inputs, shape (N, D); with scales of 0 points, or bare z.
        scale: shape (N, D).
        heldout: mean and scale of others, points where the others are.
        prior: N(0, I), or uniform.
        groups: labels of the held-out inputs, or of all, that are not independent.
        seed: of draws and of the split.

    Returns:
        What to fit to, and what to choose by.

    Raises:
        ValueError: for too few inputs, values that are not finite, a dimension that is constant,
            or latents where a uniform prior has no mass.
    """
    mean, scale = check_finite(mean, "mean").double(), check_finite(scale, "scale").double()
    split = heldout is None
    if heldout is None:
        numbers = as_groups(groups, len(mean))
        place = torch.randperm(int(numbers.max()) + 1, generator=stream("repair split", seed))
        if len(place) < _SPLIT:
            raise ValueError(
                f"at least {_SPLIT} independent inputs are needed to fit to some and choose by "
                f"others, got {len(place)}; encode more inputs"
            )
        held = (place < round(_HELD * len(place)))[numbers]
        heldout = mean[held], scale[held]
        mean, scale = mean[~held], scale[~held]
        groups = numbers[held] if groups is not None else None
    other = tuple(check_finite(one, "heldout").double() for one in heldout)
    if bool((scale != 0).any()) != bool((other[1] != 0).any()):
        raise ValueError("held-out scales must be positive where the others are, and 0 where not")
    if bool((scale != 0).any()) and not scale.min() > 0:
        raise ValueError(f"scale must be positive, or 0 for all, got min {float(scale.min()):.3g}")
    numbers = as_groups(groups, len(other[0]))
    _check_enough(len(mean), int(numbers.max()) + 1 if len(numbers) else 0)
    points = not bool((scale != 0).any())
    q = None if points else aggregate(prior.family, *other)
    z = other[0] if q is None else q.sample(stream("repair z", seed))[0]
    box = None
    train, means = Posteriors(mean, scale), other[0]
    if isinstance(prior, Uniform):
        box = Box(prior.low, prior.high)
        draws = mean
        if not points:
            fitted = aggregate(prior.family, mean, scale)
            draws = fitted.sample(stream("repair fit", seed), _DRAWS).flatten(0, 1)
        inside = _moved(prior, draws)
        train, z = Posteriors(inside, torch.zeros_like(inside)), _moved(prior, z)
        means = z
    _check_varied(train)
    return Given(train, z, means, numbers, q, len(mean), split, box)


def _check_enough(rows: int, independent: int) -> None:
    if min(rows, independent) < LEAST:
        raise ValueError(
            f"at least {LEAST} training inputs and {LEAST} independent held-out ones are needed, "
            f"got {rows:,} and {independent:,}; encode more inputs"
        )


def _moved(prior: Prior, z: Tensor) -> Tensor:
    with torch.no_grad():
        moved = prior.to_normal(z)
    assert moved is not None
    lost = int((~moved.isfinite().all(1)).sum())
    if lost:
        raise ValueError(
            f"latents must lie where the prior has mass, got {lost:,} of {len(z):,} outside: their "
            "KL is infinite"
        )
    return moved


def _check_varied(data: Posteriors) -> None:
    variance = data.mean.var(0, correction=0) + data.scale.square().mean(0)
    constant = torch.nonzero(variance <= 1e-20 * (1 + data.mean.square().mean(0)))[:, 0].tolist()
    if constant:
        few = ", ".join(map(str, constant[:5])) + (", …" if len(constant) > 5 else "")
        raise ValueError(
            f"no dimension may be constant, as its KL is infinite, got {few}; leave them out"
        )
