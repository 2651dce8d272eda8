"""Priors p(z), each with the family of posteriors that goes with it.

Keyword-only arguments are the options that a matrix may set.
"""

import math

import torch
from torch import Tensor, nn

from vaelib.families import BoxFamily, Family, GaussianFamily

__all__ = ["PRIORS", "Normal", "Prior", "Uniform"]


class Prior(nn.Module):
    """Base of the priors.

    Args:
        latent_dim: D.

    Attributes:
        family: the posteriors that go with it.

    Raises:
        ValueError: for D below 1.
    """

    stackable = True
    family: Family = GaussianFamily()

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
        """KL(q(z|x) || p) of each posterior of the family, in nats.

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


class Uniform(Prior):
    """Uniform on [low, high]^D, with posteriors that are uniform on boxes inside it.

    Args:
        latent_dim: D.
        low: lower end in every dimension.
        high: upper end.

    Raises:
        ValueError: for a D below 1 or ends that are not in order.

    Example:
        >>> prior = Uniform(1, low=0.0, high=10.0)
        >>> prior.kl(torch.tensor([[0.5]]), torch.tensor([[12**-0.5]]))  # the block from 0 to 1
        tensor([2.3026])
    """

    def __init__(self, latent_dim: int, *, low: float = 0.0, high: float = 10.0) -> None:
        super().__init__(latent_dim)
        if not low < high:
            raise ValueError(f"low must be below high, got {low:g} and {high:g}")
        self.low = low
        self.high = high
        self.family = BoxFamily(low, high)

    def log_prob(self, z: Tensor) -> Tensor:
        """-D log(high - low) inside, -inf outside, shape (...), in nats."""
        inside = ((z >= self.low) & (z <= self.high)).all(-1)
        return z.new_zeros(()).where(inside, -math.inf) - self.latent_dim * self._log_range

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (count, D)."""
        uniform = torch.rand(count, self.latent_dim, generator=generator)
        return self.low + (self.high - self.low) * uniform

    def kl(self, mean: Tensor, scale: Tensor) -> Tensor:
        """Closed form: sum over D of log((high - low) / width), width = sqrt(12) scale."""
        return (self._log_range - 0.5 * math.log(12) - scale.log()).sum(-1)

    @property
    def _log_range(self) -> float:
        return math.log(self.high - self.low)


PRIORS: dict[str, type[Prior]] = {"normal": Normal, "uniform": Uniform}
