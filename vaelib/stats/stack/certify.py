"""The certified mismatch: candidates fitted to some inputs, their stack played on z of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vaelib.arguments.tensors import as_tensor
from vaelib.priors import Prior
from vaelib.stats.checks import as_points, check_generator, check_level, check_prior
from vaelib.stats.jackknife import Estimate
from vaelib.stats.stack.betting import (
    PredictableGains,
    e_process,
    gains_in_order,
    lower_end,
    predictable_gains,
)
from vaelib.stats.stack.candidates import (
    Candidate,
    GaussianCandidate,
    Posteriors,
    check_posteriors,
    fitted_gaussian,
)
from vaelib.stats.stack.fitted import fit_candidates, log_ratios
from vaelib.stats.stack.groups import as_groups
from vaelib.stats.stack.near import copy_distance, nearest_row, recited, unrecited
from vaelib.stats.stack.weights import cross_fitted_gains, gain_estimate, stack_weights, with_prior

__all__ = ["LEAST", "Certified", "Stack", "certify", "certify_in_sequence"]

LEAST = 20
"""Independent z below which nothing is said."""

_FOLDS = 5
_FITS = (0.3, 0.6, 0.8)  # shares of the inputs that the candidates of a sequence are fitted to
_SHARE = 0.02  # what the prior keeps in the density that is sampled from


class Stack:
    """Σ_k w_k r_k, a density that can be evaluated and sampled.

    Args:
        candidates: by name, the prior first.
        weights: shape (K,), of sum 1.
    """

    def __init__(self, candidates: dict[str, Candidate], weights: Tensor) -> None:
        self._candidates = list(candidates.values())
        self._weights = weights
        self.weights = dict(zip(candidates, weights.tolist(), strict=True))

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""
        logs = torch.stack([candidate.log_prob(z) for candidate in self._candidates], 1)
        return (logs + self._weights.log()).logsumexp(1)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D)."""
        k = torch.multinomial(self._weights, n, replacement=True, generator=generator)
        counts = torch.bincount(k, minlength=len(self._candidates)).tolist()
        parts = [c.sample(m, generator) for c, m in zip(self._candidates, counts, strict=True) if m]
        return torch.cat(parts)[torch.randperm(n, generator=generator)]


@dataclass(frozen=True)
class Certified:
    """What z of inputs that the candidates had not seen say of KL(q‖p).

    Attributes:
        gain: mean of log r(z) - log p(z) of the stack r and its standard error, in nats: in
            expectation KL(q‖p) - KL(q‖r).
        lower: proved lower end of KL(q‖p), in nats; at least 0, which every KL is.
        log_e: log of the e-value against q = p, in nats.
        p_value: of the same.
        shape: the gain over the best Gaussian, the full one among them whether or not it is a
            candidate: what lies beyond mean and covariance.
        stack: the density with weights from all z, the prior's share at least .02.
        rounds: how many z, or groups of them, were played.
        gains: of every z that the mean gain is of, shape (n,).
        recited: share of the z that lie as near to fitted ones as copies do, and win nothing.
    """

    gain: Estimate
    lower: float
    log_e: float
    p_value: float
    shape: Estimate
    stack: Stack
    rounds: int
    gains: Tensor
    recited: float = 0.0


