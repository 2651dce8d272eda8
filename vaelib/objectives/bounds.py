"""Bounds of the evidence, and the one whose KL term is weighted in parts."""

import math

import torch
from torch import Tensor

from vaelib.models import VAE
from vaelib.objectives.base import Objective, not_negative

__all__ = ["ELBO", "IWAE", "BetaTC", "stratified_log_weights"]


class ELBO(Objective):
    """Negative evidence lower bound, its KL term weighted by beta.

    Args:
        latent_dim: D.
        points: N, the training points.
        beta: weight of the KL term; 1 gives the bound itself.
        warmup: share of the training over which the weight rises from 0 to beta.

    Raises:
        ValueError: for a negative beta or a warm-up outside [0, 1].

    References:
        Kingma and Welling, Auto-encoding variational Bayes, 2014.
        Higgins et al., beta-VAE, 2017.
        Sønderby et al., Ladder variational autoencoders, 2016 (warm-up).
    """

    def __init__(
        self, latent_dim: int, points: int, *, beta: float = 1.0, warmup: float = 0.0
    ) -> None:
        super().__init__(latent_dim, points)
        not_negative(beta=beta)
        if not 0 <= warmup <= 1:
            raise ValueError(f"warmup must be a share of the training in [0, 1], got {warmup}")
        self.beta = beta
        self.warmup = warmup

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        beta = self.beta
        if progress < self.warmup:
            beta *= progress / self.warmup
        mean, scale = model.encode(x)
        z = model.draw(mean, scale, noise)
        return (beta * model.rate(mean, scale, z) - model.log_likelihood(x, z)).mean(-1)


class IWAE(Objective):
    """Negative importance weighted bound, -log of the mean of K weights p(x, z) / q(z|x).

    One draw gives the ELBO with its KL estimated from the draw.

    Args:
        latent_dim: D.
        points: N, the training points.
        draws: K.

    Raises:
        ValueError: for K below 1.

    References:
        Burda et al., Importance weighted autoencoders, 2016.
    """

    def __init__(self, latent_dim: int, points: int, *, draws: int = 5) -> None:
        super().__init__(latent_dim, points)
        if draws < 1:
            raise ValueError(f"draws must be at least 1, got {draws}")
        self.draws = draws

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        mean, scale = (torch.cat([part] * self.draws, -2) for part in model.encode(x))
        copies = torch.cat([x] * self.draws, -1 - len(model.likelihood.data_shape))
        z = model.draw(mean, scale, noise)
        log_weight = model.log_likelihood(copies, z) - model.log_ratio(mean, scale, z)
        log_weight = log_weight.view(*log_weight.shape[:-1], self.draws, -1)
        return (math.log(self.draws) - log_weight.logsumexp(-2)).mean(-1)


class BetaTC(Objective):
    """beta-TCVAE: the KL term in three parts, the total correlation weighted by beta.

        KL = I(n; z) + KL(q(z) || prod_j q(z_j)) + [E log prod_j q(z_j) - log p(z)]

    The densities of the aggregate posterior are estimated on the batch with stratified weights: 1/N
    for the component that z was drawn from, (N - 1) / N shared by the others of the batch. With
    all weights 1 the loss is that of IWAE with one draw.

    Args:
        latent_dim: D.
        points: N, the training points.
        alpha: weight of the mutual information.
        beta: weight of the total correlation.
        gamma: weight of the dimension-wise part.

    Raises:
        ValueError: for a negative weight.

    References:
        Chen et al., Isolating sources of disentanglement in VAEs, 2018.
    """

    def __init__(
        self,
        latent_dim: int,
        points: int,
        *,
        alpha: float = 1.0,
        beta: float = 6.0,
        gamma: float = 1.0,
    ) -> None:
        super().__init__(latent_dim, points)
        not_negative(alpha=alpha, beta=beta, gamma=gamma)
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        mean, scale = model.encode(x)
        z = model.draw(mean, scale, noise)
        logs = model.family.log_prob_per_dimension(
            z.unsqueeze(-2), mean.unsqueeze(-3), scale.unsqueeze(-3)
        )
        weights = stratified_log_weights(mean.shape[-2], self.points).to(z)
        joint = (logs.sum(-1) + weights).logsumexp(-1)
        product = (logs + weights.unsqueeze(-1)).logsumexp(-2).sum(-1)
        own = model.family.log_prob(z, mean, scale)
        prior = own - model.log_ratio(mean, scale, z)
        information, correlation, rest = own - joint, joint - product, product - prior
        cost = self.alpha * information + self.beta * correlation + self.gamma * rest
        return (cost - model.log_likelihood(x, z)).mean(-1)


def stratified_log_weights(batch: int, points: int) -> Tensor:
    """Log weights with which a batch estimates the density of the aggregate posterior.

    Over the batches that hold i, the mean of sum_j w_ij q_j(z) is q_N(z).

    Args:
        batch: B points in the batch, drawn without replacement.
        points: N points in all.

    Returns:
        log w_ij of shape (B, B): w_ii = 1 / N and w_ij = (N - 1) / (N (B - 1)).
    """
    others = (points - 1) / (points * (batch - 1)) if batch > 1 else 1.0
    own = torch.eye(batch, dtype=torch.bool)
    return torch.full((batch, batch), math.log(others)).masked_fill(own, -math.log(points))
