"""Densities on the line by kernels, mixed with N(0, 1); copula and radius are made of them."""

from __future__ import annotations

import math

import torch
from scipy import special
from torch import Tensor

from vaelib.stats.stack.candidates import log_standard_normal

__all__ = ["CopulaCandidate", "LineDensities", "RadiusCandidate"]

_CELLS = 1024
_FAR = 37.0  # beyond it the normal's tail underflows
_BLOCK = 64  # dimensions at a time, which bounds the memory
_LEAST = 3.0  # nats over all points below which nothing is learned
_LARGE = 300.0  # nats, so that a ratio does not overflow


class LineDensities:
    """On each of D lines w kernel density + (1 - w) N(0, 1), the kernel density piecewise linear.

    Its integral is exact. w is the most likely one for the halves of the points that the kernels of
    the other half do not know; it is 0 where this gains less than 3 nats over all points, which
    keeps matched dimensions exact. The halves are the first and the last points, so their order
    should be random.

    Args:
        points: shape (N, D), one line per column.
        share: w, shape (D,); None fits it.

    Attributes:
        share: w, shape (D,).
        gain: what the points gain over N(0, 1) where w was fitted, shape (D,), in nats.
    """

    def __init__(self, points: Tensor, share: Tensor | None = None) -> None:
        self.gain = torch.zeros_like(points[0])
        self.share = share if share is not None else self._fitted_share(points)
        self._on = torch.nonzero(self.share > 0)[:, 0]
        self._own = self.share[self._on]
        if not len(self._on):
            return
        points = points[:, self._on]
        width = _bandwidths(points)
        low, high = points.amin(0), points.amax(0)
        self._low = low - 4 * width
        self._step = (high - low + 8 * width) / (_CELLS - 1)
        at = (points - self._low) / self._step
        left = at.floor().long().clamp(0, _CELLS - 2)
        counts = points.new_zeros(_CELLS, len(width))
        counts.scatter_add_(0, left, left + 1 - at).scatter_add_(0, left + 1, at - left)
        height = _convolved(counts, width / self._step)
        areas = (height[1:] + height[:-1]) / 2 * self._step
        self._height = height / areas.sum(0)
        nothing = torch.zeros_like(areas[:1])
        self._mass = torch.cat([nothing, areas.cumsum(0) / areas.sum(0)])

    def _fitted_share(self, points: Tensor) -> Tensor:
        half, none = len(points) // 2, torch.zeros_like(points[0])
        if half < 10:
            return none
        first, second = points[:half], points[half:]
        pairs = ((first, second), (second, first))
        logs = torch.cat([LineDensities(a, none + 1).log_ratio(b) for a, b in pairs])
        more = logs.clamp_max(_LARGE).exp() - 1
        low, high = none, none + 0.98
        for _ in range(10):
            share = (low + high) / 2
            rising = (more / (1 + share * more)).mean(0) > 0
            low, high = torch.where(rising, share, low), torch.where(rising, high, share)
        self.gain = (high * more).log1p().sum(0)
        return torch.where(self.gain > _LEAST, high, 0)

    def _cell(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Whether x is inside, its cell, its place in it, the height on its left and the rise."""
        at = (x - self._low) / self._step
        left = at.nan_to_num(0).clamp(0, _CELLS - 2).long()
        height = self._height.gather(0, left)
        rise = self._height.gather(0, left + 1) - height
        return (at > 0) & (at < _CELLS - 1), left, (at - left).clamp(0, 1), height, rise

    def log_ratio(self, x: Tensor) -> Tensor:
        """log f - log N(0, 1) at x of shape (M, D), same shape, in nats."""
        out = torch.zeros_like(x)
        if len(self._on):
            own = x[:, self._on]
            inside, _, rest, height, rise = self._cell(own)
            kernel = torch.where(inside, height + rise * rest, 0)
            logs = (self._own * kernel).log() - log_standard_normal(own[..., None])
            out[:, self._on] = torch.logaddexp(logs, (1 - self._own).log().expand_as(logs))
        return out

    def _cdf(self, x: Tensor) -> Tensor:
        """The distribution function of the lines whose share is not 0, exactly the density's."""
        inside, left, rest, height, rise = self._cell(x)
        area = self._mass.gather(0, left) + self._step * rest * (height + rise * rest / 2)
        kernel = torch.where(inside, area, (x > self._low).double())
        normal: Tensor = torch.special.ndtr(x)
        return self._own * kernel + (1 - self._own) * normal

    def score(self, x: Tensor) -> Tensor:
        """What is N(0, 1) when x has this density; x itself where nothing was learned."""
        out = x.clone()
        if len(self._on):
            below = self._cdf(x[:, self._on]).clamp(1e-16, 1 - 1e-16)
            out[:, self._on] = torch.special.ndtri(below)
        return out

    def inverse(self, score: Tensor) -> Tensor:
        """The x of a score, by bisection."""
        out = score.clone()
        if not len(self._on):
            return out
        goal = torch.special.ndtr(score[:, self._on])
        low = self._low.clamp_max(-_FAR).expand_as(goal)
        high = (self._low + _CELLS * self._step).clamp_min(_FAR).expand_as(goal)
        for _ in range(60):
            middle = (low + high) / 2
            above = self._cdf(middle) >= goal
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        out[:, self._on] = high
        return out


def _convolved(counts: Tensor, width: Tensor) -> Tensor:
    """Each column smoothed by a normal kernel of its width in cells, cut at 4 widths; 0 at ends."""
    reach = min(_CELLS - 1, max(1, math.ceil(4 * float(width.max()))))
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64) / width[:, None]
    kernel = torch.where(offsets.abs() < 4, (-0.5 * offsets.square()).exp(), 0)
    kernel[:, reach] = 1
    smooth = torch.nn.functional.conv1d(
        counts.T[None], kernel[:, None], padding=reach, groups=len(width)
    )
    height: Tensor = smooth[0].T.clamp_min(0).contiguous()
    height[0] = height[-1] = 0
    return height


