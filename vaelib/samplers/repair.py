"""A sampler fitted to latents and chosen on others: what it wins, and what is left."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vaelib.code_hash import code_hash
from vaelib.priors import Prior
from vaelib.samplers.candidates import gauge_of, repair_candidates, standard_normal
from vaelib.samplers.given import Given, Pair, given_of
from vaelib.samplers.kinds import is_mixture
from vaelib.samplers.sampler import About, Interval, Sampler
from vaelib.samplers.words import lines
from vaelib.seeding import stream
from vaelib.stats.stack.candidates import Candidate
from vaelib.stats.stack.fitted import log_ratios
from vaelib.stats.stack.groups import group_mean
from vaelib.stats.stack.near import copy_distance, nearest_row, recited, unrecited
from vaelib.stats.stack.upper import upper_end
from vaelib.stats.stack.weights import cross_fitted_gains, stack_weights, with_prior

__all__ = ["Left", "Repaired", "repair"]

_SHARE = 0.02  # what the prior keeps
_LEAST = 1e-3  # weight below which a candidate is left out
_SURE = 0.01  # chance of taking what wins nothing
_POINTS = 2000  # inputs at whose z the upper end is taken
_NUMBERS = 1 << 21  # of those z


@dataclass(frozen=True)
class Left:
    """What KL(q‖r) may still be.

    Attributes:
        most: upper end of KL(q‖p) less the lower end of what is won, in nats, at least 0.
        saturated: whether that upper end lies on its floor, and says next to nothing.
    """

    most: float
    saturated: bool


@dataclass(frozen=True)
class Repaired:
    """A sampler, and what was found on the way.

    Attributes:
        sampler: to write.
        stack: what the stack of all candidates wins over the prior on held-out z, in nats, with
            both ends of its 95 % interval, whether or not it was taken.
        taken: whether it was: where it is not sure to win, the sampler is the prior.
        left: what may be left; None where the held-out inputs have no density.
        split: whether the held-out inputs are a random fifth of what was given.
        recited: share of held-out z that lie as near to training inputs as copies do.
        prior: what it is called in a sentence.
        bare: whether z alone were given.
        left_out: which inputs gave no numbers, in a sentence; empty where all did.
    """

    sampler: Sampler
    stack: Interval
    taken: bool
    left: Left | None
    split: bool
    recited: float
    prior: str = "N(0, I)"
    bare: bool = False
    left_out: str = ""

    def __str__(self) -> str:
        return "\n".join(lines(self))

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Latents to decode, as of :meth:`vaelib.samplers.sampler.Sampler.sample`."""
        return self.sampler.sample(n, generator)

    def log_prob(self, z: Tensor) -> Tensor:
        """Their log density, as of :meth:`vaelib.samplers.sampler.Sampler.log_prob`."""
        return self.sampler.log_prob(z)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the sampler, as :meth:`vaelib.samplers.sampler.Sampler.save` does."""
        return self.sampler.save(path)


def repair(
    mean: Tensor,
    scale: Tensor,
    heldout: Pair | None,
    prior: Prior,
    *,
    groups: Tensor | None = None,
    plain: bool = False,
    seed: int = 0,
) -> Repaired:
    """Fit densities to latents, weight them by held-out z, and keep the prior unless they win.

    The gain is that of weights from the other four fifths of the held-out z, five times. The stack
    is taken where a one-sided t test at .01 says that it wins anything; the prior keeps a share
    of .02 in it. Candidates that are tables of kernel densities, which take a longer reader, play
    only where the stack wins more with them, by the same test.

    Args:
        mean: of the training inputs, shape (N, D); with scales of 0 points, or bare z.
        scale: their standard deviations, shape (N, D).
        heldout: mean and scale of others; a random fifth of the inputs where None.
        prior: N(0, I), or uniform.
        groups: labels of the held-out inputs, or of all, that are not independent.
        plain: whether there are no such tables, whatever they would win.
        seed: of all that is random.

    Returns:
        The sampler, and what it wins.

    Raises:
        ValueError: for too few inputs, values that are not finite, a dimension that is constant,
            or latents where a uniform prior has no mass.
    """
    given = given_of(mean, scale, heldout, prior, groups, seed)
    candidates = repair_candidates(given.train, stream("repair", seed))
    ratio, near = _ratios(candidates, given)
    simple = [k for k, one in enumerate(candidates.values()) if is_mixture(one)]
    gains = _played(ratio[:, simple], given, seed)
    if not plain and len(simple) < len(candidates):
        more = _played(ratio, given, seed)
        if _interval(more - gains, given.groups)[1] > 0:
            gains, simple = more, list(range(len(candidates)))
    candidates = {name: candidates[name] for name in [list(candidates)[k] for k in simple]}
    ratio = ratio[:, simple]
    won, sure = _interval(gains, given.groups)
    names = list(candidates)
    means = [group_mean(column, given.groups).mean() for column in ratio.T]
    each = {n: float(m) for n, m in zip(names, means, strict=True) if math.isfinite(m)}
    fixed, _ = _interval(ratio[:, names.index("gauge")], given.groups)
    taken = sure > 0
    if taken:
        weights = with_prior(stack_weights(ratio, given.groups), _SHARE)
        weights = torch.where(weights < _LEAST, 0, weights)
        kept = {name: c for (name, c), w in zip(candidates.items(), weights, strict=True) if w > 0}
        weights = weights[weights > 0] / weights.sum()
    else:
        kept = {"prior": standard_normal(given.z.shape[1])}
        weights = torch.ones(1, dtype=torch.float64)
    about = About(
        given.rows,
        len(given.z),
        won if taken else (0.0, 0.0, 0.0),
        None if given.box else fixed,
        {name: each[name] for name in kept if name in each},
        code_hash(__name__)[:16],
    )
    sampler = Sampler(
        kept,
        weights,
        given.z.shape[1],
        box=given.box,
        gauge=None if given.box else gauge_of(given.train),
        about=about,
    )
    left = _left(given, prior, about.gain, seed)
    return Repaired(sampler, won, taken, left, given.split, near)


def _played(ratio: Tensor, given: Given, seed: int) -> Tensor:
    """Gains of the stack at each z, in the same folds whatever the candidates."""
    generator = stream("repair folds", seed)
    return cross_fitted_gains(ratio, generator, groups=given.groups, share=_SHARE)


def _ratios(candidates: dict[str, Candidate], given: Given) -> tuple[Tensor, float]:
    """log r_k - log p at held-out z, no more than 0 at copies of training inputs; their share."""
    ratio = log_ratios(candidates, given.z)
    train, means = given.train.mean, given.means
    if means.shape[1] == 1:
        nearest = None
    else:
        nearest = nearest_row(means, train)
    ratio = unrecited(ratio, means, train, copy_distance(train), nearest)
    near = recited(means, train, given.groups, nearest)
    return ratio, float(near.double().mean())


def _interval(gains: Tensor, groups: Tensor) -> tuple[Interval, float]:
    """Mean gain with its 95 % t interval over groups, and the end that is exceeded at .99."""
    from scipy import stats

    means = group_mean(gains, groups)
    value, error = float(means.mean()), float(means.std() / math.sqrt(len(means)))
    wide = float(stats.t.isf(0.025, len(means) - 1)) * error
    sure = value - float(stats.t.isf(_SURE, len(means) - 1)) * error
    if not math.isfinite(value):
        return (-_HUGE, -_HUGE, -_HUGE), -_HUGE
    return (value, value - wide, value + wide), sure


_HUGE = 1e4  # nats that are lost where a candidate has no mass


def _left(given: Given, prior: Prior, gain: Interval | None, seed: int) -> Left | None:
    """The upper end less the lower end of the gain, where the held-out inputs have a density."""
    q = given.heldout
    if q is None or gain is None:
        return None
    generator = stream("repair upper end", seed)
    order = torch.randperm(len(given.groups), generator=generator)
    first = np.unique(given.groups[order].numpy(), return_index=True)[1]
    if len(first) < len(order):
        q = q.part(order[first])  # a random input of each group
    most = max(100, min(_POINTS, _NUMBERS // q.latent_dim))
    points = torch.randperm(q.components, generator=generator)[:most]
    end = upper_end(q, prior, generator, points=points)
    return Left(max(0.0, end.value - max(0.0, gain[1])), end.saturated)
