"""Autoencoders: the latents are points, or judged by a discriminator."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from vaelib.models import VAE
from vaelib.objectives.base import Objective, not_negative, positive
from vaelib.priors import Normal, Uniform
from vaelib.replicates import MLP, check_sizes

__all__ = ["AdversarialAE", "Autoencoder", "RegularisedAE"]


class Autoencoder(Objective):
    """Plain autoencoder: reconstruction alone; latents are points."""

    deterministic = True
    priors = (Normal, Uniform)

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        z = model.draw(*model.encode(x), noise)
        return -model.log_likelihood(x, z).mean(-1)


class RegularisedAE(Objective):
    """RAE-L2: reconstruction, |z|² / 2 and the decoder's squared weights; latents are points.

    Args:
        latent_dim: D.
        points: N, the training points.
        beta: weight of |z|² / 2.
        decay: weight of the sum of the decoder's squared parameters.

    Raises:
        ValueError: for a negative weight.

    References:
        Ghosh et al., From variational to deterministic autoencoders, 2020.
    """

    deterministic = True
    priors = (Normal,)

    def __init__(
        self, latent_dim: int, points: int, *, beta: float = 0.1, decay: float = 1e-3
    ) -> None:
        super().__init__(latent_dim, points)
        not_negative(beta=beta, decay=decay)
        self.beta = beta
        self.decay = decay

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        z = model.draw(*model.encode(x), noise)
        replicates = z.dim() - 2
        squares = [p.square().flatten(replicates).sum(-1) for p in model.decoder.parameters()]
        norm = 0.5 * z.square().sum(-1)
        loss = (self.beta * norm - model.log_likelihood(x, z)).mean(-1)
        return loss + self.decay * torch.stack(squares).sum(0)


class AdversarialAE(Objective):
    """Adversarial autoencoder: a discriminator of z against the prior, trained along.

    The encoder minimises -log D(z), the discriminator the cross-entropy; each sees the other's
    parameters as constants, so one optimiser serves both.

    Args:
        latent_dim: D.
        points: N, the training points.
        weight: of the encoder's adversarial term.
        encoder: whether z is a point or drawn from a Gaussian posterior.
        hidden: sizes of the discriminator's hidden layers.

    Raises:
        ValueError: for a weight or size that is not positive.

    References:
        Makhzani et al., Adversarial autoencoders, 2015.
    """

    draws = 2  # the second is the prior's
    priors = (Normal, Uniform)

    def __init__(
        self,
        latent_dim: int,
        points: int,
        *,
        weight: float = 1.0,
        encoder: Literal["deterministic", "gaussian"] = "deterministic",
        hidden: Sequence[int] = (64, 64),
    ) -> None:
        super().__init__(latent_dim, points)
        positive(weight=weight)
        check_sizes("hidden", hidden)
        self.weight = weight
        self.deterministic = encoder == "deterministic"
        self.discriminator = MLP([latent_dim, *hidden, 1], "relu")

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        own, other = noise.chunk(2, -2)
        z, real = model.draw(*model.encode(x), own), model.prior.from_noise(other)
        held = {name: p.detach() for name, p in self.discriminator.named_parameters()}
        judged: Tensor = torch.func.functional_call(self.discriminator, held, (z,))
        fooled = self.weight * F.softplus(-judged).mean((-2, -1))
        right = F.softplus(-self.discriminator(real)) + F.softplus(self.discriminator(z.detach()))
        return fooled + right.mean((-2, -1)) - model.log_likelihood(x, z).mean(-1)
