"""One latent dimension at a time: marginal densities, their KL to the prior, their shape.

Each marginal of the aggregate posterior is a one-dimensional mixture, so its divergence is an
integral that a grid gives to many digits; no sampling. The marginal KL splits into the total
correlation and the sum over dimensions (Chen et al. 2018).
"""

import math

import numpy as np
import torch
from torch import Tensor

from vaelib.arguments.tensors import as_number, as_tensor
from vaelib.posterior import AggregatePosterior
from vaelib.stats.binned import MANY, MOST_POINTS, binned_kl, grid_over
from vaelib.stats.checks import check_posterior

__all__ = ["excess_kurtosis", "gauge_gain", "gauge_fix", "kl_per_dimension", "total_correlation"]

_NODES = 16  # of a component


def kl_per_dimension(posterior: AggregatePosterior) -> tuple[Tensor, Tensor]:
    """KL(q_j || N(0, 1)) of every dimension, by the trapezoidal rule.

    The integrand is smooth at the scale of the narrowest component and vanishes at both ends, where
    the rule converges exponentially; the step is a fifth of that scale. The number of points is
    bounded. Where a component is narrower than about 1/6000 of the range, Gauss–Hermite quadrature
    over each component is the alternative, and the rule with the smaller error is taken.

    Args:
        posterior: the aggregate posterior.

    Returns:
        The divergences and an estimate of their errors (the change from the rule with half the
        points, and what the grid misses of the mass), each of shape (D,), in nats. A value whose
        error is not small is none: of 20,000 components or more, which are binned, some are then
        narrower than the grid can see.

    References:
        Trefethen and Weideman, The exponentially convergent trapezoidal rule, 2014.
    """
    check_posterior(posterior)
    if posterior.components >= MANY:
        columns = zip(posterior.mean.T, posterior.scale.T, strict=True)
        divergences = [binned_kl(mean, scale) for mean, scale in columns]
    else:
        divergences = [_kl_of(posterior.marginal(j)) for j in range(posterior.latent_dim)]
    return torch.stack([kl for kl, _ in divergences]), torch.stack(
        [error for _, error in divergences]
    )


def _kl_of(marginal: AggregatePosterior) -> tuple[Tensor, Tensor]:
    grid, step = grid_over(marginal.mean[:, 0], marginal.scale[:, 0])
    log_q = marginal.log_prob(grid.unsqueeze(1))
    log_p = -0.5 * (grid.square() + math.log(2 * math.pi))
    integrand = log_q.exp() * (log_q - log_p)
    fine, coarse = integrand.sum() * step, integrand[::2].sum() * 2 * step
    missed = (log_q.exp().sum() * step - 1).abs()
    bounded = len(grid) >= MOST_POINTS
    error = torch.maximum((fine - coarse).abs(), missed if bounded else 0 * missed)
    if not bounded:
        return fine, error
    within, within_error = _within_components(marginal)
    return (within, within_error) if not error <= within_error else (fine, error)


def _within_components(marginal: AggregatePosterior) -> tuple[Tensor, Tensor]:
    """E log(q / p) over each component by Gauss–Hermite quadrature, and its change from half."""
    values = []
    for count in (_NODES, _NODES // 2):
        nodes, weights = map(torch.from_numpy, np.polynomial.hermite_e.hermegauss(count))
        z = (marginal.mean + marginal.scale * nodes.to(marginal.mean)).reshape(-1, 1)
        ratio = marginal.log_prob(z) + 0.5 * (z[:, 0].square() + math.log(2 * math.pi))
        weights = (weights / weights.sum()).to(marginal.mean)
        values.append((ratio.view(-1, count) @ weights).mean())
    return values[0], (values[0] - values[1]).abs()


def total_correlation(marginal_kl: float, per_dimension: Tensor) -> float:
    """Dependence between the dimensions, KL(q || prod_j q_j), for a prior that factorises.

    Args:
        marginal_kl: joint KL to the prior, in nats.
        per_dimension: KL of each dimension, shape (D,), in nats.

    Returns:
        Their difference, in nats.

    Raises:
        ValueError: for numbers that are not finite.

    References:
        Chen et al., Isolating sources of disentanglement in VAEs, 2018.
    """
    each = as_tensor(per_dimension, "per_dimension", "D")
    total = as_number(marginal_kl, "marginal_kl") - float(each.sum())
    if not math.isfinite(total):
        raise ValueError(f"marginal_kl and per_dimension must be finite, got a total of {total}")
    return total


def _moments(posterior: AggregatePosterior) -> tuple[Tensor, Tensor]:
    """Mean and variance of every dimension of the mixture, each of shape (D,)."""
    check_posterior(posterior)
    centre = posterior.mean.mean(0)
    variance = ((posterior.mean - centre).square() + posterior.scale.square()).mean(0)
    return centre, variance


def excess_kurtosis(posterior: AggregatePosterior) -> Tensor:
    """Fourth standardised moment of every dimension minus 3, exactly: 0 for a normal.

    Args:
        posterior: the aggregate posterior.

    Returns:
        Shape (D,), dimensionless.
    """
    centre, variance = _moments(posterior)
    offset, scale = (posterior.mean - centre).square(), posterior.scale.square()
    fourth = (offset.square() + 6 * offset * scale + 3 * scale.square()).mean(0)
    return fourth / variance.square() - 3


def gauge_fix(posterior: AggregatePosterior) -> AggregatePosterior:
    """Shift and rescale every dimension to mean 0 and variance 1.

    A decoder undoes this for free, so a mismatch that it removes is optimisation error, not a
    property of the model. The mutual information does not change.

    Args:
        posterior: the aggregate posterior.

    Returns:
        The same mixture in standardised coordinates.
    """
    centre, variance = _moments(posterior)
    deviation = variance.sqrt()
    return AggregatePosterior((posterior.mean - centre) / deviation, posterior.scale / deviation)


def gauge_gain(posterior: AggregatePosterior) -> float:
    """By how much the gauge fix lowers the rate and the marginal KL to N(0, I), in nats.

    Args:
        posterior: the aggregate posterior, with mean m and variances V.

    Returns:
        1/2 sum_j (V_j + m_j^2 - 1 - log V_j), at least 0.
    """
    centre, variance = _moments(posterior)
    return 0.5 * float((variance + centre.square() - 1 - variance.log()).sum())
