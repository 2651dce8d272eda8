"""The marginal KL that N inputs show whatever the encoder does: its floor, its null, the excess.

The mutual information of N inputs cannot exceed log N, so ``marginal_kl >= rate - log N`` for any
encoder. The excess given scale subtracts what the same mixture would show if its means had been
drawn so that, given its scale, each component's population is the prior. That null assumes that
the scale does not depend on the place, which :func:`scale_by_place` measures, and exists only where
no scale of an active dimension exceeds 1: a diagnostic, which decides nothing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vaelib.arguments.plain import as_count, check_callable, shown
from vaelib.arguments.tensors import as_number
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.stats.checks import check_generator, check_posterior
from vaelib.stats.divergences import Decomposition, decompose
from vaelib.stats.jackknife import Estimate, mean_of
from vaelib.stats.moments import active
from vaelib.stats.nulls import p_value

__all__ = [
    "Null",
    "draw_null",
    "is_saturated",
    "marginal_kl_floor",
    "marginal_kl_null",
    "scale_by_place",
]


def marginal_kl_floor(rate: float, components: int) -> float:
    """The least marginal KL that N components of this rate can have, max(0, rate - log N), nats."""
    return max(0.0, _finite(rate) - math.log(as_count(components, "components", 1)))


def is_saturated(rate: float, components: int) -> bool:
    """Whether rate > log N - 1: the floor decides the KL, and N inputs cannot tell the match."""
    return _finite(rate) > math.log(as_count(components, "components", 1)) - 1


def _finite(rate: float) -> float:
    number = as_number(rate, "rate")
    if not math.isfinite(number):
        raise ValueError(f"rate must be finite, got {shown(rate)}")
    return number


@dataclass(frozen=True)
class Null:
    """What the marginal KL would be if the population matched the prior.

    Attributes:
        values: marginal KL of each null draw, shape (B,), in nats.
    """

    values: Tensor

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

    Means are redrawn as N(0, 1 - scale_n^2): given its scale each component then has marginal
    exactly N(0, I). Scales above 1, which a dimension that is not active may have, become 1.

    Args:
        posterior: the aggregate posterior whose N, D and scales are kept.
        generator: random stream.

    Returns:
        A mixture of the same N and D.

    Raises:
        ValueError: where a scale of an active dimension exceeds 1.
    """
    check_posterior(posterior)
    check_generator(generator)
    largest = posterior.scale.amax(0)
    wide = active(posterior) & (largest > 1)
    if wide.any():
        raise ValueError(
            "not defined: scales of active dimensions must not exceed 1, "
            f"got {float(largest[wide].max()):.3g}, and no means make such posteriors match"
        )
    scale = posterior.scale.clamp_max(1)
    noise = torch.randn(scale.shape, generator=generator, dtype=torch.float64)
    return AggregatePosterior((1 - scale.square()).sqrt() * noise.to(scale.device), scale)


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
        ValueError: for fewer than 2 draws, or where a scale of an active dimension exceeds 1.
    """
    check_posterior(posterior)
    check_generator(generator)
    check_callable(tick, "tick")
    as_count(draws, "draws", 2)
    if points is not None:
        as_count(points, "points", 2)
    prior = Normal(posterior.latent_dim)
    values = []
    for _ in range(draws):
        matched = draw_null(posterior, generator)
        values.append(decompose(matched, prior, generator, points=points).marginal_kl)
        tick()
    return Null(torch.tensor(values, dtype=torch.float64))


def scale_by_place(posterior: AggregatePosterior) -> Estimate:
    """Correlation over the inputs of |mean|^2 and the mean log scale: 0 where the null holds.

    Over the active dimensions, or over all where none is active.

    Args:
        posterior: the aggregate posterior.

    Returns:
        The correlation, between -1 and 1, and its standard error over inputs, from the influence
        u v - r (u^2 + v^2) / 2 of an input with standardised values u and v, which holds whatever
        their law.

    Raises:
        ValueError: where there is no such correlation: for fewer than 3 inputs, scales that are
            the same for all inputs, or means at the same distance from 0.

    References:
        Devlin, Gnanadesikan and Kettenring, Robust estimation with correlation, 1975.
    """
    check_posterior(posterior)
    as_count(posterior.components, "components", 3)
    kept = active(posterior)
    kept = kept if kept.any() else torch.ones_like(kept)
    values = torch.stack(
        [posterior.mean[:, kept].square().sum(1), posterior.scale[:, kept].log().mean(1)]
    )
    centred = values - values.mean(1, keepdim=True)
    deviation = centred.square().mean(1, keepdim=True).sqrt()
    if not (deviation[:, 0] > 1e-9 * values.abs().amax(1).clamp_min(1)).all():
        raise ValueError(
            "not defined: scales and distances of the means from 0 must vary over the inputs"
        )
    u, v = centred / deviation
    correlation = float((u * v).mean())
    influence = u * v - 0.5 * correlation * (u.square() + v.square())
    return Estimate(correlation, float(influence.std()) / math.sqrt(posterior.components))
