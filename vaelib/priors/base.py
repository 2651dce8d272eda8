"""What all priors share."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from vaelib.families import Family, GaussianFamily

__all__ = ["Encode", "Prior", "has_map"]

Encode = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Data of shape (..., *data_shape) in, posterior mean and scale of shape (..., D) out."""


class Prior(nn.Module):
    """Base of the priors.

    Args:
        latent_dim: D.

    Attributes:
        family: the posteriors that go with it.
        closed_form: whether ``kl`` is known; otherwise the rate is a Monte Carlo estimate.
        learned: whether it has parameters that train with the model.
        surface: whether it lives on a surface, such as a sphere, so that its density is not one
            with respect to volume.

    Raises:
        ValueError: for D below 1.
    """

    replicable = True
    family: Family = GaussianFamily()
    closed_form = True
    learned = False
    surface = False

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

    def rate(self, mean: Tensor, scale: Tensor, z: Tensor) -> Tensor:
        """The KL of each posterior in closed form, or its unbiased estimate from draws.

        Args:
            mean: posterior means, shape (..., D).
            scale: posterior standard deviations, shape (..., D).
            z: draws of these posteriors, shape (..., D).

        Returns:
            ``kl`` where it is known, else log q(z|x) - log p(z), shape (...), in nats.
        """
        if self.closed_form:
            return self.kl(mean, scale)
        return self.log_ratio(mean, scale, z)

    def log_ratio(self, mean: Tensor, scale: Tensor, z: Tensor) -> Tensor:
        """log q(z|x) - log p(z), shape (...), in nats; arguments as for ``rate``."""
        return self.family.log_prob(z, mean, scale) - self.log_prob(z)

    def from_noise(self, noise: Tensor) -> Tensor:
        """Draws of the prior, shape (..., D), from standard normal noise of that shape."""
        raise NotImplementedError

    def to_normal(self, z: Tensor) -> Tensor | None:
        """z in the coordinates in which the prior is N(0, I), the inverse of ``from_noise``.

        No KL changes under such a map. It counts for the class whose ``log_prob`` it belongs to: a
        subclass with another density has another map, or none.

        Args:
            z: shape (n, D).

        Returns:
            Shape (n, D); None where no such map is known.
        """
        return None

    def bind(self, data_shape: Sequence[int]) -> None:
        """Told the shape of one data point when a model is built."""

    def prepare(self, x: Tensor, generator: torch.Generator) -> None:
        """Told the training data before training.

        Args:
            x: training points, shape (N, *data_shape).
            generator: random stream, on the CPU.
        """

    def resolve(self, encode: Encode) -> "Prior":
        """The prior at the present parameters of the encoder: itself, unless it depends on them.

        Args:
            encode: of the model.

        Returns:
            A prior that can be evaluated and sampled.
        """
        return self


def has_map(prior: Prior) -> bool:
    """Whether ``to_normal`` belongs to the density: no class below the one that has it changes it.

    Args:
        prior: any.

    Returns:
        False, too, where there is no such map.
    """
    kinds = type(prior).__mro__
    owner = {
        name: next((i for i, kind in enumerate(kinds) if name in vars(kind)), len(kinds))
        for name in ("to_normal", "log_prob")
    }
    own = kinds[min(owner["to_normal"], len(kinds) - 1)] is not Prior
    if not own or not owner["to_normal"] <= owner["log_prob"] < len(kinds):
        return False
    place = next(prior.parameters(), next(prior.buffers(), torch.empty(0))).device
    with torch.no_grad():
        return prior.to_normal(torch.zeros(1, prior.latent_dim, device=place)) is not None
