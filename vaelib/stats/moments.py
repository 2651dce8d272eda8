"""What the first two moments of the aggregate posterior say of its match with N(0, I)."""

import torch
from torch import Tensor

from vaelib.arguments.plain import shown
from vaelib.arguments.tensors import as_number, as_tensor
from vaelib.posterior import AggregatePosterior
from vaelib.stats.checks import check_posterior

__all__ = [
    "active",
    "active_units",
    "gaussian_kl",
    "largest_departure",
    "moment_kl",
    "second_moment",
    "variance_law",
]


def gaussian_kl(centre: Tensor, covariance: Tensor) -> float:
    """KL of a Gaussian to N(0, I), (tr S + |m|^2 - D - log det S) / 2.

    Args:
        centre: its mean m, shape (D,).
        covariance: its covariance S, shape (D, D).

    Returns:
        The divergence, in nats, at least 0.

    Raises:
        ValueError: for shapes or types that do not belong together.
    """
    centre, covariance = as_tensor(centre, "centre", "D"), as_tensor(covariance, "covariance", "DD")
    if covariance.shape != (len(centre), len(centre)):
        wanted = f"({len(centre)}, {len(centre)})"
        raise ValueError(f"covariance must have shape {wanted}, got {tuple(covariance.shape)}")
    trace = covariance.diagonal().sum() + centre.square().sum()
    return float(0.5 * (trace - len(centre) - torch.logdet(covariance)))


def largest_departure(squares: Tensor, centre: Tensor) -> float:
    """Largest |E z_j^2 - 1| or |E z_j| over the dimensions: 0 for N(0, I).

    Args:
        squares: E z_j^2, shape (D,).
        centre: E z_j, shape (D,).

    Returns:
        The largest departure, dimensionless.
    """
    squares, centre = as_tensor(squares, "squares", "D"), as_tensor(centre, "centre", "D")
    return float(torch.cat([(squares - 1).abs(), centre.abs()]).max())


def moment_kl(posterior: AggregatePosterior) -> float:
    """KL to N(0, I) of the Gaussian with the mixture's mean and covariance, in nats.

    What is left of the marginal KL is the negentropy, the part that only the shape explains.

    Args:
        posterior: the aggregate posterior.

    Returns:
        The moment part of the marginal KL, in nats, at least 0.
    """
    check_posterior(posterior)
    return gaussian_kl(*posterior.moments())


def second_moment(posterior: AggregatePosterior) -> float:
    """E|z|^2 / D under the mixture; 1 for N(0, I)."""
    check_posterior(posterior)
    squares = posterior.mean.square() + posterior.scale.square()
    return float(squares.mean())


def variance_law(posterior: AggregatePosterior) -> float:
    """Largest |E z_j^2 - 1| or |E z_j| over the dimensions: 0 at a stationary point.

    Rescaling and shifting each latent dimension is free for affine heads, so at any stationary
    point E scale_j^2 + E mean_j^2 = 1 and E mean_j = 0, for every beta: a departure is
    optimisation error on the training inputs.

    Args:
        posterior: the aggregate posterior of the training inputs.

    Returns:
        The largest departure, dimensionless.
    """
    check_posterior(posterior)
    squares = (posterior.mean.square() + posterior.scale.square()).mean(0)
    return largest_departure(squares, posterior.mean.mean(0))


def active(posterior: AggregatePosterior, threshold: float = 0.01) -> Tensor:
    """Which latent dimensions' posterior means vary over the inputs by more than the threshold.

    Args:
        posterior: the aggregate posterior.
        threshold: least variance of the means of an active dimension.

    Returns:
        Of every dimension, shape (D,), bool.

    Raises:
        ValueError: for a threshold that is negative or NaN.

    References:
        Burda et al., Importance weighted autoencoders, 2016.
    """
    check_posterior(posterior)
    number = as_number(threshold, "threshold")
    if not number >= 0:
        raise ValueError(f"threshold must not be negative, got {shown(threshold)}")
    found: Tensor = posterior.mean.var(0, correction=0) > number
    return found


def active_units(posterior: AggregatePosterior, threshold: float = 0.01) -> int:
    """How many dimensions are :func:`active`, between 0 and D."""
    return int(active(posterior, threshold).sum())
