"""Posterior families q(z|x): what the numbers of an encoder mean.

Every family is described by a mean and a scale, its standard deviation, per dimension; what differs
is the shape between them. A prior names the family that goes with it.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["BoxFamily", "Family", "GaussianFamily", "PointFamily"]

_WIDTH = math.sqrt(12)  # of a uniform law, in standard deviations


@dataclass(frozen=True)
class Family:
    """Base of the families."""

    def parameters(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and scale, each of shape (..., D), from an encoder's output, shape (..., 2 D)."""
        raise NotImplementedError

    def draw(self, mean: Tensor, scale: Tensor, noise: Tensor) -> Tensor:
        """Reparametrised draws, shape (..., D), from standard normal noise of that shape."""
        raise NotImplementedError

    def log_prob_per_dimension(self, z: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """log q(z_j|x) of every dimension, shape (..., D), in nats."""
        raise NotImplementedError

    def log_prob(self, z: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """log q(z|x), shape (...), in nats."""
        return self.log_prob_per_dimension(z, mean, scale).sum(-1)


@dataclass(frozen=True)
class GaussianFamily(Family):
    """N(mean, diag scale^2)."""

    def parameters(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """The halves of the output: mean, and scale by its logarithm."""
        mean, log_scale = output.chunk(2, -1)
        return mean, log_scale.exp()

    def draw(self, mean: Tensor, scale: Tensor, noise: Tensor) -> Tensor:
        """Reparametrised: mean + scale noise."""
        return mean + scale * noise

    def log_prob_per_dimension(self, z: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """Normal log densities, shape (..., D), in nats."""
        standard = (z - mean) / scale
        return -0.5 * standard.square() - scale.log() - 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class BoxFamily(Family):
    """Uniform on a box inside [low, high]^D, of width sqrt(12) scale around its mean.

    Attributes:
        low: lower end of the support in every dimension.
        high: upper end.
    """

    low: float
    high: float

    def parameters(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """Centre and width / sqrt(12) of boxes, none of which leaves the support.

        Args:
            output: (a, b) of shape (..., 2 D).

        Returns:
            With l = high - low, the width is l sigmoid(b), the lower edge is
            low + (l - width) sigmoid(a).
        """
        place, size = output.chunk(2, -1)
        width = (self.high - self.low) * size.sigmoid()
        mean = self.low + width / 2 + (self.high - self.low - width) * place.sigmoid()
        return mean, width / _WIDTH

    def draw(self, mean: Tensor, scale: Tensor, noise: Tensor) -> Tensor:
        """Reparametrised: Phi(noise) is uniform on (0, 1)."""
        uniform: Tensor = torch.special.ndtr(noise)
        z = mean + _WIDTH * scale * (uniform - 0.5)
        return z.clamp(self.low, self.high)

    def log_prob_per_dimension(self, z: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """-log width inside the box, -inf outside, shape (..., D), in nats."""
        slack = 4 * torch.finfo(z.dtype).eps * max(abs(self.low), abs(self.high))
        inside = (z - mean).abs() <= _WIDTH / 2 * scale + slack
        return -(_WIDTH * scale).log() + torch.where(inside, 0.0, -math.inf)


@dataclass(frozen=True)
class PointFamily(Family):
    """A point: the latent of a deterministic encoder, scale 0. It has no density."""

    def parameters(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """The first half of the output, and zeros; the second half is not used."""
        mean, _ = output.chunk(2, -1)
        return mean, torch.zeros_like(mean)

    def draw(self, mean: Tensor, scale: Tensor, noise: Tensor) -> Tensor:
        """The mean, whatever the noise, in the shape of the noise."""
        return mean + torch.zeros_like(noise)

    def log_prob_per_dimension(self, z: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """Not defined.

        Raises:
            ValueError: always.
        """
        raise ValueError("a deterministic encoder has no posterior density")