def _bandwidths(points: Tensor) -> Tensor:
    """Silverman's rule with the smaller of two spreads, and four fifths of it for clusters."""
    deviation, quarter = points.std(0), len(points) // 4
    ordered = points.sort(0)[0]
    quartiles = (ordered[-1 - quarter] - ordered[quarter]) / 1.34
    spread = torch.where(quartiles > 0, torch.minimum(deviation, quartiles), deviation)
    width: Tensor = 0.7 * spread * len(points) ** -0.2
    return width.clamp_min(1e-6)


class CopulaCandidate:
    """Kernel marginals joined by a normal copula.

    The correlation of the scores is shrunk to none by D + 2 pseudo-points.

    Args:
        z: points in random order, shape (N, D).

    Attributes:
        gain: what each marginal gains over the prior's, shape (D,), in nats over all points.
    """

    def __init__(self, z: Tensor) -> None:
        self._marginals = [LineDensities(block) for block in torch.split(z, _BLOCK, 1)]
        self.gain = torch.cat([lines.gain for lines in self._marginals])
        scores = self._scores(z)
        count, dimensions = scores.shape
        scores = (scores - scores.mean(0)) / scores.std(0).clamp_min(1e-9)
        correlation = scores.T @ scores / (count + dimensions + 2)
        self._factor: Tensor = torch.linalg.cholesky(correlation.fill_diagonal_(1))

    def _blocks(self, z: Tensor) -> zip[tuple[LineDensities, Tensor]]:
        return zip(self._marginals, torch.split(z, _BLOCK, 1), strict=True)

    def _scores(self, z: Tensor) -> Tensor:
        return torch.cat([lines.score(block) for lines, block in self._blocks(z)], 1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""
        ratios = [lines.log_ratio(block).sum(1) for lines, block in self._blocks(z)]
        scores = self._scores(z)
        white = torch.linalg.solve_triangular(self._factor, scores.T, upper=False).T
        joint = 0.5 * (scores.square() - white.square()).sum(1)
        joint = joint - self._factor.diagonal().log().sum()
        out: Tensor = torch.stack(ratios).sum(0) + joint + log_standard_normal(z)
        return out

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D)."""
        noise = torch.randn(n, len(self._factor), generator=generator, dtype=torch.float64)
        blocks = self._blocks(noise @ self._factor.T)
        return torch.cat([lines.inverse(block) for lines, block in blocks], 1)


class RadiusCandidate:
    """The law of ‖z‖ by kernels, on the scale where it is N(0, 1) under the prior.

    The direction is the prior's: uniform.

    Args:
        z: points in random order, shape (N, D).
    """

    def __init__(self, z: Tensor) -> None:
        self._dimensions = z.shape[1]
        self._law = LineDensities(self._score(z))

    def _score(self, z: Tensor) -> Tensor:
        """Shape (M, 1)."""
        half, x = self._dimensions / 2, z.square().sum(1, keepdim=True).numpy() / 2
        below, above = special.gammainc(half, x), special.gammaincc(half, x)
        score = torch.where(
            torch.tensor(below < above),
            torch.tensor(special.ndtri(below)),
            -torch.tensor(special.ndtri(above)),
        )
        return score.clamp(-_FAR, _FAR)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at z of shape (M, D), shape (M,), in nats."""
        score = self._score(z)
        score = torch.where(score.abs() < _FAR, score, 1e6)  # where the kernels have no mass
        return self._law.log_ratio(score)[:, 0] + log_standard_normal(z)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (n, D)."""
        noise = torch.randn(n, self._dimensions + 1, generator=generator, dtype=torch.float64)
        score = self._law.inverse(noise[:, :1]).clamp(-_FAR, _FAR)
        tail = special.ndtr(-score.abs().numpy())
        half = self._dimensions / 2
        low = torch.tensor(special.gammaincinv(half, tail))
        high = torch.tensor(special.gammainccinv(half, tail))
        radius = (2 * torch.where(score < 0, low, high)).sqrt()
        direction: Tensor = noise[:, 1:] / noise[:, 1:].norm(dim=1, keepdim=True)
        return direction * radius
