"""Gaussian mixtures that train with the model: free ones, and posteriors of pseudo-inputs."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vaelib.priors.base import Encode, Prior

__all__ = ["Mixture", "VampPrior"]


class _GaussianMixture(Prior):
    """A mixture of diagonal Gaussians; its parts may carry a leading replicate axis."""

    closed_form = False

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and scale, each of shape (..., K, D), and log weights of shape (..., K)."""
        raise NotImplementedError

    def log_prob(self, z: Tensor) -> Tensor:
        """log sum_k w_k N(z; mean_k, diag scale_k^2), shape (...), in nats."""
        mean, scale, log_weight = self.parts()
        if mean.dim() > 2:  # replicates: one set of parts for all points of each
            mean, scale, log_weight = (v.unsqueeze(1) for v in (mean, scale, log_weight))
        logs = self.family.log_prob(z.unsqueeze(-2), mean, scale)
        return (logs + log_weight).logsumexp(-1)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Independent draws, shape (count, D)."""
        mean, scale, log_weight = (value.cpu() for value in self.parts())
        chosen = torch.multinomial(log_weight.exp(), count, replacement=True, generator=generator)
        noise = torch.randn(count, self.latent_dim, generator=generator)
        return mean[chosen] + scale[chosen] * noise


class Mixture(_GaussianMixture):
    """A mixture of diagonal Gaussians whose weights, means and scales train with the model.

    At the start the means are draws of N(0, 3/4) and the scales 1/2, so it is close to N(0, I).

    Args:
        latent_dim: D.
        components: K.

    Raises:
        ValueError: for a D or K below 1.

    References:
        Dilokthanakul et al., Deep unsupervised clustering with Gaussian mixture VAEs, 2016.
    """

    learned = True

    def __init__(self, latent_dim: int, *, components: int = 10) -> None:
        super().__init__(latent_dim)
        _check_components(components)
        self.mean = nn.Parameter(0.75**0.5 * torch.randn(components, latent_dim))
        self.log_scale = nn.Parameter(torch.full((components, latent_dim), math.log(0.5)))
        self.logits = nn.Parameter(torch.zeros(components))

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and scale, each of shape (..., K, D), and log weights of shape (..., K)."""
        return self.mean, self.log_scale.exp(), self.logits.log_softmax(-1)

    def prepare(self, x: Tensor, generator: torch.Generator) -> None:
        """Refuse more components than training points.

        Args:
            x: training points, shape (N, *data_shape).
            generator: not used.
        """
        _check_components(len(self.logits), len(x))


class VampPrior(_GaussianMixture):
    """The mean of the posteriors of K pseudo-inputs, which train with the model.

    Pseudo-inputs start as distinct training points and are not confined to the data's range. The
    prior depends on the encoder: ``resolve`` gives the mixture of the moment.

    Args:
        latent_dim: D.
        components: K.

    Raises:
        ValueError: for a D or K below 1.

    References:
        Tomczak and Welling, VAE with a VampPrior, 2018.
    """

    learned = True

    def __init__(self, latent_dim: int, *, components: int = 50) -> None:
        super().__init__(latent_dim)
        _check_components(components)
        self.components = components

    def bind(self, data_shape: Sequence[int]) -> None:
        """Make the pseudo-inputs, uniform on [0, 1] until training begins."""
        self.inputs = nn.Parameter(torch.rand(self.components, *data_shape))

    @torch.no_grad()
    def prepare(self, x: Tensor, generator: torch.Generator) -> None:
        """Begin with K distinct training points.

        Args:
            x: training points, shape (N, *data_shape).
            generator: random stream, on the CPU.
        """
        _check_components(self.components, len(x))
        chosen = torch.randperm(len(x), generator=generator)[: self.components]
        self.inputs.copy_(x[chosen.to(x.device)])

    def resolve(self, encode: Encode) -> Prior:
        """The mixture of the pseudo-inputs' posteriors.

        Args:
            encode: of the model.

        Returns:
            A mixture of K components of equal weight.
        """
        return _Fixed(*encode(self.inputs))

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Not known without the encoder.

        Raises:
            ValueError: always.
        """
        raise ValueError("a VampPrior depends on its encoder: use model.resolved_prior()")


class _Fixed(_GaussianMixture):
    """A mixture of K components of equal weight that are given."""

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__(mean.shape[-1])
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and scale, each of shape (..., K, D), and log weights of shape (..., K)."""
        mean, scale = self.get_buffer("mean"), self.get_buffer("scale")
        return mean, scale, torch.full_like(mean[..., 0], -math.log(mean.shape[-2]))


def _check_components(components: int, points: int | None = None) -> None:
    if components < 1:
        raise ValueError(f"components must be at least 1, got {components}")
    if points is not None and components > points:
        raise ValueError(
            f"components must be at most the {points} training points, got {components}"
        )
