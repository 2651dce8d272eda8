"""How far the aggregate posterior is from the prior: the rate, its parts and their bounds.

``rate = mutual_information + marginal_kl`` (Hoffman and Johnson 2016). Over a finite mixture the
marginal KL is mostly an artefact of N; ``vaelib.stats.finite_sample`` tells what is not.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vaelib.arguments.plain import as_count
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Prior
from vaelib.stats.checks import check_generator, check_posterior, check_prior
from vaelib.stats.jackknife import mean_of

__all__ = [
    "Decomposition",
    "decompose",
    "information_bounds",
    "leave_one_out_kl",
]

_LEAST_FIT = 100  # values from which the coefficients of the control variates are worth fitting


@dataclass(frozen=True)
class Decomposition:
    """The rate and its two parts, in nats.

    Attributes:
        rate: mean KL of the posteriors to the prior.
        mutual_information: I(n; z) between the index of the input and its latent.
        marginal_kl: KL(q_N || p), rate minus mutual information.
        standard_error: Monte Carlo standard error of the marginal KL.
        rate_error: that of the rate; 0 where the prior has a closed-form KL.
        information_error: that of the mutual information.
    """

    rate: float
    mutual_information: float
    marginal_kl: float
    standard_error: float
    rate_error: float
    information_error: float


def decompose(
    posterior: AggregatePosterior,
    prior: Prior,
    generator: torch.Generator,
    draws: int = 1,
    points: int | None = None,
) -> Decomposition:
    """Split the rate into mutual information and marginal KL.

    ``marginal_kl = rate - mean[log q_n(z_n) - log q_N(z_n)]``, z stratified over the components.
    Two quantities with a known mean given n, log q_n(z_n) and |z_n|^2, serve as control variates.
    Their coefficients for the even components are fitted on the odd ones and the reverse, so the
    estimate is unbiased for q_N; at coefficients 0 it is the form above, at others it includes the
    direct form, and the noise is that of the better of the two or less. For a prior without a
    closed-form KL the rate is the mean of log q_n(z_n) - log p(z_n) at the same z, with the same
    variates.

    The cost is one density of the whole mixture per z. With many components ``points`` of them,
    chosen at random, are drawn from, and the mixture stays whole: the estimate stays unbiased. The
    KL of each component to the prior, whose mean over all is known, is then a third variate.

    Args:
        posterior: the aggregate posterior.
        prior: p(z).
        generator: random stream.
        draws: draws per component.
        points: components to draw from; None or N and more takes all.

    Returns:
        The parts in nats. The standard error is the stratified one for two draws or more of all
        components; otherwise it ignores the stratification and errs on the large side. For one
        component and a closed-form KL all is exact and the error 0.

    Raises:
        ValueError: for fewer than 1 draw or 2 points, or a prior of another dimension.

    References:
        Hoffman and Johnson, ELBO surgery, 2016.
    """
    _check(posterior, prior, generator, draws, points)
    chosen, uneven = posterior, None
    rates = prior.kl(posterior.mean, posterior.scale) if prior.closed_form else None
    if points is not None and points < posterior.components:
        index = torch.randperm(posterior.components, generator=generator)[:points]
        index = index.to(posterior.mean.device)
        chosen = posterior.part(index)
        uneven = None if rates is None else rates[index] - rates.mean()
    z = chosen.sample(generator, draws)
    own = chosen.component_log_prob(z)
    information = own - posterior.log_prob(z.flatten(0, 1)).view_as(own)
    variates = _variates(chosen, z)
    if uneven is not None:
        variates.append(uneven.expand_as(own))
    whole = chosen is posterior

    def mean(values: Tensor) -> tuple[float, float]:
        return _mean(_control(values, torch.stack(variates, -1)), whole)

    value, error = mean(information)
    if rates is not None:
        rate = float(rates.mean())
        return Decomposition(rate, value, rate - value, error, 0.0, error)
    with torch.no_grad():
        estimates = own - prior.log_prob(z)
    (rate, rate_error), (_, kl_error) = mean(estimates), mean(estimates - information)
    return Decomposition(rate, value, rate - value, kl_error, rate_error, error)


def _mean(values: Tensor, whole: bool) -> tuple[float, float]:
    """Mean and standard error of values (draws, N), stratified where all components have draws."""
    if not whole:
        return mean_of(values.mean(0))
    spread = values.var(0).mean() if len(values) > 1 else values.flatten().var(correction=0)
    return float(values.mean()), math.sqrt(float(spread) / values.numel())


def _variates(posterior: AggregatePosterior, z: Tensor) -> list[Tensor]:
    """Quantities of mean zero given the component, each of shape (draws, N)."""
    standard = ((z - posterior.mean) / posterior.scale).square().sum(-1)
    second = posterior.mean.square() + posterior.scale.square()
    return [0.5 * (posterior.latent_dim - standard), (z.square() - second).sum(-1)]


def _check(
    posterior: AggregatePosterior,
    prior: Prior,
    generator: torch.Generator,
    draws: int,
    points: int | None,
) -> None:
    check_posterior(posterior)
    check_prior(prior, posterior.latent_dim)
    check_generator(generator)
    as_count(draws, "draws", 1)
    if points is not None:
        as_count(points, "points", 2)


def _control(values: Tensor, variates: Tensor) -> Tensor:
    """Values (draws, N) minus their cross-fitted regression on variates (draws, N, K)."""
    halves = [slice(0, None, 2), slice(1, None, 2)]
    if values.numel() < 2 * _LEAST_FIT or values.shape[1] < 2:
        return values
    reduced = torch.empty_like(values)
    for half, other in (halves, halves[::-1]):
        x = variates[:, other].flatten(0, 1)
        y = values[:, other].flatten()
        slope = torch.linalg.pinv(x - x.mean(0)) @ (y - y.mean())
        reduced[:, half] = values[:, half] - variates[:, half] @ slope
    return reduced


def leave_one_out_kl(
    posterior: AggregatePosterior,
    prior: Prior,
    generator: torch.Generator,
    draws: int = 4,
    points: int | None = None,
) -> tuple[float, float]:
    """The lower end of the bracket: the marginal KL at z that the mixture has not seen.

    Each z_n is evaluated under the mixture of the other N - 1 components. In expectation this is
    at most KL(q || p) of the population, which is at most KL(q_N || p). It may be negative.

    Args:
        posterior: the aggregate posterior, N at least 2.
        prior: p(z).
        generator: random stream.
        draws: draws per component.
        points: components to draw from, as in :func:`decompose`.

    Returns:
        The value and its standard error over inputs and draws, in nats.

    Raises:
        ValueError: for fewer than 2 components or 1 draw, or a prior of another dimension.
    """
    _check(posterior, prior, generator, draws, points)
    as_count(posterior.components, "components", 2)
    chosen = posterior
    if points is not None and points < posterior.components:
        order = torch.randperm(posterior.components, generator=generator).to(posterior.mean.device)
        posterior = posterior.part(order)
        chosen = posterior.part(slice(points))
    z = chosen.sample(generator, draws)
    others = torch.stack([posterior.log_prob(part, leave_one_out=True) for part in z])
    own = chosen.component_log_prob(z)
    with torch.no_grad():
        rates = (
            prior.kl(chosen.mean, chosen.scale) if prior.closed_form else own - prior.log_prob(z)
        )
    values = (rates - (own - others)).mean(0)
    return mean_of(values)


def information_bounds(posterior: AggregatePosterior) -> tuple[float, float]:
    """Bounds on I(n; z) from pairwise distances of the components, without sampling.

    ``-mean_i log mean_j exp(-d_ij)`` is a lower bound with the Bhattacharyya distance and an upper
    bound with the KL divergence from component i to component j.

    Args:
        posterior: the aggregate posterior.

    Returns:
        Lower and upper bound, in nats. Memory grows with N, time with N^2 D.

    References:
        Kolchinsky and Tracey, Estimating mixture entropy with pairwise distances, 2017.
    """
    check_posterior(posterior)
    mean, scale = posterior.mean, posterior.scale
    ends = []
    for distance in (_bhattacharyya, _kl_between):
        rows = [
            torch.logsumexp(-distance(mean[i], scale[i], mean, scale), 0) - math.log(len(mean))
            for i in range(len(mean))
        ]
        ends.append(-float(torch.stack(rows).mean()))
    return ends[0], ends[1]


def _bhattacharyya(mean: Tensor, scale: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    variance = 0.5 * (scale.square() + scales.square())
    spread = variance.log() - scale.log() - scales.log()
    return ((mean - means).square() / variance / 8 + spread / 2).sum(-1)


def _kl_between(mean: Tensor, scale: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    ratio = (scale / scales).square()
    return 0.5 * (ratio + ((mean - means) / scales).square() - 1 - ratio.log()).sum(-1)
