"""Priors p(z).

Keyword-only arguments are the options that a matrix may set.
"""

import math

import torch
from torch import Tensor, nn

__all__ = ["PRIORS", "Normal", "Prior"]


class Prior(nn.Module):
    """Base of the priors.

    Args:
        latent_dim: D.

    Raises:
        ValueError: for D below 1.
    """

    stackable = True

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1, got {latent_dim}")
        self.latent_dim = latent_dim

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) of shape (...), in nats, for z of shape (..., D)."""
        raise NotImplementedError

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (count, D)."""
        raise NotImplementedError

    def kl(self, mean: Tensor, scale: Tensor) -> Tensor:
        """KL(N(mean, diag scale^2) || p) of each posterior, in nats.

        Args:
            mean: posterior means, shape (..., D).
            scale: posterior standard deviations, shape (..., D).

        Returns:
            One divergence per posterior, shape (...).
        """
        raise NotImplementedError


class Normal(Prior):
    """The standard normal N(0, I).

    Args:
        latent_dim: D.

    Example:
        >>> prior = Normal(2)
        >>> prior.kl(torch.zeros(1, 2), torch.ones(1, 2))
        tensor([0.])
    """

    def log_prob(self, z: Tensor) -> Tensor:
        """log N(z; 0, I), shape (...), in nats."""
        return -0.5 * (z.square().sum(-1) + self.latent_dim * math.log(2 * math.pi))

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (count, D)."""
        return torch.randn(count, self.latent_dim, generator=generator)

    def kl(self, mean: Tensor, scale: Tensor) -> Tensor:
        """Closed form: sum over D of (scale^2 + mean^2 - 1) / 2 - log scale, shape (...)."""
        return 0.5 * (scale.square() + mean.square() - 1 - 2 * scale.log()).sum(-1)


PRIORS: dict[str, type[Prior]] = {"normal": Normal}
