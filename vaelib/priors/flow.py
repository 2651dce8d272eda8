"""A normalising flow that trains with the model."""

from collections.abc import Sequence

import torch
import zuko
from torch import Tensor

from vaelib.priors.base import Prior

__all__ = ["Flow"]


class Flow(Prior):
    """A neural spline flow, autoregressive, that trains with the model from close to N(0, I).

    Args:
        latent_dim: D.
        transforms: autoregressive layers.
        hidden: sizes of the hidden layers of each.
        bins: of each spline, on [-5, 5]; outside, a layer is the identity.

    Raises:
        ValueError: for a D, a number of transforms or a size below 1, or fewer than 2 bins.

    References:
        Durkan et al., Neural spline flows, 2019.
        Chen et al., Variational lossy autoencoder, 2017 (flow priors).
    """

    replicable = False
    closed_form = False
    learned = True

    def __init__(
        self,
        latent_dim: int,
        *,
        transforms: int = 3,
        hidden: Sequence[int] = (32, 32),
        bins: int = 8,
    ) -> None:
        super().__init__(latent_dim)
        if transforms < 1 or bins < 2 or any(size < 1 for size in hidden):
            raise ValueError(
                "expected transforms >= 1, hidden sizes >= 1 and bins >= 2, "
                f"got {transforms}, {list(hidden)} and {bins}"
            )
        self.flow = zuko.flows.NSF(
            latent_dim, transforms=transforms, hidden_features=hidden, bins=bins
        )
        with torch.no_grad():  # splines of small parameters are close to the identity
            for name, parameter in self.flow.named_parameters():
                if name.rpartition(".")[0].endswith(f"hyper.{2 * len(hidden)}"):
                    parameter.mul_(0.1)

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) by the change of variables, shape (...), in nats."""
        weight = next(self.flow.parameters())
        value: Tensor = self.flow().log_prob(z.to(weight.dtype))
        return value

    @torch.no_grad()
    def to_normal(self, z: Tensor) -> Tensor:
        """The noise that the flow turns into z, shape (n, D)."""
        weight = next(self.flow.parameters())
        noise: Tensor = self.flow().transform(z.to(weight.dtype))
        return noise.to(z.dtype)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (count, D)."""
        weight = next(self.flow.parameters())
        noise = torch.randn(count, self.latent_dim, generator=generator)
        z: Tensor = self.flow().transform.inv(noise.to(weight))
        return z.cpu()
