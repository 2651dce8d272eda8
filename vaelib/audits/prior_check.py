"""Whether a prior draws what its density says: with a wrong one, nats are proved at a match."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaelib.priors import Prior
from vaelib.priors.base import has_map
from vaelib.stats.stack.candidates import Candidate, Posteriors
from vaelib.stats.stack.fitted import fit_candidates, log_ratios

__all__ = ["inconsistent"]

_DRAWS = 4000
_CERTAIN = 6.0  # standard errors
_SLACK = 0.01
_POINTS = 4  # at which the determinant of a map is found
_STEP = 1e-3  # of its differences
_OWN = "vaelib."


def inconsistent(prior: Prior, generator: torch.Generator) -> str:
    """What is wrong with a prior that is not the suite's own, as far as its own draws tell.

    Of a density r and draws of p, the mean of r/p is 1 or less: a log density that is too low makes
    it larger. Of draws of r, the mean of p/r is what p integrates to where r has mass, 1 or less: a
    log density that is too high makes it larger. Both are looked at for densities that are fitted
    to other draws of p. Draws that are mapped to N(0, I) have its mean and covariance, and the
    density is that of the map: log N(0, I) there, and the log determinant.

    Args:
        prior: p.
        generator: random stream of its draws.

    Returns:
        A sentence; empty where nothing is wrong, and where the prior has no ``sample``.
    """
    if type(prior).__module__.startswith(_OWN):
        return ""
    with torch.no_grad():
        try:
            draws = prior.sample(_DRAWS, generator)
        except NotImplementedError:
            return ""
        mapped = ""
        if has_map(prior):
            mapped = _unmapped(prior, draws) or _other_determinant(prior, draws.double())
        return mapped or _unnormalised(prior, draws.cpu().double(), generator)


def _unmapped(prior: Prior, draws: Tensor) -> str:
    moved = prior.to_normal(draws)
    assert moved is not None, "has_map"
    moved = moved.double()
    count, dimensions = moved.shape
    mean, second = moved.mean(0), moved.T @ moved / count
    own = torch.eye(dimensions, dtype=torch.bool, device=second.device)
    errors = torch.where(own, math.sqrt(2 / count), math.sqrt(1 / count))
    off = (second - own.double()).abs() - _CERTAIN * errors - _SLACK
    if bool(off.max() <= 0) and bool(mean.abs().max() <= _CERTAIN / math.sqrt(count) + _SLACK):
        return ""
    squares = second.diagonal()
    largest = float(mean.abs().max())
    across = float(second.masked_fill(own, 0).abs().max())
    return (
        "expected to_normal to bring draws of the prior to N(0, I), got mean squares of "
        f"{float(squares.min()):.3g} to {float(squares.max()):.3g}, means of up to {largest:.3g} "
        f"and mean products of up to {across:.3g}; mend to_normal or sample"
    )


def _other_determinant(prior: Prior, draws: Tensor) -> str:
    """Whether the density is not that of the map, found by differences at a few draws."""
    dimensions = draws.shape[1]
    steps = _STEP * torch.eye(dimensions, dtype=draws.dtype, device=draws.device)
    for point in draws[:_POINTS]:
        around = torch.cat([point[None], point + steps, point - steps])
        moved = prior.to_normal(around)
        assert moved is not None, "has_map"
        moved = moved.double()
        slopes = (moved[1 : dimensions + 1] - moved[dimensions + 1 :]) / (2 * _STEP)
        if not bool(moved.isfinite().all()):
            continue  # a step over an edge
        plain = -0.5 * float(moved[0].square().sum() + dimensions * math.log(2 * math.pi))
        expected = plain + float(torch.linalg.slogdet(slopes)[1])
        found = float(prior.log_prob(point[None])[0])
        if not abs(found - expected) <= _SLACK * (2 + math.sqrt(dimensions)):  # nor a NaN
            return (
                "expected log_prob to be the density of to_normal, log N(0, I) and the log "
                f"determinant, {expected:.4g} at a draw, got {found:.4g}; mend either, or leave "
                "to_normal out"
            )
    return ""


def _unnormalised(prior: Prior, draws: Tensor, generator: torch.Generator) -> str:
    half = len(draws) // 2
    fitted = Posteriors(draws[:half], torch.zeros_like(draws[:half]))
    try:
        candidates = fit_candidates(fitted, generator, prior=prior)
        too_low = _integral(log_ratios(candidates, draws[half:])[:, 1:])
        too_high = max(
            (
                _integral(-_own_ratios(candidates, name, half, generator))
                for name in [*candidates][1:]
            ),
            default=1.0,
        )
    except ValueError as error:  # draws that no density can be fitted to, or no log density of them
        return str(error)
    integral = 1 / too_low if too_low > 1 else too_high
    if integral == 1:
        return ""
    return (
        "expected log_prob to be the log density of what sample draws, got one that integrates "
        f"to about {integral:.3g} there; normalise it, or mend sample"
    )


def _own_ratios(
    candidates: dict[str, Candidate], name: str, count: int, generator: torch.Generator
) -> Tensor:
    """log r - log p of one candidate r at draws of its own, shape (n, 1)."""
    drawn = candidates[name].sample(count, generator)
    place = list(candidates).index(name)
    return log_ratios(candidates, drawn)[:, place : place + 1]


def _integral(logs: Tensor) -> float:
    """The largest mean of ratios that is more than 1 with certainty; 1 where none is."""
    ratios = logs.clamp_max(700).exp()
    means = ratios.mean(0)
    least = means - _CERTAIN * ratios.std(0) / math.sqrt(len(ratios))
    best = int(least.argmax())
    return float(means[best]) if float(least[best]) > 1 + _SLACK else 1.0
