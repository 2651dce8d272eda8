"""What plays to repair: the candidates of the certificate, the gauge fix, and both at large D."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaelib.samplers.kinds import Moved, independent
from vaelib.stats.stack.candidates import Candidate, GaussianCandidate, Posteriors
from vaelib.stats.stack.fitted import fit_candidates
from vaelib.stats.stack.mixtures import MixtureCandidate, fit_mixture
from vaelib.stats.stack.subspaces import SubspaceCandidate

__all__ = ["gauge_of", "low_rank_gaussian", "repair_candidates", "standard_normal"]

_LARGE = 512  # dimensions from which on no candidate has a factor of (D, D)
_COMPONENTS = 30
_NUMBERS = 1 << 24  # of the points that a mixture is fitted to at large D


def repair_candidates(data: Posteriors, generator: torch.Generator) -> dict[str, Candidate]:
    """Fit what may be sampled from instead of N(0, I).

    Up to 512 dimensions these are the candidates of the certificate, the gauge fix, and a spectrum
    shrunk after it. Beyond, where matrices of (D, D) are slow and large, the Gaussians are
    the identity but for a few directions, and there are independent marginals and a diagonal
    mixture.

    Args:
        data: posteriors or points of the training inputs, finite, none of D constant.
        generator: random stream.

    Returns:
        Candidates by name, the prior first.
    """
    count, dimensions = data.mean.shape
    shift, scale = gauge_of(data)
    order = torch.randperm(count, generator=generator)
    z = data.part(order).draw(generator)
    if dimensions <= _LARGE:
        out = fit_candidates(data, generator) | {"prior": standard_normal(dimensions)}
    else:
        second = z.square().mean().sqrt().expand(1, dimensions).clone()
        few = max(2 * _COMPONENTS, _NUMBERS // dimensions)
        out = {
            "prior": standard_normal(dimensions),
            "scaled prior": MixtureCandidate(torch.ones(1).double(), 0 * second, second),
            "shrunk spectrum": low_rank_gaussian(z),
            "marginals": independent(z),
            "diagonal mixture": fit_mixture(
                data.part(order[:few]), _COMPONENTS, generator, diagonal=True
            ),
        }
    out["gauge"] = MixtureCandidate(torch.ones(1).double(), shift[None], scale[None])
    if dimensions > 1:
        white = low_rank_gaussian((z - shift) / scale)
        out["gauge and spectrum"] = Moved(white, shift, scale)
    return out


def standard_normal(dimensions: int) -> MixtureCandidate:
    """N(0, I), without a matrix.

    Args:
        dimensions: D.

    Returns:
        A mixture of one.
    """
    one = torch.ones(1, dimensions, dtype=torch.float64)
    return MixtureCandidate(one[:, 0], 0 * one, one)


def gauge_of(data: Posteriors) -> tuple[Tensor, Tensor]:
    """Mean m and root of the variance V of every dimension, each of shape (D,).

    Args:
        data: posteriors, or points.

    Returns:
        Both; z = m + √V ε with ε ~ N(0, I) is what the gauge fix makes of the prior.
    """
    variance = data.mean.var(0, correction=0) + data.scale.square().mean(0)
    return data.mean.mean(0), variance.sqrt()


def low_rank_gaussian(z: Tensor) -> SubspaceCandidate:
    """The Gaussian of shrunk spectrum and shrunk mean as N(0, I) but for a few directions.

    Eigenvalues inside the Marchenko-Pastur bulk are 1, so that only the directions of the others,
    and that of the mean, are kept. With fewer points than dimensions the eigenvectors are found
    among the points.

    Args:
        z: points, shape (N, D).

    Returns:
        The Gaussian; its law is that of ``vaelib.stats.stack.candidates.shrunk_covariance``.
    """
    count, dimensions = z.shape
    mean = z.mean(0)
    away = (z - mean) / math.sqrt(count)
    if count < dimensions:
        values, among = torch.linalg.eigh(away @ away.T)
        vectors = away.T @ among / values.clamp_min(1e-12).sqrt()
    else:
        values, vectors = torch.linalg.eigh(away.T @ away)
    kept = _shrunk(values, dimensions, count)
    out = kept != 1
    some = max(0.0, 1 - dimensions / (count * max(float(mean.square().sum()), 1e-300)))
    # a mean that is shrunk to nothing still gives one direction, in which the law is N(0, 1)
    directions = torch.linalg.qr(torch.cat([vectors[:, out], mean[:, None]], 1)).Q
    turned = directions.T @ vectors[:, out]
    covariance = turned * (kept[out] - 1) @ turned.T
    covariance.diagonal().add_(1)
    return SubspaceCandidate(directions, GaussianCandidate(some * directions.T @ mean, covariance))


def _shrunk(values: Tensor, dimensions: int, count: int) -> Tensor:
    """Eigenvalues as ``shrunk_covariance`` shrinks them; exactly 1 inside the bulk."""
    ratio, slack = dimensions / count, count ** (-2 / 3)
    upper, lower = (1 + math.sqrt(ratio)) ** 2 + slack, max(0.0, 1 - math.sqrt(ratio)) ** 2 - slack
    half = values + 1 - ratio
    root = (half.square() - 4 * values).clamp_min(0).sqrt()
    spike = torch.where(values > upper, half + root, half - root) / 2
    outside = (values > upper) | (values < lower)
    away = torch.where(outside, spike - 1, 1.0)
    cosine = ((1 - ratio / away.square()) / (1 + ratio / away)).clamp(0, 1)
    return torch.where(outside, (cosine * spike + 1 - cosine).clamp_min(1e-6), 1.0)
