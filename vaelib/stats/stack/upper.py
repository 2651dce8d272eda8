"""The upper end: KL(q_N‖p) of the held-out inputs in its direct form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy import stats
from torch import Tensor

from vaelib.arguments.plain import as_count
from vaelib.arguments.tensors import as_tensor
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Prior
from vaelib.stats.checks import check_generator, check_level, check_posterior, check_prior
from vaelib.stats.jackknife import Estimate, mean_of

__all__ = ["UpperEnd", "direct_terms", "mean_upper_end", "upper_end"]

_STRAIGHT = 1e-6  # skewness over √n below which there is nothing to take out
_HUGE = 1e100  # spread whose third power may be no float
_CERTAIN, _ROUNDING = 6.0, 1e-6  # standard errors, and nats, by which a KL must not be negative


@dataclass(frozen=True)
class UpperEnd:
    """What bounds KL(q‖p) from above.

    Attributes:
        value: the upper end, in nats.
        kl: KL(q_N‖p) of the inputs and its standard error.
        rate: mean KL of a posterior to the prior, in nats.
        floor: rate - log N, below which KL(q_N‖p) cannot lie whatever the encoder does.
        saturated: whether rate > log N - 1: an upper end still, but one that cannot give a yes.
    """

    value: float
    kl: Estimate
    rate: float
    floor: float
    saturated: bool


def direct_terms(
    posterior: AggregatePosterior,
    prior: Prior,
    generator: torch.Generator,
    draws: int = 4,
    points: Tensor | None = None,
) -> Tensor:
    """t_i: mean over draws of posterior i of log q_N(z) - log p(z); their mean is KL(q_N‖p).

    The spread is about √(2 KL): near a match 4 to 25 times less than that of rate minus
    information.

    Args:
        posterior: of the held-out inputs.
        prior: p(z).
        generator: Random stream.
        draws: z per input.
        points: the inputs whose terms are wanted, shape (M,); the mixture stays whole.

    Returns:
        Shape (N,), or (M,), in nats.
    """
    check_posterior(posterior)
    check_prior(prior, posterior.latent_dim)
    check_generator(generator)
    as_count(draws, "draws", 1)
    chosen = posterior if points is None else posterior.part(points)
    z = chosen.sample(generator, draws).reshape(-1, posterior.latent_dim)
    terms = posterior.log_prob(z) - prior.log_prob(z)
    return terms.reshape(draws, -1).mean(0)


def mean_upper_end(terms: Tensor, alpha: float = 0.025) -> float:
    """Upper end of a mean that may be skewed to the right, with the largest term counted once more.

    Mean plus normal quantile times standard error covers too little where a few terms carry the
    mean. Hall's cubic transformation of Student's statistic takes the sample's skewness out, and is
    monotone, so that it can be inverted; without skewness it is the normal interval. Not proved:
    a mode of so small a share that hardly ten of the n terms show it is still counted too little.

    Args:
        terms: Shape (n,), n >= 2.
        alpha: One-sided level.

    Returns:
        The upper end, in the unit of the terms.

    Raises:
        ValueError: For an alpha outside (0, 1) or fewer than two terms.

    References:
        Hall (1992), On the removal of skewness by transformation, JRSS B 54.
    """
    check_level(alpha)
    terms = as_tensor(terms, "terms", "n")
    as_count(len(terms), "terms", 2)
    more = torch.cat([terms, terms.max()[None]])
    mean, error = mean_of(more)
    return mean - _hall_quantile(_skewness(more) / math.sqrt(len(more)), alpha) * error


def _skewness(values: Tensor) -> float:
    """Of a sample, 0 where it is to the left."""
    away = values - values.mean()
    spread = float(away.square().mean().sqrt())
    if _HUGE < spread < math.inf:
        return _skewness(values / spread)
    return max(0.0, float(away.pow(3).mean()) / spread**3) if spread > 0 else 0.0


def _hall_quantile(skew: float, alpha: float) -> float:
    """Quantile at alpha of Student's statistic of a sample whose skewness over √n is ``skew``."""
    normal = float(stats.norm.ppf(alpha))
    if skew < _STRAIGHT:
        return normal
    inside = 1 + skew * (normal - skew / 6)
    return 3 / skew * (math.copysign(abs(inside) ** (1 / 3), inside) - 1)


def upper_end(
    posterior: AggregatePosterior,
    prior: Prior,
    generator: torch.Generator,
    *,
    alpha: float = 0.025,
    draws: int = 4,
    points: Tensor | None = None,
) -> UpperEnd:
    """Bound KL(q‖p) <= E KL(q_N‖p) from above with held-out inputs.

    Args:
        posterior: of the held-out inputs, which are independent.
        prior: p(z).
        generator: Random stream.
        alpha: One-sided level.
        draws: z per input.
        points: the inputs whose terms are wanted, shape (M,); the mixture stays whole.

    Returns:
        The end, and what says whether it is worth anything.

    Raises:
        ValueError: For fewer than two independent inputs, or an upper end that is negative for
            certain: then the log_prob of the prior is no log density.
    """
    terms = direct_terms(posterior, prior, generator, draws, points)
    if len(terms) < 2:
        raise ValueError(f"an upper end needs at least 2 independent inputs, got {len(terms)}")
    z = posterior.sample(generator)[0]
    rate = float(prior.rate(posterior.mean, posterior.scale, z).mean())
    most = math.log(posterior.components)
    value, kl = mean_upper_end(terms, alpha), mean_of(terms)
    if kl.value + _CERTAIN * kl.standard_error < -_ROUNDING:
        raise ValueError(
            f"KL(q_N‖p) comes to {kl.value:.3g}, and none is negative: log_prob of the prior must "
            "be normalised"
        )
    value = max(value, 0.0)
    return UpperEnd(value, kl, rate, rate - most, rate > most - 1)
