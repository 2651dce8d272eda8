"""All candidates of a stack, fitted to the training inputs' latents."""

from __future__ import annotations

import torch
from torch import Tensor

from vaelib.posterior import AggregatePosterior
from vaelib.stats.stack.candidates import (
    Candidate,
    Posteriors,
    StandardNormal,
    gaussian_candidates,
)
from vaelib.stats.stack.line import CopulaCandidate, RadiusCandidate
from vaelib.stats.stack.mixtures import SubspaceCandidate, fit_mixture, interesting_planes

__all__ = ["SmoothedCandidate", "fit_candidates", "log_ratios"]

_WIDTHS = (0.05, 0.15, 0.3, 0.6)
_SMOOTH_MOST = 10_000  # posteriors that are kept for smoothing
_FULL_DIMENSIONS = 32
_MANY = 10_000


class SmoothedCandidate:
    """The aggregate posterior with wider scales, and means drawn in to keep the variances.

    Args:
        data: posteriors, or points.
        width: h: √(scale² + h²); in a dimension where the means vary by less, that much.
    """

    def __init__(self, data: Posteriors, width: float) -> None:
        centre, spread = data.mean.mean(0), data.mean.var(0, correction=0)
        added = torch.minimum(torch.full_like(spread, width**2), 0.9 * spread)
        shrink = ((spread - added) / spread.clamp_min(1e-12)).sqrt()
        mean = centre + shrink * (data.mean - centre)
        self._mixture = AggregatePosterior(mean, (data.scale.square() + added).sqrt())

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""
        return self._mixture.log_prob(z)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D)."""
        index = torch.randint(self._mixture.components, (n,), generator=generator)
        return self._mixture.part(index).sample(generator)[0]


def fit_candidates(data: Posteriors, generator: torch.Generator) -> dict[str, Candidate]:
    """Fit every candidate to posteriors, or to points whose prior is N(0, I).

    Args:
        data: of the training inputs.
        generator: random stream.

    Returns:
        Candidates by name, the prior first.

    Raises:
        ValueError: for fewer than two rows, values that are not finite, all rows equal, or a
            dimension that is constant.
    """
    _check(data)
    count, dimensions = data.mean.shape
    z = data.draw(generator)
    out: dict[str, Candidate] = {"prior": StandardNormal(dimensions)}
    out |= gaussian_candidates(data)
    copula = CopulaCandidate(z)
    out["copula"] = copula
    if dimensions > 1:
        out["radius"] = RadiusCandidate(z)
    if dimensions <= _FULL_DIMENSIONS:
        out["mixture"] = fit_mixture(data, 30, generator)
        if count >= _MANY:
            out["fine mixture"] = fit_mixture(data, 100, generator)
    if dimensions > 1:
        out["diagonal mixture"] = fit_mixture(data, 30, generator, diagonal=True)
    active = data.mean.var(0)
    if not bool(data.scale.any()):  # of points, those whose law is least the prior's
        active = torch.tensor([marginal.gain for marginal in copula.marginals])
    order = active.argsort(descending=True, stable=True)
    for some in (2, 12):
        if some < dimensions:
            axes = order[:some]
            inner = fit_mixture(Posteriors(data.mean[:, axes], data.scale[:, axes]), 30, generator)
            chosen = torch.eye(dimensions, dtype=torch.float64)[:, axes]
            out[f"{some} axes"] = SubspaceCandidate(chosen, inner)
    if dimensions > 2:
        for name, directions in interesting_planes(z, generator).items():
            inside = z @ directions
            inner = fit_mixture(Posteriors(inside, torch.zeros_like(inside)), 30, generator)
            out[name] = SubspaceCandidate(directions, inner)
    if dimensions <= _FULL_DIMENSIONS:
        kept = data
        if count > _SMOOTH_MOST:
            kept = data.part(torch.randperm(count, generator=generator)[:_SMOOTH_MOST])
        for width in _WIDTHS:
            out[f"smoothed {width:g}"] = SmoothedCandidate(kept, width)
    return out


def _check(data: Posteriors) -> None:
    if len(data.mean) < 2:
        raise ValueError(f"training latents must be at least 2 rows, got {len(data.mean)}")
    if not bool(data.mean.isfinite().all() and data.scale.isfinite().all()):
        raise ValueError("training latents must be finite, got NaN or infinite values")
    variance = data.mean.var(0, correction=0) + data.scale.square().mean(0)
    constant = torch.nonzero(variance <= 1e-20 * (1 + data.mean.square().mean(0)))[:, 0].tolist()
    if len(constant) == data.mean.shape[1]:
        raise ValueError("training latents must differ, got rows that are all equal")
    if constant:
        raise ValueError(
            f"no dimension may be constant, as its KL is infinite, got {constant}; leave them out"
        )


def log_ratios(candidates: dict[str, Candidate], z: Tensor) -> Tensor:
    """log r_k - log p at z, the prior first, shape (M, K), in nats; at least -1000."""
    logs = torch.stack([candidate.log_prob(z) for candidate in candidates.values()], 1)
    return (logs - logs[:, :1]).clamp_min(-1000.0)
