"""What the candidates of a stack share, and the Gaussian ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from vaelib.arguments.plain import as_count, check_kind
from vaelib.arguments.tensors import as_tensor, check_finite, check_floating
from vaelib.priors.base import Prior

__all__ = [
    "Candidate",
    "GaussianCandidate",
    "Posteriors",
    "PriorCandidate",
    "StandardNormal",
    "check_posteriors",
    "fitted_gaussian",
    "log_standard_normal",
    "normal_candidates",
    "shrunk_covariance",
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

    def part(self, index: Tensor | slice) -> Posteriors:
        """Some of them."""
        return Posteriors(self.mean[index], self.scale[index])

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean (D,) and covariance (D, D) of the mixture of all, exactly."""
        centre = self.mean.mean(0)
        offset = self.mean - centre
        covariance = offset.T @ offset / len(offset) + torch.diag(self.scale.square().mean(0))
        return centre, covariance


def check_posteriors(data: object, name: str = "data") -> None:
    """Check what candidates are fitted to, by its kind and shape.

    Args:
        data: The posteriors.
        name: What to call them in an error.

    Raises:
        TypeError: If they are none.
        ValueError: If mean and scale have not one shape (N, D).
    """
    check_kind(data, Posteriors, name)
    assert isinstance(data, Posteriors)
    check_floating(mean=data.mean, scale=data.scale)
    if data.mean.dim() != 2 or data.mean.shape != data.scale.shape or data.mean.shape[1] == 0:
        raise ValueError(
            "mean and scale of the training latents must have the same shape (N, D), "
            f"got {tuple(data.mean.shape)} and {tuple(data.scale.shape)}"
        )


def log_standard_normal(z: Tensor) -> Tensor:
    """log N(z; 0, I) over the last axis, in nats."""
    check_floating(z=z)
    if z.dim() == 0:
        raise ValueError("z must have shape (..., D), got ()")
    return -0.5 * (z.square().sum(-1) + z.shape[-1] * _LOG_2PI)


class GaussianCandidate:
    """N(m, C).

    Args:
        mean: shape (D,).
        covariance: positive definite, shape (D, D).

    Raises:
        ValueError: for a covariance that is not.
    """

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        self._mean = mean
        factor, failed = torch.linalg.cholesky_ex(covariance)
        if bool(failed):
            raise ValueError("covariance must be positive definite, got one that is not")
        self._factor: Tensor = factor

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


class PriorCandidate:
    """A prior of the user's, evaluated without gradients.

    Args:
        prior: has ``log_prob``; a stack that it has a share in can be sampled if it has ``sample``.
    """

    def __init__(self, prior: Prior) -> None:
        self._prior = prior

    @torch.no_grad()
    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats; -inf outside its support."""
        weight = next(self._prior.parameters(), z)
        return self._prior.log_prob(z.to(weight.device)).to(z)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D); a ValueError where the prior has none."""
        try:
            return self._prior.sample(n, generator).double().cpu()
        except NotImplementedError:
            raise ValueError(
                f"the prior must have sample to draw from it, got {type(self._prior).__name__} "
                "without"
            ) from None

    @property
    def dimensions(self) -> int:
        """D."""
        return self._prior.latent_dim


def fitted_gaussian(data: Posteriors) -> GaussianCandidate:
    """The Gaussian of their moments; D + 2 pseudo-points without correlation keep it regular.

    Args:
        data: what to fit.

    Returns:
        The candidate.
    """
    check_posteriors(data)
    mean, covariance = data.moments()
    count, dimensions = data.mean.shape
    shrunk = covariance * count / (count + dimensions + 2)
    shrunk.diagonal().copy_(covariance.diagonal())
    return GaussianCandidate(mean, shrunk)


def normal_candidates(data: Posteriors) -> dict[str, Candidate]:
    """N(0, vI) and the Gaussian of shrunk spectrum, which know that the prior is N(0, I).

    Args:
        data: what to fit.

    Returns:
        The candidates by name.
    """
    check_posteriors(data)
    count, dimensions = data.mean.shape
    mean, covariance = data.moments()
    second = (covariance.trace() + mean.square().sum()) / dimensions
    eye = torch.eye(dimensions, dtype=torch.float64)
    some = max(0.0, 1 - dimensions / (count * max(float(mean.square().sum()), 1e-300)))
    return {
        "scaled prior": GaussianCandidate(0 * mean, second * eye),
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

    Raises:
        ValueError: for what is no finite matrix of that shape.

    References:
        Donoho, Gavish and Johnstone (2018), Optimal shrinkage of eigenvalues in the spiked
        covariance model, Annals of Statistics 46.
    """
    covariance = check_finite(as_tensor(covariance, "covariance", "DD"), "covariance")
    if covariance.shape[0] != covariance.shape[1]:
        raise ValueError(f"covariance must have shape (D, D), got {tuple(covariance.shape)}")
    as_count(count, "count")
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
    shrunk: Tensor = vectors * kept @ vectors.T
    return shrunk
