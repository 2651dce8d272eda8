"""All candidates of a stack, fitted to the training inputs' latents."""

from __future__ import annotations

import torch
from torch import Tensor

from vaelib.arguments.plain import as_count, check_kind
from vaelib.arguments.tensors import as_tensor
from vaelib.posterior import AggregatePosterior
from vaelib.priors.base import Prior
from vaelib.stats.checks import check_generator
from vaelib.stats.stack.candidates import (
    Candidate,
    Posteriors,
    PriorCandidate,
    StandardNormal,
    check_posteriors,
    fitted_gaussian,
    normal_candidates,
)
from vaelib.stats.stack.line import CopulaCandidate, RadiusCandidate
from vaelib.stats.stack.mixtures import fit_mixture
from vaelib.stats.stack.subspaces import SubspaceCandidate, interesting_planes

__all__ = ["SmoothedCandidate", "fit_candidates", "log_ratios"]

_MOST = 20_000  # inputs, beyond which more help little
_WIDTHS = (0.05, 0.2)
_FULL_DIMENSIONS = 32
_COMPONENTS = 30
_MANY = 10_000  # inputs from which on the mixture has 100
_FLOOR = -10_000.0  # nats
_ROWS = 50_000  # z at a time, which bounds the memory


class SmoothedCandidate:
    """The aggregate posterior with wider scales, and means drawn in to keep the variances.

    Args:
        data: posteriors, or points.
        width: h, in standard deviations σ of each dimension: scales become √(scale² + h² σ²), with
            less than that where the means hardly vary.
    """

    def __init__(self, data: Posteriors, width: float) -> None:
        centre, spread = data.mean.mean(0), data.mean.var(0, correction=0)
        total = spread + data.scale.square().mean(0)
        added = torch.minimum(width**2 * total, 0.9 * spread)
        shrink = (1 - added / spread.clamp_min(1e-300)).sqrt()
        mean = centre + shrink * (data.mean - centre)
        self._mixture = AggregatePosterior(mean, (data.scale.square() + added).sqrt())

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""
        return self._mixture.log_prob(z)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D)."""
        index = torch.randint(self._mixture.components, (n,), generator=generator)
        return self._mixture.part(index).sample(generator)[0]


def fit_candidates(
    data: Posteriors,
    generator: torch.Generator,
    *,
    prior: Prior | None = None,
    most: int = _MOST,
) -> dict[str, Candidate]:
    """Fit every candidate to posteriors, or to points.

    Args:
        data: of the training inputs.
        generator: random stream.
        prior: p where it is not N(0, I); candidates that are made of N(0, I) are then left out.
        most: of more inputs than this a random choice is used, except for the Gaussians.

    Returns:
        Candidates by name, the prior first.

    Raises:
        ValueError: for fewer than two rows, values that are not finite, all rows equal, a dimension
            that is constant, or a prior of another D.
    """
    _check(data)
    check_generator(generator)
    as_count(most, "most", 2)
    data = Posteriors(data.mean.double(), data.scale.double())
    count, dimensions = data.mean.shape
    if prior is not None:
        check_kind(prior, Prior, "prior")
    if prior is not None and prior.latent_dim != dimensions:
        raise ValueError(f"the prior has {prior.latent_dim} dimensions, the latents {dimensions}")
    some = data.part(torch.randperm(count, generator=generator)[:most])
    if prior is None:
        out: dict[str, Candidate] = {"prior": StandardNormal(dimensions)}
        out |= normal_candidates(data) | _beside_the_normal(some, generator)
    else:
        out = {"prior": PriorCandidate(prior), "gaussian": fitted_gaussian(data)}
    if dimensions <= _FULL_DIMENSIONS:
        out["mixture"] = fit_mixture(some, 100 if count >= _MANY else _COMPONENTS, generator)
        for width in _WIDTHS:
            out[f"smoothed {width:g}"] = SmoothedCandidate(some, width)
    if dimensions > 1:
        out["diagonal mixture"] = fit_mixture(some, _COMPONENTS, generator, diagonal=True)
    return out


def _beside_the_normal(data: Posteriors, generator: torch.Generator) -> dict[str, Candidate]:
    """Candidates that are N(0, I) where nothing was learned."""
    dimensions = data.mean.shape[1]
    z = data.draw(generator)
    copula = CopulaCandidate(z)
    out: dict[str, Candidate] = {"copula": copula}
    if dimensions > 1:
        out["radius"] = RadiusCandidate(z)
    if dimensions > 2:
        # of points the axes whose law is least the prior's, of posteriors the most active
        active = data.mean.var(0) if bool(data.scale.any()) else copula.gain
        axes = active.argsort(descending=True, stable=True)[:2]
        own = Posteriors(data.mean[:, axes], data.scale[:, axes])
        chosen = torch.eye(dimensions, dtype=torch.float64)[:, axes]
        out["2 axes"] = SubspaceCandidate(chosen, fit_mixture(own, _COMPONENTS, generator))
        for name, directions in interesting_planes(z, generator).items():
            inside = z @ directions
            own = Posteriors(inside, torch.zeros_like(inside))
            out[name] = SubspaceCandidate(directions, fit_mixture(own, _COMPONENTS, generator))
    return out


def _check(data: Posteriors) -> None:
    check_posteriors(data)
    least = float(data.scale.min()) if data.scale.numel() else 0.0
    if least < 0:
        raise ValueError(f"scale of training latents must not be negative, got min {least:.3g}")
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
    """log r_k - log p at z, the prior first.

    Where a prior has no mass KL is infinite. Its log density is taken as -10,000 there, so that the
    gain is large, finite and still a lower bound of the true one. Where a candidate overflows it is
    taken to have no mass.

    Args:
        candidates: of ``fit_candidates``.
        z: shape (M, D).

    Returns:
        Shape (M, K), in nats, never NaN or +inf; the first column is 0.

    Raises:
        TypeError: for what are no candidates.
        ValueError: for z of another D or that are not finite, or a prior whose log density is NaN
            or +inf.
    """
    if not isinstance(candidates, dict) or not candidates:
        raise TypeError("candidates must be those of fit_candidates, by name, got something else")
    for name, candidate in candidates.items():
        if not callable(getattr(candidate, "log_prob", None)):
            raise TypeError(f"candidates must have log_prob and sample, got {name!s:.40} without")
    z = as_tensor(z, "z")
    first = next(iter(candidates.values()))
    if isinstance(first, PriorCandidate):  # which may have no sample
        dimensions = first.dimensions
    else:
        dimensions = first.sample(1, torch.Generator()).shape[1]
    if z.dim() != 2 or z.shape[1] != dimensions:
        raise ValueError(f"z must have shape (M, {dimensions}), got {tuple(z.shape)}")
    if not bool(z.isfinite().all()):
        raise ValueError(f"z must be finite, got {int((~z.isfinite()).sum())} values that are not")
    z = z.double()
    logs = torch.cat(
        [
            torch.stack([candidate.log_prob(rows) for candidate in candidates.values()], 1)
            for rows in torch.split(z, _ROWS)
        ]
    )
    bad = int((logs[:, 0].isnan() | (logs[:, 0] == torch.inf)).sum())
    if bad:
        raise ValueError(
            f"the prior's log density must be below infinity and no NaN, got {bad} of {len(z)} "
            "that are not"
        )
    prior = torch.where(logs[:, :1] == -torch.inf, _FLOOR, logs[:, :1])
    ratios = logs - prior
    ratios[:, 0] = 0
    return torch.where(ratios.isnan(), -torch.inf, ratios)
