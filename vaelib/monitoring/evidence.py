"""What one call proves, and what all calls prove together.

One call plays evaluated z against candidates that were fitted to others. The weight of a candidate
at z_i is its posterior probability given z_1 … z_{i-1}, and the prior keeps a share c that earlier
z chose: both are known before z_i, so that what :mod:`vaelib.stats.stack.betting` proves holds.

E-values E_t of several calls are brought together in one of two ways.

* The inputs of every call are new ones: given the past each E_t has mean at most 1 under q = p, so
  that the product is a supermartingale. By Ville's inequality it ever reaches 1/α with probability
  at most α.
* The same inputs are evaluated again: the E_t depend on each other, and their product is no
  e-value. Their average is, with weights that were fixed beforehand: Σ_t w_t E_t, Σ_t w_t = 1, has
  mean at most 1 whatever the dependence. It never falls, so that by Markov's inequality it ever
  reaches 1/α with probability at most α. (An average over the calls so far with equal weights has
  no such property: it is an e-value at a call that was fixed beforehand, not at one that is
  picked.) The weights are w_t = f(t) - f(t + 1), f(t) = 1/(1 + log t).

In both, w_t E_t alone may be looked at at every call, and speaks of that call alone: over all calls
at which q is p it ever reaches 1/α with probability at most α, whatever q is at the others. So does
a lower end at the level α w_t.

References:
    Vovk and Wang (2021), E-values: calibration, combination and applications, Annals of Statistics
    49.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vaelib.stats.jackknife import Estimate, mean_of
from vaelib.stats.stack.betting import ENDS, log_capital

__all__ = ["Played", "Run", "log_weight", "play"]

_SHARES = (0.4, 0.2, 0.1, 0.05, 0.02)
_LOG_LEVEL = math.log(40)
_HALVINGS = 20


@dataclass(frozen=True)
class Played:
    """What the evaluated z of one call say.

    Attributes:
        gain: Mean gain over the prior and its standard error, in nats.
        log_e: Log of the e-value against q = p, in nats.
        gains: In the order of play, from the second block on, shape (m,), in nats.
        floors: What each cannot fall below, shape (m,).
    """

    gain: Estimate
    log_e: float
    gains: Tensor
    floors: Tensor

    def lower(self, alpha: float) -> float:
        """The proved lower end of KL(q‖p) at one level, in nats, at least 0."""
        target = math.log(1 / alpha)

        def proved(m: float) -> bool:
            return log_capital(self.gains, self.floors, m) >= target

        if not proved(0.0):
            return 0.0
        low, high = 0.0, float(self.gains.max())
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if proved(middle) else (low, middle)
        return low


def play(log_ratio: Tensor) -> Played:
    """Play z in the order in which they stand.

    Args:
        log_ratio: log r_k - log p, the prior (zeros) first, shape (n, K), n at least 20; the order
            must not depend on z.

    Returns:
        What they say.
    """
    count, candidates = log_ratio.shape
    before = torch.cat([torch.zeros(1, candidates, dtype=torch.float64), log_ratio[:-1]]).cumsum(0)
    stacked = (before.log_softmax(1) + log_ratio).logsumexp(1)
    shares = torch.tensor(_SHARES, dtype=torch.float64)
    gains = torch.logaddexp(shares.log(), (1 - shares).log() + stacked[:, None])
    chosen = torch.zeros(count, dtype=torch.int64)
    ends = [math.ceil(end * count) for end in ENDS]
    for start, end in zip(ends[:-1], ends[1:], strict=True):
        chosen[start:end] = _best_share(gains[:start], shares.log(), count - start)
    played = gains.gather(1, chosen[:, None])[:, 0]
    floors = shares.log()[chosen]
    trained = slice(ends[0], None)
    return Played(mean_of(gains[:, -1]), float(played.sum()), played[trained], floors[trained])


def _best_share(gains: Tensor, floors: Tensor, rounds: int) -> int:
    """Which share promises the highest lower end, as in :mod:`vaelib.stats.stack.betting`."""
    spread = gains.std(0) if len(gains) > 1 else torch.zeros_like(floors)
    risk = math.sqrt(2 * _LOG_LEVEL / rounds) * spread
    return int((gains.mean(0) - risk + floors * _LOG_LEVEL / (3 * rounds)).argmax())


def log_weight(call: int) -> float:
    """log w_t of a call t = 1, 2, …; the w_t sum to 1.

    Args:
        call: t.

    Returns:
        The log, at most 0: -.89 at the first call, -8.06 at the hundredth.

    Example:
        >>> round(sum(math.exp(log_weight(t)) for t in range(1, 1001)), 3)  # 1 - 1/(1 + log 1001)
        0.874
    """
    here, after = math.log(call), math.log(call + 1)
    return math.log(math.log1p(1 / call) / ((1 + here) * (1 + after)))


class Run:
    """Evidence against q = p at every call, from all calls so far.

    Args:
        fresh: Whether the inputs of every call are new ones.
        log_e: Of an earlier run.
        peak: Of an earlier run.
    """

    def __init__(self, fresh: bool, log_e: float | None = None, peak: float = 0.0) -> None:
        self.fresh = fresh
        self.log_e = log_e if log_e is not None else (0.0 if fresh else -math.inf)
        self.peak = peak

    def add(self, log_e: float, call: int) -> None:
        """Take in the e-value of a call.

        Args:
            log_e: Its log, in nats.
            call: Its number, from 1.
        """
        if self.fresh:
            self.log_e += log_e
        else:
            term = log_weight(call) + log_e
            high = max(self.log_e, term)
            if high > -math.inf:
                terms = math.exp(self.log_e - high) + math.exp(term - high)
                self.log_e = high + math.log(terms)
        self.peak = max(self.peak, self.log_e)

    @property
    def p_value(self) -> float:
        """min(1, 1/max_t E_t), which may be looked at after every call."""
        return math.exp(-min(self.peak, 700.0))
