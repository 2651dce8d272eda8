"""Whether a prior draws what its density says: with a wrong one, nats are proved at a match."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaelib.priors import Prior
from vaelib.priors.base import has_map
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.fitted import fit_candidates, log_ratios

__all__ = ["inconsistent"]

_DRAWS = 4000
_CERTAIN = 6.0  # standard errors
_SLACK = 0.01
_OWN = "vaelib."


def inconsistent(prior: Prior, generator: torch.Generator) -> str:
    """What is wrong with a prior that is not the suite's own, as far as its own draws tell.

    Of a density r and draws of p, the mean of r/p is 1 or less. A log density that is too low makes
    it larger: it is looked at for densities that are fitted to other draws. Draws that are mapped
    to N(0, I) have mean 0 and mean square 1.

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
        if has_map(prior):
            return _unmapped(prior, draws)
        return _too_low(prior, draws.cpu().double(), generator)


def _unmapped(prior: Prior, draws: Tensor) -> str:
    moved = prior.to_normal(draws)
    assert moved is not None, "has_map"
    moved = moved.double()
    count, square = moved.numel(), float(moved.square().mean())
    mean = float(moved.mean(0).abs().max())
    wide = abs(square - 1) > _CERTAIN * math.sqrt(2 / count) + _SLACK
    if wide or mean > _CERTAIN / math.sqrt(len(moved)) + _SLACK or not math.isfinite(square):
        return (
            "expected to_normal to bring draws of the prior to N(0, I), got a mean square of "
            f"{square:.3g} and a mean of up to {mean:.3g}; mend to_normal or sample"
        )
    return ""


def _too_low(prior: Prior, draws: Tensor, generator: torch.Generator) -> str:
    half = len(draws) // 2
    fitted = Posteriors(draws[:half], torch.zeros_like(draws[:half]))
    try:
        candidates = fit_candidates(fitted, generator, prior=prior)
        ratios = log_ratios(candidates, draws[half:])[:, 1:].exp()
    except ValueError as error:  # draws that no density can be fitted to, or no log density of them
        return str(error)
    means = ratios.mean(0)
    least = means - _CERTAIN * ratios.std(0) / math.sqrt(half)
    best = int(least.argmax())
    if float(least[best]) > 1 + _SLACK:
        return (
            "expected log_prob to be the log density of what sample draws, got one that integrates "
            f"to about {1 / float(means[best]):.2g} there; normalise it, or mend sample"
        )
    return ""
