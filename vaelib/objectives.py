"""Training objectives.

An objective turns a model, a batch and its noise into the loss of one model: averaged over the
batch, in nats per data point, and computed on the last axes, so that a leading replicate axis
passes through. One that has parameters of its own, such as a discriminator, trains them with the
model. Keyword-only arguments are the options that a matrix may set.
"""

from torch import Tensor, nn

from vaelib.models import VAE

__all__ = ["OBJECTIVES", "ELBO", "Objective"]


class Objective(nn.Module):
    """Base of the objectives.

    Args:
        latent_dim: D.
        points: N, the training points.

    Attributes:
        draws: K, latent draws per data point and step.
    """

    stackable = True
    draws = 1

    def __init__(self, latent_dim: int, points: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.points = points

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point.

        Args:
            model: the model.
            x: batch, shape (..., n, *data_shape).
            noise: standard normal draws, shape (..., K n, D); draw k of data point i is row
                k n + i.
            progress: share of the training steps that are done, in [0, 1).
        """
        raise NotImplementedError


class ELBO(Objective):
    """Negative evidence lower bound, its KL term weighted by beta.

    Args:
        latent_dim: D.
        points: N, the training points.
        beta: weight of the KL term; 1 gives the bound itself.

    Raises:
        ValueError: for a negative beta.

    References:
        Kingma and Welling, Auto-encoding variational Bayes, 2014.
        Higgins et al., beta-VAE, 2017.
    """

    def __init__(self, latent_dim: int, points: int, *, beta: float = 1.0) -> None:
        super().__init__(latent_dim, points)
        if beta < 0:
            raise ValueError(f"beta must not be negative, got {beta}")
        self.beta = beta

    def forward(self, model: VAE, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        """The loss of shape (...), in nats per data point."""
        mean, scale = model.encode(x)
        reconstruction = model.log_likelihood(x, model.draw(mean, scale, noise))
        return (self.beta * model.prior.kl(mean, scale) - reconstruction).mean(-1)


OBJECTIVES: dict[str, type[Objective]] = {"elbo": ELBO}
