"""How latents are scaled for a second stage, and what share of the mismatch each way removes.

Before a model of latents is trained they are brought near N(0, I), most often by one factor. A
shift and a scale for each channel cost nothing either, as the decoder undoes them; a matrix over
channels is as exact; what hangs together between positions no scaling removes, and the second stage
must learn it. Each way is a Gaussian of latents, and what it gains over N(0, I) on inputs that it
was not fitted to is what it removes of KL(q‖p): in nats per position, over inputs, which are
independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vaelib.arguments.tensors import number_of
from vaelib.maps.positions import Maps, cropped
from vaelib.seeding import stream
from vaelib.stats.jackknife import Estimate
from vaelib.stats.stack.candidates import (
    GaussianCandidate,
    Posteriors,
    fitted_gaussian,
    log_standard_normal,
)

__all__ = ["LEAST", "Scaling", "Step", "scaling"]

LEAST = 20
"""Inputs that are needed."""

_WIDEST = 128  # numbers of a map whose covariance is fitted


@dataclass(frozen=True)
class Step:
    """One way to scale, and all before it.

    Attributes:
        name: in few words.
        removed: nats per position that it removes of KL(q‖p), and the standard error over inputs.
        added: the same, less what the step before it removes.
    """

    name: str
    removed: Estimate
    added: Estimate


@dataclass(frozen=True)
class Scaling:
    """What latents need.

    Attributes:
        steps: from the simplest on; each contains the ones before but for the last, which counts
            what hangs together between positions.
        factor: that brings E z² to 1.
        shift: mean of each channel, shape (C,).
        scale: deviation of each channel, shape (C,).
        matrix: W of shape (C, C), so that (z - shift) W' has the covariance I.
        crop: of which positions the last step is, in words; empty where there is none.
        inputs: how many were evaluated.
    """

    steps: tuple[Step, ...]
    factor: float
    shift: Tensor
    scale: Tensor
    matrix: Tensor
    crop: str
    inputs: int


def scaling(maps: Maps, *, factor: float | None = None, seed: int = 0) -> Scaling:
    """Measure what each way to scale latents removes.

    Where there are no inputs to fit to, either half of those that there are is evaluated by what is
    fitted to the other; constants are of all.

    Args:
        maps: one z of each position of each input; of inputs that are vectors without places.
        factor: one that is in use, to be measured beside the best.
        seed: of the halves.

    Returns:
        The steps and the constants.

    Raises:
        ValueError: for fewer than 20 inputs, a channel that is constant, values that are not
            finite, or a factor that is not positive.
    """
    z = maps.z
    if factor is not None and not 0 < (number_of(factor) or 0.0) < math.inf:
        raise ValueError(f"factor must be a positive number, got {factor!s:.40}")
    if len(z) < LEAST:
        raise ValueError(f"at least {LEAST} inputs are needed, got {len(z)}")
    if not bool(z.isfinite().all()):
        raise ValueError("z must be finite, got NaN or infinite values")
    rows = z.flatten(0, -2)
    if bool((rows == rows[:1]).all(0).any()):
        dead = torch.nonzero((rows == rows[:1]).all(0))[:, 0].tolist()
        raise ValueError(f"no channel may be constant, got {dead}; leave them out")
    gains: dict[str, list[Tensor]] = {}
    if maps.fitted is None:
        order = torch.randperm(len(z), generator=stream("halves of a scaling", seed))
        halves = order[: len(z) // 2], order[len(z) // 2 :]
        pairs = [(z[halves[i]], z[halves[1 - i]]) for i in (0, 1)]
    else:
        pairs = [(maps.fitted, z)]
    crop = ""
    for fitted, held in pairs:
        found, crop = _gains(fitted, held, factor)
        for name, values in found.items():
            gains.setdefault(name, []).append(values)
    joined = {name: torch.cat(values) for name, values in gains.items()}
    steps, before = [], torch.zeros(len(z), dtype=torch.float64)
    for name, values in joined.items():
        steps.append(Step(name, _estimate(values), _estimate(values - before)))
        before = values
    every = (z if maps.fitted is None else maps.fitted).flatten(0, -2)
    shift, deviation = every.mean(0), every.std(0)
    covariance = torch.cov(every.T).reshape(len(shift), len(shift))
    root = torch.linalg.cholesky(covariance)
    matrix = torch.linalg.solve_triangular(root, torch.eye(len(shift)).double(), upper=False)
    best = 1 / float(every.square().mean().sqrt())
    return Scaling(tuple(steps), best, shift, deviation, matrix, crop, len(z))


def _estimate(values: Tensor) -> Estimate:
    return Estimate(float(values.mean()), float(values.std()) / math.sqrt(len(values)))


def _gains(fitted: Tensor, held: Tensor, factor: float | None) -> tuple[dict[str, Tensor], str]:
    """Step -> nats per position over N(0, I) of each held-out input, and what the last is of."""
    rows = fitted.flatten(0, -2)
    channels = rows.shape[1]
    eye = torch.eye(channels, dtype=torch.float64)
    nothing = torch.zeros(channels, dtype=torch.float64)
    laws: dict[str, GaussianCandidate] = {}
    if factor is not None:
        laws[f"your factor, {factor:.4g}"] = GaussianCandidate(nothing, eye / factor**2)
    laws["one factor"] = GaussianCandidate(nothing, eye * rows.square().mean())
    spread = torch.diag(rows.var(0, correction=0))
    laws["shift and scale of channels"] = GaussianCandidate(rows.mean(0), spread)
    if channels > 1:
        laws["covariance of channels"] = fitted_gaussian(Posteriors(rows, torch.zeros_like(rows)))
    out = {name: _over(law, held) for name, law in laws.items()}
    if held.dim() == 2 or math.prod(held.shape[1:-1]) == 1:
        return out, ""
    widest = min(_WIDEST, max(2 * channels, len(fitted) // 3))
    block, said = cropped(fitted, widest)
    played, _ = cropped(held, widest)
    positions = block.shape[1] // channels
    if positions > 1:
        joint = fitted_gaussian(Posteriors(block, torch.zeros_like(block)))
        last = list(laws.values())[-1]
        alone = _over(last, played.reshape(len(played), positions, channels)) * positions
        together = joint.log_prob(played) - log_standard_normal(played)
        name = "covariance of positions"
        out[name] = list(out.values())[-1] + (together - alone) / positions
    return out, said


def _over(law: GaussianCandidate, held: Tensor) -> Tensor:
    """Mean over the positions of each input of log r - log p."""
    rows = held.flatten(0, -2)
    return (law.log_prob(rows) - log_standard_normal(rows)).reshape(len(held), -1).mean(1)
