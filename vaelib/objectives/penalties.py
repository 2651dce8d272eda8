"""Objectives with a penalty that draws the aggregate posterior to the prior."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from vaelib.models import VAE
from vaelib.numerics.gaussian_kernel import gaussian, normal_terms
from vaelib.objectives.base import Objective, not_negative, positive
from vaelib.priors import Normal

__all__ = ["DIP", "WAE", "InfoVAE", "mmd_squared_loss"]


class DIP(Objective):
    """DIP-VAE: the ELBO, and the covariance of the aggregate posterior drawn to the identity.

    Kind I takes the covariance of the posterior means, kind II that of z itself; both over the
    batch.

    Args:
        latent_dim: D.
        points: N, the training points.
        kind: ``"I"`` or ``"II"``.
        off_diagonal: weight of the squared covariances.
        diagonal: weight of the squared departures of the variances from 1.

    Raises:
        ValueError: for a negative weight.

    References:
        Kumar et al., Variational inference of disentangled latent concepts, 2018.
    """

    priors = (Normal,)

    def __init__(
        self,
        latent_dim: int,
        points: int,
        *,
        kind: Literal["I", "II"] = "II",
        off_diagonal: float = 10.0,
        diagonal: float = 10.0,
    ) -> None:
        super().__init__(latent_dim, points)
        not_negative(off_diagonal=off_diagonal, diagonal=diagonal)
        if kind not in ("I", "II"):
            raise ValueError(f"kind must be I or II, got {kind!r:.60}")
        self.kind = kind
        self.off_diagonal = off_diagonal
        self.diagonal = diagonal

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        mean, scale = model.encode(x)
        z = model.draw(mean, scale, noise)
        bound = (model.log_likelihood(x, z) - model.rate(mean, scale, z)).mean(-1)
        offset = mean - mean.mean(-2, keepdim=True)
        covariance = offset.mT @ offset / mean.shape[-2]
        variance = covariance.diagonal(dim1=-2, dim2=-1)
        off = covariance.square().sum((-2, -1)) - variance.square().sum(-1)
        if self.kind == "II":
            variance = variance + scale.square().mean(-2)
        return self.off_diagonal * off + self.diagonal * (variance - 1).square().sum(-1) - bound


class InfoVAE(Objective):
    """InfoVAE: the ELBO with part of its KL replaced by an MMD to the prior.

        -E log p(x|z) + (1 - alpha) KL(q(z|x) || p) + (alpha + weight - 1) MMD²(q, p)

    The MMD is the ``mmd_squared`` that is reported: Gaussian kernel, closed form on the side of the
    prior, unbiased, here on one z per point of the batch.

    Args:
        latent_dim: D.
        points: N, the training points.
        alpha: share of the KL that is left out; 1 gives an MMD-VAE.
        weight: lambda.
        bandwidths: of the kernel, in units of √D; the mean over them. 1 is the reported one.

    Raises:
        ValueError: for a weight or bandwidth that is not positive, or an alpha outside [0, 1].

    References:
        Zhao et al., InfoVAE: balancing learning and inference in variational autoencoders, 2019.
    """

    priors = (Normal,)

    def __init__(
        self,
        latent_dim: int,
        points: int,
        *,
        alpha: float = 0.5,
        weight: float = 100.0,
        bandwidths: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__(latent_dim, points)
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], got {alpha}")
        positive(weight=weight)
        self.alpha = alpha
        self.weight = weight
        self.bandwidths = _bandwidths(bandwidths, latent_dim)

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        mean, scale = model.encode(x)
        z = model.draw(mean, scale, noise)
        discrepancy = mmd_squared_loss(z, self.bandwidths).mean(-1)
        rate = (1 - self.alpha) * model.rate(mean, scale, z)
        loss = (rate - model.log_likelihood(x, z)).mean(-1)
        return loss + (self.alpha + self.weight - 1) * discrepancy


def _bandwidths(factors: Sequence[float], latent_dim: int) -> tuple[float, ...]:
    if not factors or not all(0 < factor < math.inf for factor in factors):
        raise ValueError(f"bandwidths must hold positive numbers, got {list(factors)}")
    return tuple(factor * latent_dim**0.5 for factor in factors)


class WAE(Objective):
    """WAE-MMD: reconstruction, and an MMD that draws the encoded data to the prior.

    The MMD is the ``mmd_squared`` that is reported, see ``InfoVAE``.

    Args:
        latent_dim: D.
        points: N, the training points.
        weight: lambda, of MMD².
        encoder: whether z is a point or drawn from a Gaussian posterior.
        bandwidths: of the kernel, in units of √D; the mean over them. 1 is the reported one.

    Raises:
        ValueError: for a weight or bandwidth that is not positive.

    References:
        Tolstikhin et al., Wasserstein auto-encoders, 2018.
    """

    priors = (Normal,)

    def __init__(
        self,
        latent_dim: int,
        points: int,
        *,
        weight: float = 100.0,
        encoder: Literal["deterministic", "gaussian"] = "deterministic",
        bandwidths: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__(latent_dim, points)
        positive(weight=weight)
        self.weight = weight
        self.deterministic = encoder == "deterministic"
        self.bandwidths = _bandwidths(bandwidths, latent_dim)

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        z = model.draw(*model.encode(x), noise)
        discrepancy = mmd_squared_loss(z, self.bandwidths).mean(-1)
        return self.weight * discrepancy - model.log_likelihood(x, z).mean(-1)


def mmd_squared_loss(z: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """Unbiased Gaussian-kernel MMD² of points to N(0, I), with gradients, in the precision of z.

    In float64 it is :func:`vaelib.stats.mmd.mmd_squared_normal_unbiased`.

    Args:
        z: points, shape (..., n, D), n >= 2; all n² D differences are held at once.
        bandwidths: h of the kernel.

    Returns:
        MMD² in squared kernel units, one per bandwidth in the last axis; may be negative.
    """
    n = z.shape[-2]
    squared = (z.unsqueeze(-2) - z.unsqueeze(-3)).square().sum(-1)
    sums = torch.stack([gaussian(squared, h).sum((-2, -1)) for h in bandwidths], -1)
    return (sums - n) / (n * (n - 1)) + normal_terms(z, bandwidths)