def certify(
    fitted: Posteriors,
    z: Tensor,
    generator: torch.Generator,
    *,
    prior: Prior | None = None,
    alpha: float = 0.025,
    groups: Tensor | None = None,
    means: Tensor | None = None,
) -> Certified:
    """Bound KL(q‖p) from below with held-out z.

    The lower end exceeds KL(q‖p) with probability at most alpha: a theorem, see
    :mod:`vaelib.stats.stack.betting`, where the z, or their groups, are independent draws of q and
    the inputs of ``fitted`` are others, whatever they are. A z of an input that lies as near to one
    of ``fitted`` as a copy does wins nothing, see :mod:`vaelib.stats.stack.near`.

    Args:
        fitted: posteriors or points of the training inputs.
        z: one for each held-out input, shape (n, D), float64.
        generator: random stream of fits and order, unrelated to the z.
        prior: p; None for N(0, I).
        alpha: one-sided level.
        groups: labels of shape (n,) of z that are not independent.
        means: posterior means of the held-out inputs, shape (n, D), which copies share exactly; the
            z themselves where there are none.

    Returns:
        The bound and what it rests on.

    Raises:
        ValueError: for fewer than 20 independent z, an alpha outside (0, 1), z of another
            dimension, or input that no candidate can be fitted to.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> draw = lambda n: 1.5 * torch.randn(n, 2, generator=g, dtype=torch.float64)
        >>> x = draw(1000)
        >>> found = certify(Posteriors(x, torch.zeros_like(x)), draw(1000), g)
        >>> 0.25 < found.lower < 0.44  # of 1.25 - 2 log 1.5
        True
    """
    check_posteriors(fitted, "fitted")
    z, numbers = _checked(z, groups, alpha, generator, prior)
    if z.shape[1] != fitted.mean.shape[1]:
        raise ValueError(
            f"held-out z must have the {fitted.mean.shape[1]} dimensions of the training latents, "
            f"got {z.shape[1]}"
        )
    means = z if means is None else as_tensor(means, "means")
    if means.shape != z.shape:
        raise ValueError(
            f"means must have the shape {tuple(z.shape)} of z, got {tuple(means.shape)}"
        )
    candidates = fit_candidates(fitted, generator, prior=prior)
    ratio, gaussian = log_ratios(candidates, z), _gaussian_ratios(candidates, fitted, z)
    nearest = nearest_row(means, fitted.mean) if means.shape[1] > 1 else None
    ratio = unrecited(ratio, means, fitted.mean, copy_distance(fitted.mean), nearest)
    same_order = torch.Generator()
    same_order.set_state(generator.get_state())
    played = [predictable_gains(ratio, generator, groups=numbers)]
    near = recited(means, fitted.mean, numbers, nearest)
    if bool((ratio[near] > 0).any()):
        ratio = torch.where(near[:, None], ratio.clamp_max(0), ratio)
        played.append(predictable_gains(ratio, same_order, groups=numbers))
    share = float(near.double().mean())
    return _certified(candidates, ratio, gaussian, numbers, played, generator, alpha, share)


def certify_in_sequence(
    data: Posteriors,
    z: Tensor,
    generator: torch.Generator,
    *,
    prior: Prior | None = None,
    alpha: float = 0.025,
    groups: Tensor | None = None,
) -> Certified:
    """Bound KL(q‖p) from below where there are no inputs but these.

    The inputs are put in random order; candidates are fitted to the first 30 % and played on the
    next, fitted again to 60 % and 80 %. One martingale runs through all that follow the first
    fit, so that the lower end is as proved as with held-out z, of the law of these z. (Folds that
    are evaluated crosswise depend on one another: their capitals may be averaged only, and each has
    a fifth of the rounds.) The gain is of five such folds, each with candidates from the others.

    Args:
        data: posteriors, or points.
        z: one draw of each, shape (n, D), float64.
        generator: random stream of fits and order, unrelated to the z.
        prior: p; None for N(0, I).
        alpha: one-sided level.
        groups: labels of shape (n,) of inputs that are not independent.

    Returns:
        The bound and what it rests on.

    Raises:
        ValueError: as :func:`certify`.
    """
    check_posteriors(data)
    z, numbers = _checked(z, groups, alpha, generator, prior)
    if z.shape != data.mean.shape:
        raise ValueError(
            f"z must have the shape {tuple(data.mean.shape)} of data, got {tuple(z.shape)}"
        )
    count = int(numbers.max()) + 1
    place = torch.randperm(count, generator=generator)[numbers]
    starts = [math.ceil(share * count) for share in _FITS]
    distance = copy_distance(data.mean[place < starts[0]])
    rows, columns = [], []
    for start, end in zip(starts, [*starts[1:], count], strict=True):
        candidates = fit_candidates(data.part(place < start), generator, prior=prior)
        block = (place >= start) & (place < end)
        rows.append(torch.nonzero(block)[:, 0])
        ratio = log_ratios(candidates, z[block])
        ratio = unrecited(ratio, data.mean[block], data.mean[place < start], distance)
        columns.append(dict(zip(candidates, ratio.T, strict=True)))
    names = list(columns[0])
    ratio = torch.cat([_aligned(part, names) for part in columns])
    after = torch.cat(rows)
    rounds = count - starts[0]
    ends = (0.05, *((start - starts[0]) / rounds for start in starts[1:]), 1.0)
    played = gains_in_order(ratio, place[after] - starts[0], ends)
    fold = place % _FOLDS
    crosswise: dict[str, Tensor] = {}
    gaussian = torch.zeros(len(z), 3, dtype=torch.float64)
    for k in range(_FOLDS):
        own = fold == k
        others = data.part(~own)
        candidates = fit_candidates(others, generator, prior=prior)
        found = unrecited(log_ratios(candidates, z[own]), data.mean[own], others.mean, distance)
        for name, values in zip(candidates, found.T, strict=True):
            crosswise.setdefault(name, torch.zeros(len(z), dtype=torch.float64))[own] = values
        some = _gaussian_ratios(candidates, others, z[own])
        gaussian[own, : some.shape[1]] = some
    return _certified(
        fit_candidates(data, generator, prior=prior),
        _aligned(crosswise, list(crosswise)),
        gaussian,
        numbers,
        [played],
        generator,
        alpha,
    )


