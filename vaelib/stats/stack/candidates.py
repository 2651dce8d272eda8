"""What the candidates of a stack share, and the Gaussian ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

__all__ = [
    "Candidate",
    "GaussianCandidate",
    "Posteriors",
    "StandardNormal",
    "gaussian_candidates",
    "log_standard_normal",
]

_LOG_2PI = math.log(2 * math.pi)


class Candidate(Protocol):
    """A density on R^D that can be evaluated and sampled."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D)."""


@dataclass(frozen=True)
class Posteriors:
    """What candidates are fitted to: N posteriors, or points whose scales are 0.

    Attributes:
        mean: shape (N, D), float64.
        scale: shape (N, D), float64; all 0 for points.
    """

    mean: Tensor
    scale: Tensor

    def draw(self, generator: torch.Generator) -> Tensor:
        """One z from each, shape (N, D)."""
        noise = torch.randn(self.mean.shape, generator=generator, dtype=torch.float64)
        return self.mean + self.scale * noise

    def part(self, index: Tensor) -> Posteriors:
        """Some of them."""
        return Posteriors(self.mean[index], self.scale[index])

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean (D,) and covariance (D, D) of the mixture of all, exactly."""
        centre = self.mean.mean(0)
        offset = self.mean - centre
        covariance = offset.T @ offset / len(offset) + torch.diag(self.scale.square().mean(0))
        return centre, covariance


def log_standard_normal(z: Tensor) -> Tensor:
    """log N(z; 0, I) over the last axis, in nats."""
    return -0.5 * (z.square().sum(-1) + z.shape[-1] * _LOG_2PI)


class GaussianCandidate:
    """N(m, C).

    Args:
        mean: shape (D,).
        covariance: positive definite, shape (D, D).
    """

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        self._mean = mean
        self._factor = torch.linalg.cholesky(covariance)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""
        white = torch.linalg.solve_triangular(self._factor, (z - self._mean).T, upper=False).T
        return log_standard_normal(white) - self._factor.diagonal().log().sum()

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D)."""
        noise = torch.randn(n, len(self._mean), generator=generator, dtype=torch.float64)
        return self._mean + noise @ self._factor.T


class StandardNormal(GaussianCandidate):
    """The prior N(0, I).

    Args:
        dimensions: D.
    """

    def __init__(self, dimensions: int) -> None:
        eye = torch.eye(dimensions, dtype=torch.float64)
        super().__init__(eye[0] * 0, eye)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""
        return log_standard_normal(z)


def gaussian_candidates(data: Posteriors) -> dict[str, Candidate]:
    """N(0, vI), the Gaussian, the one half-way to the prior, and the one of shrunk spectrum.

    The Gaussian's covariance has D + 2 pseudo-points of the prior's, so that it exists at any N.

    Args:
        data: what to fit.

    Returns:
        The candidates by name.
    """
    count, dimensions = data.mean.shape
    eye = torch.eye(dimensions, dtype=torch.float64)
    mean, covariance = data.moments()
    second = (covariance.trace() + mean.square().sum()) / dimensions
    full = (count * covariance + (dimensions + 2) * eye) / (count + dimensions + 2)
    some = max(0.0, 1 - dimensions / (count * max(float(mean.square().sum()), 1e-300)))
    return {
        "scaled prior": GaussianCandidate(0 * mean, second * eye),
        "gaussian": GaussianCandidate(mean, full),
        "half-way gaussian": GaussianCandidate(mean / 2, (full + eye) / 2),
        "shrunk spectrum": GaussianCandidate(some * mean, shrunk_covariance(covariance, count)),
    }


def shrunk_covariance(covariance: Tensor, count: int) -> Tensor:
    """A covariance whose eigenvalues inside the Marchenko-Pastur bulk are set to 1.

    Of an eigenvalue l of the population beyond 1 ± √γ, γ = D/N, the sample shows
    λ = l (1 + γ/(l - 1)) along a direction whose squared cosine with the true one is
    c² = (1 - γ/(l - 1)²)/(1 + γ/(l - 1)). l is solved for, and the variance that the law has along
    the sample's direction, c² l + 1 - c², is put in its place.

    Args:
        covariance: of N points, shape (D, D).
        count: N.

    Returns:
        Shape (D, D), positive definite.

    References:
        Donoho, Gavish and Johnstone (2018), Optimal shrinkage of eigenvalues in the spiked
        covariance model, Annals of Statistics 46.
    """
    values, vectors = torch.linalg.eigh(covariance)
    ratio = len(values) / count
    slack = count ** (-2 / 3)
    upper, lower = (1 + math.sqrt(ratio)) ** 2 + slack, max(0.0, 1 - math.sqrt(ratio)) ** 2 - slack
    half = values + 1 - ratio
    root = (half.square() - 4 * values).clamp_min(0).sqrt()
    spike = torch.where(values > upper, half + root, half - root) / 2
    outside = (values > upper) | (values < lower)
    away = torch.where(outside, spike - 1, 1.0)
    cosine = ((1 - ratio / away.square()) / (1 + ratio / away)).clamp(0, 1)
    kept = torch.where(outside, cosine * spike + 1 - cosine, 1.0).clamp_min(1e-6)
    return vectors * kept @ vectors.T
