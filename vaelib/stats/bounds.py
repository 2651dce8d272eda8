"""Bounds on the log likelihood of data under a model, in nats per data point."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vaelib.models import VAE

__all__ = ["Bound", "evidence_lower_bound"]


@dataclass(frozen=True)
class Bound:
    """The ELBO of a data set and its parts, means over the data points, in nats.

    Attributes:
        elbo: reconstruction minus rate.
        reconstruction: expected log p(x|z) under the posterior.
        standard_error: Monte Carlo standard error of both, over draws of z at fixed data.
    """

    elbo: float
    reconstruction: float
    standard_error: float


@torch.no_grad()
def evidence_lower_bound(
    model: VAE, x: Tensor, generator: torch.Generator, draws: int = 8
) -> Bound:
    """The ELBO at beta = 1, its KL in closed form and its reconstruction by Monte Carlo.

    Args:
        model: a trained model.
        x: data, shape (n, *data_shape).
        generator: random stream.
        draws: draws of z per data point, at least 2.

    Returns:
        Means over the data points, in nats.

    Raises:
        ValueError: for fewer than 2 draws.

    References:
        Kingma and Welling, Auto-encoding variational Bayes, 2014.
    """
    if draws < 2:
        raise ValueError(f"draws must be at least 2, got {draws}")
    mean, scale = model.posterior(x)
    values = []
    for _ in range(draws):
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        values.append(model.log_likelihood(x, model.draw(mean, scale, noise)).double())
    likelihood = torch.stack(values)
    reconstruction = float(likelihood.mean())
    error = math.sqrt(float(likelihood.var(0).mean()) / likelihood.numel())
    rate = float(model.prior.kl(mean.double(), scale.double()).mean())
    return Bound(reconstruction - rate, reconstruction, error)
