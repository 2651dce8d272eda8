"""Densities on a few directions of the space, and where to look for such directions."""

from __future__ import annotations

import torch
from torch import Tensor

from vaelib.stats.checks import as_points, check_generator
from vaelib.stats.stack.candidates import Candidate, log_standard_normal

__all__ = ["SubspaceCandidate", "interesting_planes"]

_STARTS = 24
_LOG_COSH = 0.374567  # mean of log cosh of N(0, 1)


class SubspaceCandidate:
    """p(z) f(U'z)/φ(U'z): a density on some orthonormal directions, the prior's on the rest.

    Args:
        directions: U, orthonormal columns, shape (D, d).
        inner: f, a density on R^d.
    """

    def __init__(self, directions: Tensor, inner: Candidate) -> None:
        self._directions, self._inner = directions, inner

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""
        inside = z @ self._directions
        ratio = self._inner.log_prob(inside) - log_standard_normal(inside)
        return log_standard_normal(z) + ratio

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D)."""
        z = torch.randn(n, len(self._directions), generator=generator, dtype=torch.float64)
        moved = self._inner.sample(n, generator) - z @ self._directions
        return z + moved @ self._directions.T


def interesting_planes(z: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Two planes through the direction in which z is least Gaussian, by FastICA.

    Its partner is the next least Gaussian direction, or the one whose mean and variance depend most
    on it: slices along the first, and the leading eigenvector of Σ (mean mean' + (I - C)²) of the
    slices. (scikit-learn's FastICA drops all but the directions of largest variance before it
    looks, which of whitened latents are any.)

    Args:
        z: points, shape (N, D), D > 2.
        generator: random stream of the starts.

    Returns:
        Orthonormal columns of shape (D, 2) by name.

    Raises:
        ValueError: for bad points, or fewer than 3 dimensions.

    References:
        Hyvärinen (1999), Fast and robust fixed-point algorithms for independent component
        analysis, IEEE Transactions on Neural Networks 10.
        Cook and Weisberg (1991), Sliced inverse regression for dimension reduction: comment,
        Journal of the American Statistical Association 86.
    """
    check_generator(generator)
    z = as_points(z)
    if z.dim() != 2 or z.shape[1] < 3:
        raise ValueError(f"z must have shape (N, D) with D > 2, got {tuple(z.shape)}")
    dimensions = z.shape[1]
    values, vectors = torch.linalg.eigh(torch.cov(z.T).reshape(dimensions, dimensions))
    whiten = vectors / values.clamp_min(1e-9).sqrt()
    white = (z - z.mean(0)) @ whiten
    none = torch.zeros(dimensions, 0, dtype=torch.float64)
    first = _least_gaussian(white, none, generator)
    partners = {
        "2 directions": _least_gaussian(white, first, generator),
        "a direction and its partner": _most_dependent(white, first),
    }
    return {
        name: torch.linalg.qr(whiten @ torch.cat([first, second], 1)).Q
        for name, second in partners.items()
    }


def _least_gaussian(white: Tensor, found: Tensor, generator: torch.Generator) -> Tensor:
    """The best of 24 starts of FastICA, orthogonal to those found, shape (D, 1)."""
    w = torch.randn(white.shape[1], _STARTS, generator=generator, dtype=torch.float64)
    for _ in range(15):
        w = w - found @ (found.T @ w)
        w = w / w.norm(dim=0).clamp_min(1e-12)
        bent = (white @ w).tanh()
        w = white.T @ bent / len(white) - (1 - bent.square()).mean(0) * w
    w = w - found @ (found.T @ w)
    w = w / w.norm(dim=0).clamp_min(1e-12)
    contrast = ((white @ w).cosh().log().mean(0) - _LOG_COSH).abs()
    best: Tensor = w[:, contrast.argmax()][:, None]
    return best


def _most_dependent(white: Tensor, first: Tensor) -> Tensor:
    """The direction orthogonal to the first whose law depends most on it, shape (D, 1)."""
    eye = torch.eye(white.shape[1], dtype=torch.float64)
    beside = eye - first @ first.T
    total = torch.zeros_like(eye)
    for rows in (white @ first)[:, 0].argsort().chunk(10):
        mean = white[rows].mean(0)
        away = torch.cov(white[rows].T, correction=0) - eye
        total += torch.outer(mean, mean) + away @ beside @ away
    vector: Tensor = torch.linalg.eigh(beside @ total @ beside)[1][:, -1:]
    return vector
