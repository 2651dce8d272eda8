"""The marginal KL that N inputs show whatever the encoder does: its floor, its null, the excess.

The mutual information of N inputs cannot exceed log N, so ``marginal_kl >= rate - log N`` for any
encoder. The excess subtracts what the same mixture would show if its population were the prior.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.stats.checks import check_least
from vaelib.stats.divergences import Decomposition, decompose
from vaelib.stats.jackknife import mean_of
from vaelib.stats.nulls import p_value

__all__ = ["Null", "draw_null", "is_saturated", "marginal_kl_floor", "marginal_kl_null"]


def marginal_kl_floor(rate: float, components: int) -> float:
    """The least marginal KL that N components of this rate can have, max(0, rate - log N), nats."""
    return max(0.0, _finite(rate) - math.log(check_least(components, "components", 1)))


def is_saturated(rate: float, components: int) -> bool:
    """Whether rate > log N - 1: the floor decides the KL, and N inputs cannot tell the match."""
    return _finite(rate) > math.log(check_least(components, "components", 1)) - 1


def _finite(rate: float) -> float:
    if not math.isfinite(rate):
        raise ValueError(f"rate must be finite, got {rate}")
    return rate


@dataclass(frozen=True)
class Null:
    """What the marginal KL would be if the population matched the prior.

    Attributes:
        values: marginal KL of each null draw, shape (B,), in nats.
        exact: whether every scale is at most 1; otherwise the null is an approximation.
    """

    values: Tensor
    exact: bool

    @property
    def mean(self) -> float:
        """Mean over the draws, in nats."""
        return float(self.values.mean())

    @property
    def standard_error(self) -> float:
        """Monte Carlo standard error of the mean, in nats."""
        return mean_of(self.values).standard_error

    def excess(self, observed: Decomposition) -> tuple[float, float]:
        """Observed marginal KL minus the null mean, and its standard error, in nats."""
        error = math.hypot(self.standard_error, observed.standard_error)
        return observed.marginal_kl - self.mean, error

    def p_value(self, observed: Decomposition) -> float:
        """(1 + #{null >= observed}) / (1 + B), never 0.

        Args:
            observed: the mixture's own decomposition, of as many z as the null draws: only then is
                the p-value that of an exchangeable draw.

        Returns:
            A number in (0, 1].
        """
        return p_value(observed.marginal_kl, self.values)


def draw_null(posterior: AggregatePosterior, generator: torch.Generator) -> AggregatePosterior:
    """One mixture with the same scales whose population is N(0, I).

    Means are redrawn as N(0, 1 - scale_n^2), clipped at 0: given its scale each component then
    has marginal exactly N(0, I), as long as no scale exceeds 1.

    Args:
        posterior: the aggregate posterior whose N, D and scales are kept.
        generator: random stream.

    Returns:
        A mixture of the same N, D and scales.
    """
    spread = (1 - posterior.scale.square()).clamp_min(0).sqrt()
    noise = torch.randn(spread.shape, generator=generator, dtype=torch.float64)
    return AggregatePosterior(spread * noise.to(spread.device), posterior.scale)


def marginal_kl_null(
    posterior: AggregatePosterior,
    generator: torch.Generator,
    draws: int = 99,
    points: int | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Null:
    """Simulate the finite-N null of the marginal KL against the standard normal prior.

    Each draw is evaluated exactly as the observed mixture is, one z per component, so the p-value
    is that of an exchangeable draw.

    Args:
        posterior: the aggregate posterior whose N, D and scales are kept.
        generator: random stream.
        draws: B.
        points: components that each draw is evaluated at, as in
            :func:`vaelib.stats.divergences.decompose`.
        tick: called after each draw.

    Returns:
        The null draws.

    Raises:
        ValueError: for fewer than 2 draws.
    """
    check_least(draws, "draws", 2)
    prior = Normal(posterior.latent_dim)
    values = []
    for _ in range(draws):
        matched = draw_null(posterior, generator)
        values.append(decompose(matched, prior, generator, points=points).marginal_kl)
        tick()
    return Null(torch.tensor(values, dtype=torch.float64), bool((posterior.scale <= 1).all()))