def _aligned(columns: dict[str, Tensor], names: list[str]) -> Tensor:
    """Log ratios of the named candidates, shape (n, K); one that was not fitted is the prior."""
    none = torch.zeros_like(next(iter(columns.values())))
    return torch.stack([columns.get(name, none) for name in names], 1)


def _gaussian_ratios(candidates: dict[str, Candidate], data: Posteriors, z: Tensor) -> Tensor:
    """log g - log p of every Gaussian among the candidates, and of the full one, shape (n, G)."""
    kept = [one for one in candidates.values() if type(one) is GaussianCandidate]
    before = next(iter(candidates.values())).log_prob(z)
    return torch.stack([g.log_prob(z) - before for g in (fitted_gaussian(data), *kept)], 1)


def _checked(
    z: Tensor,
    groups: Tensor | None,
    alpha: float,
    generator: torch.Generator,
    prior: Prior | None,
) -> tuple[Tensor, Tensor]:
    check_level(alpha)
    check_generator(generator)
    as_points(z, rows=1)  # finite
    z = as_tensor(z, "z")
    if z.dim() != 2:
        raise ValueError(f"z must have shape (n, D), got {tuple(z.shape)}")
    if prior is not None:
        check_prior(prior, z.shape[1], "latents")
    numbers = as_groups(groups, len(z))
    count = int(numbers.max()) + 1 if len(z) else 0
    if count < LEAST:
        what = "z" if groups is None else "groups of z"
        raise ValueError(
            f"at least {LEAST} independent {what} are needed to bound the KL, got {count}; encode "
            "more inputs"
        )
    return z, numbers


def _certified(
    candidates: dict[str, Candidate],
    ratio: Tensor,
    gaussian: Tensor,
    groups: Tensor,
    played: Sequence[PredictableGains],
    generator: torch.Generator,
    alpha: float,
    share: float = 0.0,
) -> Certified:
    """Of several ways to play the one that proves least counts."""
    gains = cross_fitted_gains(ratio, generator, groups=groups)
    best = gaussian[:, gaussian.mean(0).argmax()]
    weights = with_prior(stack_weights(ratio, groups), _SHARE)
    log_e, p_values = zip(*(e_process(one.log_factors) for one in played), strict=True)
    return Certified(
        gain=gain_estimate(gains, groups),
        lower=max(0.0, min(lower_end(*one.bets(), alpha) for one in played)),
        log_e=min(log_e),
        p_value=max(p_values),
        shape=gain_estimate(gains - best, groups),
        stack=Stack(candidates, weights),
        rounds=int(groups.max()) + 1,
        gains=gains,
        recited=share,
    )
