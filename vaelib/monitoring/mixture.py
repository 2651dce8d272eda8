"""A mixture of diagonal Gaussians that is updated from call to call.

It keeps sums of memberships, means and squares, forgets them as new inputs come, and takes a few
steps of EM on what is new: online EM. As in :mod:`vaelib.stats.stack.mixtures` it is fitted to
posteriors, whose variances count as squares.

References:
    Cappé and Moulines (2009), On-line expectation-maximization algorithm for latent data models,
    Journal of the Royal Statistical Society B 71.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.mixtures import MixtureCandidate

__all__ = ["OnlineMixture"]

_COMPONENTS = 10
_EACH = 50  # inputs per component, as in a mixture that is fitted once
_MEMORY = 2000  # inputs: what is older is forgotten
_STEPS = 4
_RARE = 0.1  # of an equal share: a component with less begins anew


class OnlineMixture:
    """Σ_k π_k N(μ_k, diag v_k), K up to 10.

    Args:
        sums: What an earlier run kept: of each component its size, Σ r m and Σ r (m² + scale²), r
            the memberships, shape (K, 1 + 2D).
    """

    def __init__(self, sums: Tensor | None = None) -> None:
        self.sums = sums

    def update(self, data: Posteriors, generator: torch.Generator) -> None:
        """Learn from new inputs, and forget about as many of the old.

        Args:
            data: Posteriors of shape (N, D).
            generator: Random stream of where components begin.
        """
        count = len(data.mean)
        one = torch.ones(count, 1, dtype=torch.float64)
        features = torch.cat([one, data.mean, data.mean.square() + data.scale.square()], 1)
        old = torch.zeros(0, features.shape[1], dtype=torch.float64)
        if self.sums is not None:
            old = self.sums * max(0.0, 1 - count / _MEMORY)
        sums = self._with_new(old, features, generator)
        for _ in range(_STEPS):
            resp = _memberships(features, *_fit(sums))
            kept = torch.zeros_like(sums)
            kept[: len(old)] = old
            sums = kept + resp.T @ features
        self.sums = sums

    def candidate(self) -> MixtureCandidate | None:
        """The mixture as it is; None before the first update."""
        if self.sums is None:
            return None
        shares, means, variances = _fit(self.sums)
        return MixtureCandidate(shares, means, variances.sqrt())

    def _with_new(self, old: Tensor, features: Tensor, generator: torch.Generator) -> Tensor:
        """Components, those added that there are inputs for, rare ones begun at random inputs."""
        every = torch.cat([old.sum(0, keepdim=True), features]).sum(0)
        wanted = max(1, min(_COMPONENTS, int(every[0]) // _EACH))
        share = every[0] / max(wanted, len(old))
        fresh = wanted - len(old)
        sums = torch.cat([old, old.new_zeros(max(0, fresh), old.shape[1])])
        begin = sums[:, 0] < _RARE * share
        where = torch.randint(len(features), (int(begin.sum()),), generator=generator)
        centre, square = (every[1:] / every[0]).chunk(2)
        start = features[where].clone()
        half = (start.shape[1] - 1) // 2
        start[:, 1 + half :] = start[:, 1 : 1 + half].square() + (square - centre.square())
        sums[begin] = share * start
        return sums


def _fit(sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Shares (K,), means (K, D) and variances (K, D), shrunk to the pooled ones."""
    size = sums[:, :1].clamp_min(1e-9)
    mean, square = (sums[:, 1:] / size).chunk(2, 1)
    variance = (square - mean.square()).clamp_min(0)
    pooled = ((size * variance).sum(0) / size.sum()).clamp_min(1e-12)
    pseudo = mean.shape[1] + 2
    variance = (size * variance + pseudo * pooled) / (size + pseudo)
    return size[:, 0] / size.sum(), mean, variance


def _memberships(features: Tensor, shares: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """E step: shape (N, K), from E log N(z; μ_k, v_k) of each posterior."""
    precise = variances.reciprocal()
    constant = shares.log() - 0.5 * (variances.log() + means.square() * precise).sum(1)
    constant = constant - 0.5 * means.shape[1] * math.log(2 * math.pi)
    coefficients = torch.cat([constant[:, None], precise * means, -0.5 * precise], 1)
    return torch.softmax(features @ coefficients.T, 1)
