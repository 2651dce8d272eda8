"""Whether a log density is one, and draws are its: the numerical part of the contract tests.

Quadrature runs over the whole line through z = c + s t / (1 - t^2), with c and s the median and
spread of draws. So heavy tails are covered, and neither modes far apart nor narrow ones are lost as
long as they are wider than about a thousandth of the spread.
"""

from collections.abc import Iterator
from typing import Any

import torch
from scipy import stats
from torch import Tensor

__all__ = ["draw_mismatch", "grid", "kl_problems", "total"]

_DRAWS = 40_000
_LEVEL = 1e-6  # chance that right draws are called wrong, per direction
_SLACK = 0.005  # of the quadrature's distribution functions
_NODES = {1: 8001, 2: 401}  # per dimension


def grid(draws: Tensor) -> tuple[Tensor, Tensor]:
    """Nodes and log weights of the quadrature.

    Args:
        draws: where the density lies, shape (n, D) with D = 1 or 2.

    Returns:
        Points of shape (nodes, D) and their log weights of shape (nodes,).
    """
    dimensions = draws.shape[1]
    count = _NODES[dimensions]
    t = (2 * torch.arange(count, dtype=torch.float64) + 1) / count - 1
    low, centre, high = draws.double().quantile(torch.tensor([0.25, 0.5, 0.75]).double(), 0)
    scale = (high - low).clamp_min(1e-6)
    columns = [c + s * t / (1 - t**2) for c, s in zip(centre, scale, strict=True)]
    log_steps = [torch.log(s * (1 + t**2) / (1 - t**2) ** 2 * 2 / count) for s in scale]
    points = torch.cartesian_prod(*columns).view(-1, dimensions)
    weights = torch.cartesian_prod(*log_steps).view(-1, dimensions).sum(1)
    return points, weights


def total(log_density: Tensor, log_weights: Tensor) -> float:
    """The integral of a density over the grid."""
    return float(torch.logsumexp(log_density.double() + log_weights, 0).exp())


def draw_mismatch(draws: Tensor, points: Tensor, log_mass: Tensor) -> str:
    """Compare draws with a density on a grid, along the axes and the diagonals.

    Args:
        draws: shape (n, D), D = 1 or 2.
        points: of the grid, shape (nodes, D).
        log_mass: log density plus log weight, shape (nodes,).

    Returns:
        What is wrong, or nothing: Kolmogorov-Smirnov at level 1e-6 along each direction.
    """
    directions = torch.tensor([[1.0]] if draws.shape[1] == 1 else [[1, 0], [0, 1], [1, 1], [1, -1]])
    mass = (log_mass - torch.logsumexp(log_mass, 0)).exp()
    allowed = float(stats.kstwo.isf(_LEVEL, len(draws))) + _SLACK
    empirical = torch.arange(1, len(draws) + 1) / len(draws)
    for direction in directions.double():
        along, order = (points @ direction).sort()
        distribution = mass[order].cumsum(0)
        projected = (draws.double() @ direction).sort().values
        place = torch.searchsorted(along, projected).clamp(max=len(along) - 1)
        distance = float((distribution[place] - empirical).abs().max())
        if distance > allowed:
            named = ", ".join(f"{x:g}" for x in direction)
            return (
                f"draws and density disagree: along ({named}) their distribution functions are "
                f"{distance:.3f} apart, where {allowed:.3f} could be chance"
            )
    return ""


def kl_problems(prior: Any, generator: torch.Generator) -> Iterator[str]:  # noqa: ANN401
    """Compare a closed-form KL with Monte Carlo over posteriors of the prior's family.

    Args:
        prior: of double precision, D = 2.
        generator: random stream.

    Yields:
        What is wrong, for the first of a few posteriors that shows it.
    """
    for output in ((0.0, 0.3, 0.0, 0.0), (0.7, 1.0, -1.0, -0.5), (-1.2, -0.9, -0.3, -0.2)):
        mean, scale = prior.family.parameters(torch.tensor([output], dtype=torch.float64))
        noise = torch.randn(_DRAWS, 2, generator=generator, dtype=torch.float64)
        z = prior.family.draw(mean, scale, noise)
        ratio = prior.family.log_prob(z, mean, scale) - prior.log_prob(z)
        expected, error = float(ratio.mean()), float(ratio.std()) / _DRAWS**0.5
        closed = float(prior.kl(mean, scale))
        if closed == expected or abs(closed - expected) <= 6 * error + 1e-6:
            continue
        yield (
            f"kl of a posterior of mean ({_list(mean)}) and scale ({_list(scale)}) is {closed:.4g} "
            f"nats, but E[log q - log p] by Monte Carlo is {expected:.4g} ± {error:.2g}"
        )
        return


def _list(values: Tensor) -> str:
    return ", ".join(f"{value:.3g}" for value in values.flatten().tolist())
