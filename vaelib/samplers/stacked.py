"""A stack that was fitted elsewhere, as a sampler that can be saved."""

from __future__ import annotations

from torch import Tensor

from vaelib.code_hash import code_hash
from vaelib.priors import Normal, Prior
from vaelib.samplers.candidates import gauge_of
from vaelib.samplers.sampler import About, Sampler
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.certify import Stack

__all__ = ["sampler_of_stack"]

_DECIDES = "vaelib.samples.latent_samplers"  # how it is fitted


def sampler_of_stack(stack: Stack, mean: Tensor, scale: Tensor, prior: Prior) -> Sampler:
    """The stack with what is known of it.

    Args:
        stack: candidates and weights.
        mean: of the inputs that both are of, shape (N, D).
        scale: their standard deviations, shape (N, D).
        prior: the first candidate.

    Returns:
        A sampler; its gain is not known, as its weights have seen all inputs.
    """
    candidates = dict(zip(stack.weights, stack._candidates, strict=True))
    normal = type(prior) is Normal
    return Sampler(
        candidates,
        stack._weights,
        mean.shape[1],
        gauge=gauge_of(Posteriors(mean.double(), scale.double())) if normal else None,
        about=About(rows=len(mean), code=code_hash(_DECIDES)[:16]),
    )
