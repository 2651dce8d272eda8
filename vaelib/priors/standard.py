"""Priors without parameters: the standard normal, the uniform on a box."""

import math

import torch
from torch import Tensor

from vaelib.families import BoxFamily
from vaelib.priors.base import Prior

__all__ = ["Normal", "Uniform"]


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

    def from_noise(self, noise: Tensor) -> Tensor:
        """The noise itself."""
        return noise

    def kl(self, mean: Tensor, scale: Tensor) -> Tensor:
        """Closed form: sum over D of (scale^2 + mean^2 - 1) / 2 - log scale, shape (...)."""
        return 0.5 * (scale.square() + mean.square() - 1 - 2 * scale.log()).sum(-1)


class Uniform(Prior):
    """Uniform on [low, high]^D, with posteriors that are uniform on boxes inside it.

    Under the whole KL term from the first step on boxes soon widen to the support and stay there; a
    warm-up of it prevents that.

    Args:
        latent_dim: D.
        low: lower end in every dimension.
        high: upper end.

    Raises:
        ValueError: for a D below 1 or ends that are not in order.

    Example:
        >>> prior = Uniform(1, low=0.0, high=10.0)
        >>> prior.kl(torch.tensor([[0.5]]), torch.tensor([[12**-0.5]]))  # the box from 0 to 1
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

    def from_noise(self, noise: Tensor) -> Tensor:
        """Uniform draws by the normal distribution function, shape (..., D)."""
        uniform: Tensor = torch.special.ndtr(noise)
        return self.low + (self.high - self.low) * uniform

    def to_normal(self, z: Tensor) -> Tensor:
        """Quantiles of N(0, 1), shape (n, D); on the edges those just inside, NaN outside."""
        share, least = (z - self.low) / (self.high - self.low), torch.finfo(z.dtype).eps / 2
        scores: Tensor = torch.special.ndtri(share.clamp(least, 1 - least))
        return scores.where((share >= 0) & (share <= 1), math.nan)

    def kl(self, mean: Tensor, scale: Tensor) -> Tensor:
        """Closed form: sum over D of log((high - low) / width), width = sqrt(12) scale."""
        return (self._log_range - 0.5 * math.log(12) - scale.log()).sum(-1)

    @property
    def _log_range(self) -> float:
        return math.log(self.high - self.low)
