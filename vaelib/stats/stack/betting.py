"""A proved lower end of a mean of gains, and the e-process against an exact match.

Held-out z come in random order and in blocks; the stack of a block is fitted to earlier blocks
alone. So, given the past, E g_i = KL(q‖p) - KL(q‖r_i) <= KL(q‖p), and E exp(g_i) = 1 under q = p.

Theorem. Let g_i >= log c_i with c_i known before z_i, and E[g_i | past] <= K. For every m >= K and
every θ in [0, 1) the capital Π (1 + λ_i (g_i - m)), λ_i = θ / (m - log c_i), is not negative and a
supermartingale of first value 1, and so is a mixture of such over θ. By Ville's inequality it ever
reaches 1/α with probability at most α. A factor is 1 - θ + θ (g_i - log c_i)/(m - log c_i), which
falls with m: the capital passes 1/α at one m, and that m exceeds K with probability at most α, at
every n and at whatever moment one stops.

It assumes that the z (or their groups) are independent draws of q and that nothing of r_i was
fitted to z_i. It assumes no moments, no shape and no number of z.

References:
    Waudby-Smith and Ramdas (2024), Estimating means of bounded random variables by betting,
    Journal of the Royal Statistical Society B 86.
    Ville (1939), Étude critique de la notion de collectif.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vaelib.arguments.plain import shown
from vaelib.arguments.tensors import as_number, as_tensor
from vaelib.stats.checks import check_generator, check_level
from vaelib.stats.stack.groups import as_groups, as_numbers, group_log_mean_exp, group_mean
from vaelib.stats.stack.weights import stack_weights, stacked_gains, with_prior

__all__ = [
    "ENDS",
    "PredictableGains",
    "e_process",
    "gains_in_order",
    "log_capital",
    "lower_end",
    "mean_lower_end",
    "predictable_gains",
]

ENDS = (0.05, 0.15, 0.35, 0.6, 1.0)
"""Where the blocks of held-out z end, as shares of them."""

_SHARES = (0.4, 0.2, 0.1, 0.05, 0.02)
_LOG_LEVEL = math.log(40)
_STAKES = tuple(2.0 ** -(0.1 + 0.3 * k) for k in range(24))


@dataclass(frozen=True)
class PredictableGains:
    """What the stacks of the past gain on the present, in the order of play.

    Attributes:
        gains: mean gain of each group, shape (G,), in nats.
        floors: log c of its block: what no gain falls below, shape (G,).
        log_factors: log of the mean ratio of each group, shape (G,): the gain where a group is one
            z.
        untrained: how many rounds the first block has.
    """

    gains: Tensor
    floors: Tensor
    log_factors: Tensor
    untrained: int

    def bets(self) -> tuple[Tensor, Tensor]:
        """Gains and floors from the second block on: on the first, of equal weights, none is put.

        Returns:
            Both of shape (G - untrained,), as ``lower_end`` takes them.
        """
        return self.gains[self.untrained :], self.floors[self.untrained :]


def predictable_gains(
    log_ratio: Tensor, generator: torch.Generator, *, groups: Tensor | None = None
) -> PredictableGains:
    """Play the held-out z in random order, each block with weights from those before it.

    The first block has equal weights. The prior's share of a block is the one of .02 to .4 that
    would have served the past best: mean gain less what its spread and its floor cost.

    Args:
        log_ratio: log r_k - log p at held-out z, the prior (zeros) first, shape (n, K).
        generator: Random stream of the order, unrelated to the z.
        groups: Labels of shape (n,); a group is one round.

    Returns:
        The rounds.
    """
    log_ratio = as_tensor(log_ratio, "log_ratio", "nK").double()
    check_generator(generator)
    numbers = as_groups(groups, len(log_ratio))
    place = torch.randperm(int(numbers.max()) + 1, generator=generator)[numbers]
    return gains_in_order(log_ratio, place)


def gains_in_order(
    log_ratio: Tensor, place: Tensor, ends: Sequence[float] = ENDS
) -> PredictableGains:
    """Play z in an order that was drawn before; see :func:`predictable_gains`.

    Args:
        log_ratio: log r_k - log p, the prior (zeros) first, shape (n, K); the candidates of a row
            may be fitted to rows of earlier rounds.
        place: Round of each row, 0 … G - 1, shape (n,).
        ends: Where the blocks end, as shares of the rounds.

    Returns:
        The rounds.
    """
    log_ratio = as_tensor(log_ratio, "log_ratio", "nK").double()
    place = as_numbers(place, len(log_ratio), "place")
    _check_ends(ends)
    count = int(place.max()) + 1
    order = torch.argsort(place, stable=True)
    log_ratio, place = log_ratio[order], place[order]
    gains = torch.empty(len(log_ratio), dtype=torch.float64)
    floors = torch.empty(count, dtype=torch.float64)
    start = 0
    for end in (math.ceil(e * count) for e in ends):
        if end <= start:
            continue
        past, block = place < start, (place >= start) & (place < end)
        weights = torch.full_like(log_ratio[0], 1 / log_ratio.shape[1])
        share = _SHARES[0]
        if start:
            weights = stack_weights(log_ratio[past], place[past])
            share = _best_share(log_ratio[past], place[past], weights, count - start)
        gains[block] = stacked_gains(log_ratio[block], with_prior(weights, share))
        floors[start:end] = math.log(share)
        start = end
    means = group_mean(gains, place).maximum(floors)
    untrained = math.ceil(ends[0] * count)
    return PredictableGains(means, floors, group_log_mean_exp(gains, place), untrained)


def _check_ends(ends: Sequence[float]) -> None:
    if not isinstance(ends, Sequence):
        raise TypeError(f"ends must be a sequence of numbers, got {type(ends).__name__}")
    shares = [0.0, *(as_number(end, "an end") for end in ends)]
    if len(shares) == 1 or shares != sorted(shares) or not shares[1] > 0 or shares[-1] != 1:
        raise ValueError("ends must be shares that rise from above 0 to 1, got others")


def _best_share(log_ratio: Tensor, groups: Tensor, weights: Tensor, rounds: int) -> float:
    """The share whose gains promise the highest lower end over the rounds to come."""

    def promise(share: float) -> float:
        means = group_mean(stacked_gains(log_ratio, with_prior(weights, share)), groups)
        spread = float(means.std()) if len(means) > 1 else 0.0
        range_cost = math.log(share) * _LOG_LEVEL / (3 * rounds)  # as in Bernstein's inequality
        return float(means.mean()) - math.sqrt(2 * _LOG_LEVEL / rounds) * spread + range_cost

    best: float = max(_SHARES, key=promise)
    return best


def lower_end(gains: Tensor, floors: Tensor, alpha: float = 0.025) -> float:
    """The largest m at which the capital ever exceeds 1/α; see the theorem of this module.

    Args:
        gains: Shape (n,), in the order of play.
        floors: log c of each, known before it, shape (n,).
        alpha: The chance, at most, that the end lies above the mean.

    Returns:
        The lower end, in nats; no less than the largest floor.

    Raises:
        ValueError: For an alpha outside (0, 1), no gains, or one below its floor.

    Example:
        >>> round(lower_end(torch.ones(100), torch.zeros(100)), 3)
        0.934
    """
    check_level(alpha)
    gains, floors = _played(gains, floors)
    above = gains.double() - floors
    if bool((above < 0).any()) or not bool(above.isfinite().all()):
        raise ValueError(f"gains must be finite and not below their floors, got {above.min():.3g}")
    return _bisect(lambda m: _log_capital(above, floors, m), floors, above, math.log(1 / alpha))


def _played(gains: Tensor, floors: Tensor) -> tuple[Tensor, Tensor]:
    gains, floors = as_tensor(gains, "gains"), as_tensor(floors, "floors")
    if gains.dim() != 1 or len(gains) == 0 or gains.shape != floors.shape:
        shapes = f"{tuple(gains.shape)} and {tuple(floors.shape)}"
        raise ValueError(f"gains and floors must have one shape (n,) with n >= 1, got {shapes}")
    return gains, floors


def log_capital(gains: Tensor, floors: Tensor, mean: float) -> float:
    """Log of the largest capital against "the mean is at most this", over all moments.

    It is at least log 1/α exactly where :func:`lower_end` at α is at least this mean.

    Args:
        gains: Shape (n,), in the order of play.
        floors: log c of each, shape (n,).
        mean: Above every floor.

    Returns:
        Log of an e-value that may be looked at at any moment.

    Raises:
        ValueError: For no gains, or a mean that is not above every floor.
    """
    gains, floors = _played(gains, floors)
    if not as_number(mean, "mean") > float(floors.max()):
        raise ValueError(f"mean must be above every floor, got {shown(mean)}")
    return _log_capital(gains.double() - floors, floors, as_number(mean, "mean"))


def mean_lower_end(plays: list[tuple[Tensor, Tensor]], alpha: float = 0.025) -> float:
    """The largest m at which the mean of several last capitals exceeds 1/α.

    Folds that are evaluated crosswise depend on each other: their mean is an e-value (each has mean
    at most 1), their product is none, and there is no common moment to stop at.

    Args:
        plays: Gains and floors of each fold.
        alpha: The chance, at most, that the end lies above the mean.

    Returns:
        The lower end, in nats.

    Raises:
        TypeError: For what are no pairs.
        ValueError: For an alpha outside (0, 1), or gains and floors that do not belong together.
    """
    check_level(alpha)
    if not isinstance(plays, list | tuple) or not plays:
        raise TypeError("plays must be a list of pairs of gains and floors, got something else")
    if any(not isinstance(pair, list | tuple) or len(pair) != 2 for pair in plays):
        raise TypeError("plays must hold pairs of gains and floors, got something else")
    plays = [_played(*pair) for pair in plays]
    parts = [(g.double() - f, f) for g, f in plays]

    def log_capital(m: float) -> float:
        ends = [_log_capital(above, floors, m, at_end=True) for above, floors in parts]
        return float(torch.tensor(ends, dtype=torch.float64).logsumexp(0)) - math.log(len(parts))

    above, floors = (torch.cat(column) for column in zip(*parts, strict=True))
    return _bisect(log_capital, floors, above, math.log(1 / alpha))


def _bisect(
    log_capital: Callable[[float], float], floors: Tensor, above: Tensor, target: float
) -> float:
    low = float(floors.max())
    high = max(float((above + floors).max()), low) + 1e-9
    if log_capital(low + 1e-9) < target:
        return low
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if log_capital(middle) >= target else (low, middle)
    return low


def _log_capital(above: Tensor, floors: Tensor, m: float, *, at_end: bool = False) -> float:
    """Log of the mixture's capital at m: its maximum over time, or its last value."""
    stakes = torch.tensor(_STAKES, dtype=torch.float64)[:, None]
    relative = above / (m - floors)
    logs = (stakes * (relative - 1)).log1p().cumsum(1)
    capital = logs.logsumexp(0) - math.log(len(stakes))
    return float(capital[-1] if at_end else capital.max())


def e_process(log_factors: Tensor) -> tuple[float, float]:
    """Evidence against an exact match.

    Under q = p the product of the factors is a martingale of first value 1, so that its maximum
    over time exceeds 1/α with probability at most α.

    Args:
        log_factors: Shape (n,), in the order of play, in nats.

    Returns:
        Log of the e-value after the last, in nats, and p = min(1, 1 / max_t E_t).

    Raises:
        ValueError: For no factors, or NaN.

    Example:
        >>> e_process(torch.tensor([1.0, 2.0, -1.0]))[0]
        2.0
    """
    log_factors = as_tensor(log_factors, "log_factors", "n")
    if bool(log_factors.isnan().any()):
        raise ValueError("log_factors must be numbers, got NaN")
    path = log_factors.double().cumsum(0)
    return float(path[-1]), min(1.0, math.exp(-float(path.max().clamp(0, 700))))
