"""A density to sample from instead of the prior: the stack that the bracket rests on, fitted."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch

from vaelib.arguments.plain import as_seed, shown
from vaelib.arguments.rows import of_both, usable
from vaelib.arguments.tables import Table, as_numbers, check_order
from vaelib.arguments.tensors import as_tensor
from vaelib.asking.threads import fastest, on_threads
from vaelib.audits.given import as_posteriors
from vaelib.audits.lacking import lacks
from vaelib.box_posterior import aggregate
from vaelib.posterior import PointAggregate
from vaelib.priors import PRIORS, Prior

if TYPE_CHECKING:
    from vaelib.samplers.sampler import Sampler

__all__ = ["fit_density", "prior_of"]

_LEAST = 5  # of which one weighs what is fitted to four


def fit_density(
    mean: Table, scale: Table | None = None, prior: str | Prior = "normal", *, seed: int = 0
) -> Sampler:
    """Fit a density to latents, to sample from it instead of the prior.

    It is the stack of densities by which the certified mismatch is measured, what a matrix calls
    the latent source ``repaired``: Gaussians, mixtures, smoothed posteriors and the prior itself,
    fitted to four fifths of the inputs and weighted by the others.

    Args:
        mean: posterior means of the training inputs, shape (N, D), or with no scale bare latents,
            in any form that :func:`vaelib.audit` takes.
        scale: their standard deviations, shape (N, D); None, or all 0, for bare latents or those
            of a deterministic encoder.
        prior: as of :func:`vaelib.audit`; it keeps a share of at least .02.
        seed: of the fit.

    Returns:
        A density: ``sample(n, generator)`` draws latents of shape (n, D), float64, to decode;
        ``log_prob(z)`` is its log density at z of shape (n, D), in nats; ``save(path)`` writes it
        to a file that :func:`vaelib.load_sampler` reads, where the prior is N(0, I).

    Raises:
        TypeError: for what is no table of numbers, or a seed that is no integer.
        ValueError: for numbers that :func:`vaelib.audit` refuses, fewer than 5 inputs, a
            dimension that is constant, or a prior without ``log_prob``.

    Example:
        >>> z = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)).sign()
        >>> z = z + 0.1 * torch.randn(1000, 2, generator=torch.Generator().manual_seed(1))
        >>> density = fit_density(z)
        >>> drawn = density.sample(500, torch.Generator().manual_seed(2))
        >>> drawn.shape, bool((drawn.abs() > 0.5).double().mean() > 0.9)
        (torch.Size([500, 2]), True)
    """
    from vaelib.samplers.stacked import sampler_of_stack
    from vaelib.samples.latent_samplers import Latents, StackSampler  # imports all that trains

    as_seed(seed)
    check_order(mean, scale)
    mean = as_tensor(as_numbers(mean, "mean"), "mean")
    given = torch.zeros_like(mean) if scale is None else as_numbers(scale, "scale")
    mean, scale = as_posteriors(mean, given)
    kept = usable(mean, scale)
    if kept.said:
        warnings.warn(of_both(kept.said), UserWarning, stacklevel=2)
        mean, scale = mean[kept.rows], scale[kept.rows]
    if len(mean) < _LEAST:
        raise ValueError(f"mean must have at least {_LEAST} rows to fit, got {len(mean)}")
    p = prior_of(prior, mean.shape[1])
    if p.surface or lacks(p, "log_prob"):
        raise ValueError(
            f"prior must have a log_prob with respect to volume, got {type(p).__name__} without"
        )
    points = not bool((scale != 0).any())
    q = PointAggregate(mean) if points else aggregate(p.family, mean, scale)
    with on_threads(fastest(len(mean), torch.get_num_threads())):
        stack = StackSampler(Latents(p, q, q, seed)).stack
    return sampler_of_stack(stack, mean, scale, p)


def prior_of(prior: object, dimensions: int) -> Prior:
    """A prior by its name.

    Args:
        prior: a name of ``vaelib.priors.PRIORS`` that nothing must be learned for, or a prior.
        dimensions: D of the latents.

    Returns:
        The prior.

    Raises:
        ValueError: for anything else, or a prior of another D.
    """
    fixed = [name for name, kind in PRIORS.items() if not kind.learned]
    if isinstance(prior, str) and prior in fixed:
        return PRIORS[prior](dimensions)
    if not isinstance(prior, Prior):
        raise ValueError(
            f"prior must be one of {', '.join(fixed)} or a trained Prior, got {shown(prior)}"
        )
    if prior.latent_dim != dimensions:
        raise ValueError(
            f"prior must have the {dimensions} dimensions of mean, got {prior.latent_dim}"
        )
    return prior
