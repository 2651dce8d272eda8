"""What is measured of the latents of one call."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaelib.arguments.tensors import as_number
from vaelib.asking.threads import on_threads
from vaelib.monitoring.evidence import Played, play
from vaelib.monitoring.inputs import Inputs
from vaelib.monitoring.mixture import OnlineMixture
from vaelib.stats.moments import largest_departure
from vaelib.stats.stack.candidates import (
    Candidate,
    Posteriors,
    StandardNormal,
    fitted_gaussian,
    normal_candidates,
)
from vaelib.stats.stack.certify import certify
from vaelib.stats.stack.fitted import log_ratios

__all__ = ["ACTIVE", "constant", "described", "full", "gauge", "play_cheaply"]

ACTIVE = 0.01
"""Variance of posterior means above which a dimension is active."""


def gauge(data: Posteriors) -> tuple[Tensor, Tensor]:
    """E z_j and E z_j² of every dimension, 0 and 1 where the variance law holds.

    Args:
        data: Posteriors.

    Returns:
        Both of shape (D,).
    """
    return data.mean.mean(0), (data.mean.square() + data.scale.square()).mean(0)


def constant(data: Posteriors) -> list[int]:
    """Dimensions in which all z are the same."""
    variance = data.mean.var(0, correction=0) + data.scale.square().mean(0)
    return torch.nonzero(variance <= 1e-20 * (1 + data.mean.square().mean(0)))[:, 0].tolist()


def described(data: Posteriors) -> dict[str, float]:
    """Rate, saturation, active units and gauge.

    Args:
        data: Posteriors of n inputs, finite.

    Returns:
        The numbers by name, see :class:`vaelib.Monitor`.
    """
    variance = data.scale.square()
    centre, squares = gauge(data)
    rate = 0.5 * (data.mean.square() + variance - 1 - variance.log()).sum(1).mean()
    log_n = math.log(len(data.mean))
    return {
        "rate": float(rate),
        "log_n": log_n,
        "saturated": float(float(rate) > log_n - 1),
        "active_units": float((data.mean.var(0, correction=0) > ACTIVE).sum()),
        "second_moment": float(squares.mean()),
        "gauge_mean": float(centre.abs().max()),
        "gauge_variance": float((squares - centre.square() - 1).abs().max()),
        "variance_law": largest_departure(squares, centre),
    }


def play_cheaply(
    inputs: Inputs, z: Tensor, mixture: OnlineMixture, generator: torch.Generator
) -> Played:
    """Fit what is fitted in milliseconds, to inputs that are not evaluated, and play the others.

    Args:
        inputs: Of the call.
        z: One of each, shape (n, D).
        mixture: Is updated by the inputs that fit.
        generator: Random stream of the mixture.

    Returns:
        What the evaluated z say.
    """
    data = inputs.posteriors.part(~inputs.evaluated)
    mixture.update(data, generator)
    candidates: dict[str, Candidate] = {"prior": StandardNormal(z.shape[1])}
    candidates |= normal_candidates(data)
    candidates["gaussian"] = fitted_gaussian(data)
    online = mixture.candidate()
    assert online is not None
    candidates["online mixture"] = online
    return play(log_ratios(candidates, z[inputs.evaluated]))


def full(inputs: Inputs, z: Tensor, generator: torch.Generator, alpha: float) -> dict[str, float]:
    """The full stack of the audit, on one thread.

    Args:
        inputs: Of the call.
        z: One of each, shape (n, D).
        generator: Random stream.
        alpha: One-sided level.

    Returns:
        The numbers by name, see :class:`vaelib.Monitor`.
    """
    chosen = inputs.evaluated
    with on_threads(1), torch.no_grad():
        found = certify(
            inputs.posteriors.part(~chosen),
            z[chosen],
            generator,
            alpha=as_number(alpha, "alpha"),
            means=inputs.posteriors.mean[chosen],
        )
    return {
        "full_gain": found.gain.value,
        "full_gain_se": found.gain.standard_error,
        "full_lower": found.lower,
        "full_log_e": found.log_e,
    }
