"""Holes: where the prior puts mass and the aggregate posterior has none."""

import math

import torch
from torch import Tensor

from vaelib.posterior import AggregatePosterior
from vaelib.priors import Prior
from vaelib.stats.checks import as_points, check_least

__all__ = ["hole_mass"]


def hole_mass(
    posterior: AggregatePosterior,
    heldout: Tensor,
    prior: Prior,
    generator: torch.Generator,
    draws: int = 10_000,
    level: float = 0.01,
) -> tuple[float, float]:
    """Share of prior draws where held-out latents almost never fall.

    Almost never: log q_N below its quantile of that level over the held-out latents. Expect about
    the level when the population matches the prior.

    Args:
        posterior: the aggregate posterior of the training inputs.
        heldout: one z per held-out input, shape (n, D).
        prior: p(z).
        generator: random stream.
        draws: prior draws.
        level: quantile of the held-out log densities.

    Returns:
        The share and its standard error over the prior draws (binomial) and over the held-out
        latents, whose quantile is the less certain of the two: half the change of the share from
        one standard error below the quantile's level to one above.

    Raises:
        ValueError: for held-out latents that have no such quantile: fewer than 1 / level of them,
            or some where q_N is 0; for latents that are bad or of another dimension; a level
            outside (0, 1); no draws.
    """
    check_least(draws, "draws", 1)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
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
    spread = math.sqrt(level * (1 - level) / len(heldout))
    levels = torch.tensor([level, level - spread, level + spread], dtype=torch.float64)
    thresholds = torch.quantile(density, levels.clamp(0, 1))
    z = prior.sample(draws, generator).to(posterior.mean)
    below = posterior.log_prob(z).cpu()[:, None] < thresholds
    share, low, high = below.double().mean(0).tolist()
    return share, math.hypot(math.sqrt(share * (1 - share) / draws), (high - low) / 2)
