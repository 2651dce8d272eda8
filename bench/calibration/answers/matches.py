"""Kinds of exact matches, none of which the estimator assumes: every answer "no" is wrong."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from bench.calibration.answers.kinds import Audited, Draw, Kind, held_out, in_sequence
from bench.calibration.samples import normal
from vaelib.audits.latents import Latents
from vaelib.box_posterior import aggregate
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Flow, Mixture, Normal, Prior, Uniform
from vaelib.seeding import global_stream
from vaelib.worlds.specified import place_dependent, some_active
from vaelib.worlds.world import World

__all__ = ["MATCHES", "RATE", "readable_scale"]

RATE = 2.0
"""Nats of a matched encoder whose upper end can be read from 20 inputs on."""


Encode = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]
AnyPrior = TypeVar("AnyPrior", bound=Prior)
Points = Callable[[int, torch.Generator], Tensor]


def readable_scale(dimensions: int) -> float:
    """Posterior scale of a matched encoder whose rate is 2 nats at every D."""
    return math.exp(-RATE / dimensions)


def _matched(dimensions: int, scale: Tensor) -> World:
    """Means N(0, 1 - scale²); scale of shape (D,), the same for all inputs."""

    def encode(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        mean = normal(n, dimensions, generator) * (1 - scale.square()).sqrt()
        return mean, scale.repeat(n, 1)

    return _world(dimensions, encode=encode)


def _world(dimensions: int, *, encode: Encode | None = None, points: Points | None = None) -> World:
    def log_ratio(z: Tensor) -> Tensor:
        return torch.zeros(len(z), dtype=torch.float64)

    return World("match", dimensions, lambda: 0.0, log_ratio, points, encode)


def _scale_by_input(dimensions: int) -> World:
    """Every posterior has scales of its own, and its mean the variance that is left."""

    def encode(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        uniform = torch.rand(n, dimensions, generator=generator, dtype=torch.float64)
        scale = 0.05 + 0.94 * uniform
        return normal(n, dimensions, generator) * (1 - scale.square()).sqrt(), scale

    return _world(dimensions, encode=encode)


def _by_place(dimensions: int) -> World:
    """As in SCIENCE.md; at large D with wide posteriors so near 1 that a share remains."""
    wide = math.sqrt(1 - min(0.19, 1.52 / dimensions))
    world: World = place_dependent(dimensions, wide, 0.3)
    return world


def _constant(dimensions: int, scale: float) -> World:
    return _matched(dimensions, torch.full((dimensions,), scale, dtype=torch.float64))


def _quarter_active(dimensions: int) -> World:
    world: World = some_active(-(-dimensions // 4), dimensions)
    return world


def _points(dimensions: int) -> World:
    def points(n: int, generator: torch.Generator) -> Tensor:
        return normal(n, dimensions, generator)

    return _world(dimensions, points=points)


def _copies(dimensions: int) -> Draw:
    """Two z of every held-out input, which the groups say."""
    world = _constant(dimensions, readable_scale(dimensions))
    assert world.encode is not None
    encode = world.encode

    def twice(n: int, generator: torch.Generator) -> Latents:
        mean, scale = (v.repeat_interleave(2, 0) for v in encode(n // 2, generator))
        q = AggregatePosterior(mean, scale)
        return Latents(q.sample(generator)[0], q, torch.arange(n // 2).repeat_interleave(2))

    def draw(played: int, fitted: int, generator: torch.Generator) -> Audited:
        training = AggregatePosterior(*encode(fitted, generator))
        other = Latents(training.sample(generator)[0], training)
        return Audited(Normal(dimensions), twice(played, generator), other)

    return draw


def _boxes(dimensions: int) -> Draw:
    """U(0, 10) in two dimensions cut in four, as the thread's example is in ten."""
    prior, cut = Uniform(dimensions), min(2, dimensions)

    def latents(n: int, generator: torch.Generator) -> Latents:
        mean = torch.full((n, dimensions), 5.0, dtype=torch.float64)
        width = torch.full_like(mean, 10.0)
        mean[:, :cut] = 1.25 + 2.5 * torch.randint(4, (n, cut), generator=generator)
        width[:, :cut] = 2.5
        q = aggregate(prior.family, mean, width / math.sqrt(12))
        return Latents(q.sample(generator)[0], q)

    def draw(played: int, fitted: int, generator: torch.Generator) -> Audited:
        training = latents(fitted, generator)
        return Audited(prior, latents(played, generator), training)

    return draw


def _mixture(dimensions: int) -> Draw:
    """Posteriors that are narrow parts of the prior's own components."""
    prior = _initial(Mixture, dimensions)
    centres, scales, log_weight = (v.detach() for v in prior.parts())

    def latents(n: int, generator: torch.Generator) -> Latents:
        k = torch.multinomial(log_weight.exp(), n, replacement=True, generator=generator)
        part = math.sqrt(0.5) * scales[k]
        q = AggregatePosterior(centres[k] + part * normal(n, dimensions, generator), part)
        return Latents(q.sample(generator)[0], q)

    def draw(played: int, fitted: int, generator: torch.Generator) -> Audited:
        training = latents(fitted, generator)
        return Audited(prior, latents(played, generator), training)

    return draw


def _flow(dimensions: int) -> Draw:
    """Points that are the prior's own draws."""
    prior = _initial(Flow, dimensions, transforms=1, hidden=(16,), bins=4)

    def draw(played: int, fitted: int, generator: torch.Generator) -> Audited:
        training = Latents(prior.sample(fitted, generator))
        return Audited(prior, Latents(prior.sample(played, generator)), training)

    return draw


def _initial(kind: type[AnyPrior], dimensions: int, **options: Any) -> AnyPrior:  # noqa: ANN401
    with global_stream(f"validate {kind.__name__}", dimensions):
        return kind(dimensions, **options).double().requires_grad_(False)


MATCHES = [
    Kind("one scale", "match", lambda d, _: held_out(_constant(d, readable_scale(d)))),
    Kind("one scale of .1, saturated", "match", lambda d, _: held_out(_constant(d, 0.1))),
    Kind("scale by place", "match", lambda d, _: held_out(_by_place(d))),
    Kind("scales by input", "match", lambda d, _: held_out(_scale_by_input(d))),
    Kind("a quarter active", "match", lambda d, _: held_out(_quarter_active(d))),
    Kind("collapsed", "match", lambda d, _: held_out(_constant(d, 1.0))),
    Kind("points", "match", lambda d, _: held_out(_points(d))),
    Kind("bare z in sequence", "match", lambda d, _: in_sequence(_points(d))),
    Kind("two z per input, grouped", "match", lambda d, _: _copies(d)),
    Kind("boxes, uniform prior", "match", lambda d, _: _boxes(d)),
    Kind("mixture prior", "match", lambda d, _: _mixture(d)),
    Kind("draws of a flow prior", "match", lambda d, _: _flow(d)),
]
"""All kinds of exact matches."""
