"""Densities on the line by kernels, mixed with N(0, 1); copula and radius are made of them."""

from __future__ import annotations

import math

import torch
from scipy import special
from torch import Tensor

from vaelib.stats.stack.candidates import log_standard_normal

__all__ = ["CopulaCandidate", "LineDensity", "RadiusCandidate"]

_CELLS = 1024
_FAR = 37.0  # beyond it the normal's tail underflows


class LineDensity:
    """w kernel density + (1 - w) N(0, 1), piecewise linear, so that its integral is exact.

    w is fitted by EM on the halves of the points that the kernels of the other half do not know; it
    is 0 where this gains less than 3 nats over all points, which keeps matched dimensions exact.

    Args:
        points: shape (N,).
        share: w; None fits it.
    """

    def __init__(self, points: Tensor, share: float | None = None) -> None:
        self.gain = 0.0
        self.share = share if share is not None else self._fitted_share(points)
        low, high = float(points.min()), float(points.max())
        width = _bandwidth(points)
        self._low = low - 4 * width
        self._step = (high - low + 8 * width) / (_CELLS - 1)
        at = (points - self._low) / self._step
        left = at.floor().long().clamp(0, _CELLS - 2)
        counts = torch.zeros(_CELLS, dtype=torch.float64)
        counts.index_add_(0, left, left + 1 - at).index_add_(0, left + 1, at - left)
        reach = min(_CELLS - 1, max(1, math.ceil(4 * width / self._step)))
        offsets = torch.arange(-reach, reach + 1, dtype=torch.float64) * self._step / width
        kernel = (-0.5 * offsets.square()).exp()
        values = torch.nn.functional.conv1d(counts[None, None], kernel[None, None], padding=reach)
        height = values[0, 0].clamp_min(0)
        height[0] = height[-1] = 0
        areas = (height[1:] + height[:-1]) / 2 * self._step
        self._height = height / areas.sum()
        zero = torch.zeros(1, dtype=torch.float64)
        self._mass = torch.cat([zero, areas.cumsum(0) / areas.sum()])

    def _fitted_share(self, points: Tensor) -> float:
        half = len(points) // 2
        if half < 10:
            return 0.0
        first, second = points[:half], points[half:]
        pairs = ((first, second), (second, first))
        ratio = torch.cat([LineDensity(a, 1.0).log_ratio(b) for a, b in pairs]).exp()
        share = 0.5
        for _ in range(30):
            share = float((share * ratio / (share * ratio + 1 - share)).mean())
        gains = (share * ratio + 1 - share).log()
        self.gain = float(gains.sum())
        return min(share, 0.98) if self.gain > 3 else 0.0

    def _cell(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        at = (x - self._low) / self._step
        inside = (at > 0) & (at < _CELLS - 1)
        left = at.nan_to_num(0).clamp(0, _CELLS - 2).long()
        rest = (at - left).clamp(0, 1)
        slope = self._height[left + 1] - self._height[left]
        return inside, left, rest, slope

    def log_ratio(self, x: Tensor) -> Tensor:
        """log f - log N(0, 1) at x of any shape, in nats."""
        if self.share == 0:
            return torch.zeros_like(x)
        inside, left, rest, slope = self._cell(x)
        height = torch.where(inside, self._height[left] + slope * rest, 0)
        logs = (self.share * height).log() - log_standard_normal(x[..., None])
        return torch.logaddexp(logs, torch.tensor(1 - self.share, dtype=torch.float64).log())

    def cdf(self, x: Tensor) -> Tensor:
        """The distribution function, exactly that of the density."""
        inside, left, rest, slope = self._cell(x)
        area = self._mass[left] + self._step * rest * (self._height[left] + slope * rest / 2)
        kernel = torch.where(inside, area, (x > self._low).double())
        normal: Tensor = torch.special.ndtr(x)
        return self.share * kernel + (1 - self.share) * normal

    def score(self, x: Tensor) -> Tensor:
        """What is N(0, 1) when x has this density; x itself where nothing was learned."""
        if self.share == 0:
            return x
        scores: Tensor = torch.special.ndtri(self.cdf(x).clamp(1e-16, 1 - 1e-16))
        return scores

    def inverse(self, score: Tensor) -> Tensor:
        """The x of a score, by bisection."""
        if self.share == 0:
            return score
        goal = torch.special.ndtr(score)
        low = torch.full_like(score, min(-_FAR, self._low))
        high = torch.full_like(score, max(_FAR, self._low + _CELLS * self._step))
        for _ in range(60):
            middle = (low + high) / 2
            above = self.cdf(middle) >= goal
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return high


def _bandwidth(points: Tensor) -> float:
    """Silverman's rule with the smaller of two spreads, and four fifths of it for clusters."""
    quartiles = torch.quantile(points[:100_000], torch.tensor([0.25, 0.75], dtype=torch.float64))
    spread = min(float(points.std()), float(quartiles[1] - quartiles[0]) / 1.34)
    spread = spread if spread > 0 else float(points.std())
    return max(0.7 * spread * len(points) ** -0.2, 1e-6)


class CopulaCandidate:
    """Kernel marginals joined by a normal copula.

    The correlation of the scores is shrunk to none by D + 2 pseudo-points.

    Args:
        z: points, shape (N, D).
    """

    def __init__(self, z: Tensor) -> None:
        self.marginals = [LineDensity(column) for column in z.T]
        scores = self._scores(z)
        count, dimensions = scores.shape
        scores = (scores - scores.mean(0)) / scores.std(0).clamp_min(1e-9)
        correlation = scores.T @ scores / (count + dimensions + 2)
        self._factor = torch.linalg.cholesky(correlation.fill_diagonal_(1))

    def _scores(self, z: Tensor) -> Tensor:
        columns = zip(self.marginals, z.T, strict=True)
        return torch.stack([marginal.score(column) for marginal, column in columns], 1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""
        columns = zip(self.marginals, z.T, strict=True)
        ratio = torch.stack([marginal.log_ratio(column) for marginal, column in columns], 1).sum(1)
        scores = self._scores(z)
        white = torch.linalg.solve_triangular(self._factor, scores.T, upper=False).T
        joint = 0.5 * (scores.square() - white.square()).sum(1)
        return ratio + joint - self._factor.diagonal().log().sum() + log_standard_normal(z)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D)."""
        noise = torch.randn(n, len(self._factor), generator=generator, dtype=torch.float64)
        columns = zip(self.marginals, (noise @ self._factor.T).T, strict=True)
        return torch.stack([marginal.inverse(column) for marginal, column in columns], 1)


class RadiusCandidate:
    """The law of ‖z‖ by kernels, on the scale where it is N(0, 1) under the prior.

    The direction is the prior's: uniform.

    Args:
        z: points, shape (N, D).
    """

    def __init__(self, z: Tensor) -> None:
        self._dimensions = z.shape[1]
        self._law = LineDensity(self._score(z))

    def _score(self, z: Tensor) -> Tensor:
        half, x = self._dimensions / 2, z.square().sum(1).numpy() / 2
        below, above = special.gammainc(half, x), special.gammaincc(half, x)
        score = torch.where(
            torch.tensor(below < above),
            torch.tensor(special.ndtri(below)),
            -torch.tensor(special.ndtri(above)),
        )
        return score.clamp(-_FAR, _FAR)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""
        return self._law.log_ratio(self._score(z)) + log_standard_normal(z)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D)."""
        noise = torch.randn(n, self._dimensions + 1, generator=generator, dtype=torch.float64)
        score = self._law.inverse(noise[:, 0])
        tail = torch.special.ndtr(-score.abs()).numpy()
        half = self._dimensions / 2
        low = torch.tensor(special.gammaincinv(half, tail))
        high = torch.tensor(special.gammainccinv(half, tail))
        radius = (2 * torch.where(score < 0, low, high)).sqrt()
        direction = noise[:, 1:] / noise[:, 1:].norm(dim=1, keepdim=True)
        return radius[:, None] * direction
