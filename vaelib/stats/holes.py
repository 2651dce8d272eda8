"""Holes: where the prior puts mass and the aggregate posterior has none."""

import math

import torch
from scipy.stats import beta, binom
from torch import Tensor

from vaelib.arguments.plain import as_count
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Prior
from vaelib.stats.checks import (
    as_points,
    check_generator,
    check_level,
    check_posterior,
    check_prior,
)

__all__ = ["hole_mass"]

_TWO_SIDED = 1.96  # standard errors of a 95 % interval


def hole_mass(
    posterior: AggregatePosterior,
    heldout: Tensor,
    prior: Prior,
    generator: torch.Generator,
    draws: int = 10_000,
    level: float = 0.01,
) -> tuple[float, float]:
    """Share of prior draws where held-out latents almost never fall.

    Almost never: log q_N below its quantile of that level over the held-out latents, which lies
    between those of rank level (n + 1). The mean of the share is then the level where the
    population matches the prior.

    The quantile is the less certain part: of 300 latents three lie below. Which ranks hold the
    population's quantile in 95 % of samples follows from the binomial law alone, and the shares at
    these two latents are the ends of an interval, lopsided for small n.

    Args:
        posterior: the aggregate posterior of the training inputs.
        heldout: one z per held-out input, shape (n, D).
        prior: p(z).
        generator: random stream.
        draws: prior draws.
        level: quantile of the held-out log densities.

    Returns:
        The share and a standard error of which 1.96 reach the further end of that interval, and as
        much of the exact binomial interval of the prior draws: share ± 1.96 of them covers the
        population's in at least 95 % of samples.

    Raises:
        ValueError: for held-out latents that have no such quantile: fewer than 1 / level of them,
            or some where q_N is 0; for latents that are bad or of another dimension; a level
            outside (0, 1); no draws.
    """
    check_posterior(posterior)
    check_prior(prior, posterior.latent_dim)
    check_generator(generator)
    as_count(draws, "draws", 1)
    check_level(level, "level")
    heldout = as_points(heldout, "heldout", rows=1).to(posterior.mean.device)
    if len(heldout) * level < 1:
        raise ValueError(
            f"heldout must have at least {math.ceil(1 / level)} rows for a quantile of {level}, "
            f"got {len(heldout)}"
        )
    density = posterior.log_prob(heldout).cpu()
    outside = float((density == -math.inf).double().mean())
    if outside > 0:
        raise ValueError(
            f"heldout must lie where the training posteriors have mass, got {outside:.1%} outside"
        )
    z = prior.sample(draws, generator).to(posterior.mean)
    below = posterior.log_prob(z).cpu()[:, None] < _thresholds(density, level)
    share, low, high = below.double().mean(0).tolist()
    of_quantile = max(share - low, high - share) / _TWO_SIDED
    return share, math.hypot(_of_draws(share, draws), of_quantile)


def _of_draws(share: float, draws: int) -> float:
    """As far as the further end of the exact binomial interval: above 0 also for a share of 0."""
    count = round(share * draws)
    low = float(beta.ppf(0.025, count, draws - count + 1)) if count else 0.0
    high = float(beta.ppf(0.975, count + 1, draws - count)) if count < draws else 1.0
    return max(share - low, high - share) / _TWO_SIDED


def _thresholds(density: Tensor, level: float) -> Tensor:
    """The quantile of that level, and both ends of its distribution-free 95 % interval."""
    count = len(density)
    ends = (0.0, *density.sort().values.tolist(), math.inf)  # the one of rank k stands at k
    rank = level * (count + 1)
    place = min(int(rank), count - 1)
    quantile = ends[place] + (rank - place) * (ends[place + 1] - ends[place])
    low, high = (int(binom.ppf(p, count, level)) for p in (0.025, 0.975))
    least = ends[low] if low else -math.inf
    return torch.tensor([quantile, least, ends[high + 1]], dtype=torch.float64)
