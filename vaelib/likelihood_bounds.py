"""Bounds on the log likelihood of data under a model, in nats per data point."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vaelib.audits.measurement import Measurement
from vaelib.box_posterior import aggregate
from vaelib.models import BATCH, VAE
from vaelib.seeding import stream
from vaelib.stats.jackknife import Estimate, mean_of

__all__ = [
    "LADDER",
    "Bound",
    "at_most",
    "bound_gap",
    "evidence_lower_bound",
    "importance_weights",
    "point_reconstruction",
    "tighter_bound",
]

LADDER = (100, 1000, 10_000)
"""K of the importance-weighted bound."""

_ROUNDING = 1e-6  # of a gap, which a gain may have by float32 alone
_DRAWS = 40_000  # of the ELBO, over all points: the error that is left is below others
_WEIGHED = 1 << 12  # importance weights at once


@dataclass(frozen=True)
class Bound:
    """The ELBO of a data set and its parts, means over the data points, in nats.

    Attributes:
        elbo: reconstruction minus rate.
        reconstruction: expected log p(x|z) under the posterior.
        standard_error: Monte Carlo standard error of the ELBO, over draws of z at fixed data.
        reconstruction_error: that of the reconstruction.
        terms: the ELBO of every point, shape (n,), float64 on the CPU.
    """

    elbo: float
    reconstruction: float
    standard_error: float
    reconstruction_error: float
    terms: Tensor


@torch.no_grad()
def evidence_lower_bound(
    model: VAE, x: Tensor, generator: torch.Generator, draws: int | None = None
) -> Bound:
    """The ELBO at beta = 1, its reconstruction by Monte Carlo.

    Its KL is in closed form where the prior has one, else estimated from the same draws.

    Args:
        model: a trained model.
        x: data, shape (n, *data_shape).
        generator: random stream.
        draws: draws of z per data point, at least 2; by default as many as make 40,000 of all
            points, from 2 to 8.

    Returns:
        Means over the data points, in nats. Memory beyond z is that of one batch of decoded data.

    Raises:
        ValueError: for fewer than 2 draws.

    References:
        Kingma and Welling, Auto-encoding variational Bayes, 2014.
    """
    if draws is None:
        draws = min(8, max(2, _DRAWS // max(1, len(x))))
    if draws < 2:
        raise ValueError(f"draws must be at least 2, got {draws}")
    mean, scale = model.posterior(x)
    prior, likelihoods, bounds = model.resolved_prior(), [], []
    for _ in range(draws):
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        z = model.draw(mean, scale, noise)
        likelihoods.append(_log_likelihood(model, x, z))
        bounds.append(likelihoods[-1] - prior.rate(mean.double(), scale.double(), z))
    (elbo, error), (reconstruction, its_error) = _mean(bounds), _mean(likelihoods)
    terms = torch.stack(bounds).mean(0).cpu().double()
    return Bound(elbo, reconstruction, error, its_error, terms)


def _mean(values: list[Tensor]) -> tuple[float, float]:
    """Mean over draws and points, and its standard error over draws."""
    table = torch.stack(values)
    error = math.sqrt(float(table.var(0).mean()) / table.numel())
    return float(table.mean()), error


@torch.no_grad()
def point_reconstruction(model: VAE, x: Tensor) -> float:
    """Mean of log p(x|z) at the latents of a deterministic encoder.

    Args:
        model: a trained model.
        x: data, shape (n, *data_shape).

    Returns:
        Mean over the data points, in nats.
    """
    z, _ = model.posterior(x)
    return float(_log_likelihood(model, x, z).mean())


def _log_likelihood(model: VAE, x: Tensor, z: Tensor) -> Tensor:
    """log p(x|z) in float64, shape (n,), one batch of decoded data at a time."""
    batches = zip(torch.split(x, BATCH), torch.split(z, BATCH), strict=True)
    return torch.cat([model.log_likelihood(*batch).double() for batch in batches])


@torch.no_grad()
def importance_weights(
    model: VAE, x: Tensor, generator: torch.Generator, draws: int = 1000
) -> Tensor:
    """Log importance weights log p(x, z) - log q(z|x) of draws z ~ q(z|x).

    Their mean over the draws is an ELBO of each data point, the logarithm of the mean weight its
    importance-weighted bound (IWAE), which approaches log p(x) from below.

    Args:
        model: a trained model.
        x: data, shape (n, *data_shape).
        generator: random stream.
        draws: K, draws of z per data point.

    Returns:
        Shape (n, K), float64 on the CPU, in nats. Memory is that and one batch of decoded data.

    Raises:
        ValueError: for fewer than 2 draws.

    References:
        Burda, Grosse and Salakhutdinov, Importance weighted autoencoders, 2016.
    """
    if draws < 2:
        raise ValueError(f"draws must be at least 2, got {draws}")
    mean, scale = model.posterior(x)
    prior = model.resolved_prior()
    size, log_weights = max(1, _WEIGHED // draws), []
    for start in range(0, len(x), size):
        batch = slice(start, start + size)
        q = aggregate(model.family, mean[batch], scale[batch])
        z = q.sample(generator, draws)
        own = q.component_log_prob(z)
        points = z.transpose(0, 1).to(mean).flatten(0, 1)
        repeated = x[batch].repeat_interleave(draws, 0)
        joint = _log_likelihood(model, repeated, points)
        joint = joint + prior.log_prob(points).double()
        log_weights.append((joint.view(-1, draws) - own.T).cpu())
    return torch.cat(log_weights)


def bound_gap(log_weights: Tensor, draws: int | None = None) -> Estimate:
    """How much importance weighting gains on the ELBO: IWAE - ELBO with the same draws.

    In the mean over draws at most KL(q(z|x) || p(z|x)), which it approaches with K.

    Args:
        log_weights: shape (n, M) of :func:`importance_weights`, n >= 2.
        draws: K, of which the bound is made; all M by default. With fewer, the M // K bounds of
            each input are averaged.

    Returns:
        Mean over the data points and its standard error, data points and draws together, in nats.

    Raises:
        ValueError: for K below 1 or above M.
    """
    n, most = log_weights.shape
    draws = most if draws is None else draws
    if not 1 <= draws <= most:
        raise ValueError(f"draws must be from 1 to the {most:,} there are, got {draws}")
    parts = log_weights[:, : most // draws * draws].view(n, -1, draws)
    bound = torch.logsumexp(parts, 2).mean(1) - math.log(draws)
    return mean_of(bound - log_weights.mean(1))


def at_most(gaps: Sequence[Estimate]) -> Estimate | None:
    """What the gap comes to at most, from a ladder of K in equal ratios.

    Each rung gains on the one below. Where the last gain is at most half of the one before, and so
    is every further one of the gain before it, all further ones together are at most the last. With
    importance weights of finite variance, ratios of 10 in K give gains that shrink to a tenth.

    Args:
        gaps: of :func:`bound_gap` at three or more K in ascending order.

    Returns:
        The last gap and the last gain together, with the standard error of the gap; None where the
        ladder still rises, so that nothing bounds the gap from above.
    """
    before, gain = (b.value - a.value for a, b in zip(gaps[-3:-1], gaps[-2:], strict=True))
    noise = _ROUNDING * max(1.0, abs(gaps[-1].value))
    if gain > max(before / 2, noise):
        return None
    return Estimate(gaps[-1].value + max(0.0, gain), gaps[-1].standard_error)


def tighter_bound(model: VAE, x: Tensor, elbo: Bound, seed: int, inputs: int) -> list[Measurement]:
    """The importance-weighted bound with K = 10,000, and its gap to the ELBO on a ladder of K.

    The gap is measured on a few inputs, where it varies little; added to the ELBO of all inputs it
    gives the bound of all without bias. No single K says that a gap is small, since each is a lower
    estimate: where the ladder flattens, an upper one is given beside it.

    Args:
        model: a trained model.
        x: test inputs, shape (n, *data_shape).
        elbo: of all of them.
        seed: of the replicate.
        inputs: at most so many are used; 0 for none.

    Returns:
        Measurements ``iwae``, ``bound_gap`` with K = 10,000, ``bound_gap_100`` and
        ``bound_gap_1000`` with fewer, and ``bound_gap_upper``, in nats per input.
    """
    if not inputs:
        return []
    order = torch.randperm(len(x), generator=stream("bound inputs", seed))[:inputs]
    weights = importance_weights(model, x[order.to(x.device)], stream("iwae", seed), LADDER[-1])
    gaps = [bound_gap(weights, draws) for draws in LADDER]
    few, some, (gap, error) = gaps
    note = f"of {len(order):,} of {len(x):,} test inputs"
    value, spread = elbo.elbo + gap, float(np.hypot(error, elbo.standard_error))
    upper = at_most(gaps)
    rungs = f"{few.value:.3g}, {some.value:.3g}, {gap:.3g} at K = 100, 1,000, 10,000"
    if upper is None:
        bound = Measurement("test", "bound_gap_upper", None, message=f"still rises: {rungs}")
    else:
        bound = Measurement("test", "bound_gap_upper", *upper, message=note)
    return [
        Measurement("test", "iwae", value, spread, message=f"K = {LADDER[-1]:,}, the gap {note}"),
        Measurement("test", "bound_gap", gap, error, message=note),
        Measurement("test", "bound_gap_100", *few, message=note),
        Measurement("test", "bound_gap_1000", *some, message=note),
        bound,
    ]
