"""What a prior of a user's own has and what it leaves out, so that an audit says what it lacks."""

from __future__ import annotations

import copy

import torch

from vaelib.priors import Prior

__all__ = ["NO_RATE", "NO_SAMPLE", "has_rate", "lacks", "rated"]

NO_SAMPLE = "not defined: the prior has no sample"
NO_RATE = (
    "not defined: the prior has no closed form of kl, and no density with respect to volume from "
    "which it could be estimated"
)

_OWN = "vaelib."


def lacks(prior: Prior, name: str) -> bool:
    """Whether a prior leaves a method out: one that it inherits, or that is not implemented.

    Args:
        prior: any.
        name: ``"log_prob"``, ``"sample"`` or ``"kl"``.

    Returns:
        False where the method is there, whatever it may raise of a given input.
    """
    if getattr(type(prior), name) is getattr(Prior, name) and name not in vars(prior):
        return True
    if type(prior).__module__.startswith(_OWN):
        return False
    place = next(prior.parameters(), next(prior.buffers(), torch.empty(0)))
    zeros = torch.zeros(2, prior.latent_dim, device=place.device, dtype=torch.float64)
    try:
        with torch.no_grad():
            if name == "sample":
                prior.sample(2, torch.Generator())
            elif name == "kl":
                prior.kl(zeros, torch.ones_like(zeros))
            else:
                prior.log_prob(zeros)
    except NotImplementedError:
        return True
    except Exception:  # of such an input: whoever calls it with another will see
        return False
    return False


def rated(prior: Prior) -> Prior:
    """A copy of a prior that claims no closed form of kl where it has none.

    Args:
        prior: any.

    Returns:
        The copy, whose rate is then estimated from the draws.
    """
    prior = copy.deepcopy(prior)
    if prior.closed_form and lacks(prior, "kl"):
        prior.closed_form = False
    return prior


def has_rate(prior: Prior) -> bool:
    """Whether the rate is known, or can be estimated.

    Args:
        prior: as of `rated`.

    Returns:
        Whether it has a closed form, or a log density with respect to volume.
    """
    return prior.closed_form or not (prior.surface or lacks(prior, "log_prob"))
