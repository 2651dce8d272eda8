"""Training objectives: pure functions of a model, a batch and its noise.

Each returns the loss of one model, averaged over the batch, in nats per data point, and works on
the last axes, so that a leading replicate axis passes through. Keyword-only arguments are the
options that a matrix may set.
"""

from collections.abc import Callable

from torch import Tensor

from vaelib.models import VAE

__all__ = ["OBJECTIVES", "elbo"]


def elbo(model: VAE, x: Tensor, noise: Tensor, *, beta: float = 1.0) -> Tensor:
    """Negative evidence lower bound, its KL term weighted by beta.

    Args:
        model: the model.
        x: batch, shape (..., n, *data_shape).
        noise: standard normal draws, shape (..., n, D).
        beta: weight of the KL term; 1 gives the bound itself.

    Returns:
        Loss of shape (...), in nats per data point.

    Raises:
        ValueError: for a negative beta.

    References:
        Kingma and Welling, Auto-encoding variational Bayes, 2014.
        Higgins et al., beta-VAE, 2017.
    """
    if beta < 0:
        raise ValueError(f"beta must not be negative, got {beta}")
    mean, scale = model.encode(x)
    reconstruction = model.log_likelihood(x, mean + scale * noise)
    return (beta * model.prior.kl(mean, scale) - reconstruction).mean(-1)


OBJECTIVES: dict[str, Callable[..., Tensor]] = {"elbo": elbo}
