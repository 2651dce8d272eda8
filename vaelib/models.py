"""VAE = encoder + prior + decoder + likelihood."""

import torch
from torch import Tensor, nn

from vaelib.families import Family, PointFamily
from vaelib.likelihoods import Likelihood
from vaelib.priors import Prior

__all__ = ["BATCH", "VAE"]

BATCH = 1024
"""Data points encoded or decoded at once, without gradients: as many as a processor's cache holds
of the hidden layers. Convolutions of 4,096 take up to twice as long."""


class VAE(nn.Module):
    """A variational autoencoder with posteriors that factorise over the latent dimensions.

    Any ``nn.Module`` of the right shapes serves as encoder and decoder. All methods also take
    inputs with a leading replicate axis when the parameters carry one.

    Args:
        encoder: maps (..., *data_shape) to (..., 2 D), the parameters of a posterior.
        prior: p(z).
        decoder: maps (..., D) to (..., *data_shape).
        likelihood: p(x|z).
        family: of the posteriors; without one, that of the prior.

    Attributes:
        products: type of the products within encoder and decoder, by ``torch.autocast``; None, as
            at first, for that of their inputs. What they return has the type of their inputs.

    Raises:
        ValueError: for a family that does not go with the prior.

    References:
        Kingma and Welling, Auto-encoding variational Bayes, 2014.
    """

    replicable = True

    def __init__(
        self,
        encoder: nn.Module,
        prior: Prior,
        decoder: nn.Module,
        likelihood: Likelihood,
        family: Family | None = None,
    ) -> None:
        super().__init__()
        self.family = prior.family if family is None else family
        if self.family not in (prior.family, PointFamily()):
            raise ValueError(
                f"a prior {type(prior).__name__} goes with posteriors {prior.family}, "
                f"got {self.family}"
            )
        self.encoder = encoder
        self.prior = prior
        self.decoder = decoder
        self.likelihood = likelihood
        self.products: torch.dtype | None = None
        prior.bind(likelihood.data_shape)

    @property
    def latent_dim(self) -> int:
        """D."""
        return self.prior.latent_dim

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior of each data point.

        Args:
            x: data, shape (..., *data_shape).

        Returns:
            Mean and scale, each of shape (..., D).
        """
        return self.family.parameters(self._through(self.encoder, x))

    def draw(self, mean: Tensor, scale: Tensor, noise: Tensor) -> Tensor:
        """Latents of shape (..., D), from posteriors and standard normal noise of that shape."""
        return self.family.draw(mean, scale, noise)

    def rate(self, mean: Tensor, scale: Tensor, z: Tensor) -> Tensor:
        """KL of each posterior to the prior, shape (...), in nats.

        Args:
            mean: posterior means, shape (..., D).
            scale: posterior standard deviations, shape (..., D).
            z: draws of these posteriors, shape (..., D).

        Returns:
            In closed form where the prior has one, else estimated from the draws.
        """
        return self.resolved_prior().rate(mean, scale, z)

    def log_ratio(self, mean: Tensor, scale: Tensor, z: Tensor) -> Tensor:
        """log q(z|x) - log p(z), shape (...), in nats; arguments as for ``rate``."""
        return self.resolved_prior().log_ratio(mean, scale, z)

    def resolved_prior(self) -> Prior:
        """The prior at the present parameters, which a VampPrior takes from the encoder."""
        return self.prior.resolve(self.encode)

    def prepare(self, x: Tensor, generator: torch.Generator) -> None:
        """Prepare for training: check the prior against the data, begin pseudo-inputs there.

        Args:
            x: training points, shape (N, *data_shape).
            generator: random stream, on the CPU.
        """
        self.prior.prepare(x, generator)

    @torch.no_grad()
    def finish(self, x: Tensor, generator: torch.Generator, batch_size: int = BATCH) -> None:
        """Freeze after training what is fitted in closed form: a calibrated scale of the pixels.

        Nothing is decoded for a likelihood that has nothing to calibrate.

        Args:
            x: training points, shape (N, *data_shape).
            generator: random stream, on the CPU.
            batch_size: points decoded at once.
        """
        if type(self.likelihood).calibrate is Likelihood.calibrate:
            return
        total = 0.0
        for part in torch.split(x, batch_size):
            mean, scale = self.encode(part)
            noise = torch.randn(mean.shape, generator=generator).to(mean)
            error = part - self.decode(self.draw(mean, scale, noise))
            total += float(error.double().square().sum())
        self.likelihood.calibrate(total / x.numel())

    def decode(self, z: Tensor) -> Tensor:
        """E[x|z] of shape (..., *data_shape) for latents of shape (..., D)."""
        return self.likelihood.mean(self._through(self.decoder, z))

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) of shape (...), in nats."""
        return self.likelihood.log_prob(self._through(self.decoder, z), x)

    def _through(self, network: nn.Module, inputs: Tensor) -> Tensor:
        if self.products is None:
            out: Tensor = network(inputs)
            return out
        with torch.autocast(inputs.device.type, self.products):
            out = network(inputs)
        return out.to(inputs.dtype)

    @torch.no_grad()
    def posterior(self, x: Tensor, batch_size: int = BATCH) -> tuple[Tensor, Tensor]:
        """Posterior of many data points, in batches, without gradients.

        Args:
            x: data, shape (n, *data_shape).
            batch_size: data points encoded at once.

        Returns:
            Mean and scale, each of shape (n, D).
        """
        batches = [self.encode(batch) for batch in torch.split(x, batch_size)]
        return torch.cat([m for m, _ in batches]), torch.cat([s for _, s in batches])
