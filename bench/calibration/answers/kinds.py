"""What is audited to count the answer's errors: latents of a law whose KL is known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from vaelib.audits.latents import Latents
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal, Prior
from vaelib.worlds.world import World

__all__ = ["Audited", "Draw", "Family", "Kind", "held_out", "in_sequence", "latents_of"]

Family = Literal["match", "gaussian", "other", "rare", "world"]
"""Exact matches; Gaussians; other laws, and those that few inputs show; worlds of their own KL."""

MOST_FITTED = 5000
"""Inputs that candidates are fitted to; twice as many as are played, where that is less."""


@dataclass(frozen=True)
class Audited:
    """Latents and their prior, as an audit is given them.

    Attributes:
        prior: p.
        played: held-out latents; all there are where there are no others.
        fitted: latents of the training inputs; None where there are none.
    """

    prior: Prior
    played: Latents
    fitted: Latents | None = None


Draw = Callable[[int, int, torch.Generator], Audited]
"""Maps how many inputs are played and fitted, and a random stream, to what is audited."""


@dataclass(frozen=True)
class Kind:
    """A law for every D and KL.

    Attributes:
        name: unique.
        family: what it counts with.
        of: maps D and a KL in nats to how its latents are drawn.
        least: the smallest D that it is defined for.
    """

    name: str
    family: Family
    of: Callable[[int, float], Draw]
    least: int = 1


def latents_of(world: World, count: int, generator: torch.Generator) -> Latents:
    """One z for each of so many inputs, with their posteriors where the world has them."""
    if world.encode is None:
        return Latents(world.draw(count, generator))
    q = AggregatePosterior(*world.encode(count, generator))
    return Latents(q.sample(generator)[0], q)


def held_out(world: World) -> Draw:
    """Candidates are fitted to training inputs and played on others."""

    def draw(played: int, fitted: int, generator: torch.Generator) -> Audited:
        training = latents_of(world, fitted, generator)
        return Audited(Normal(world.dimensions), latents_of(world, played, generator), training)

    return draw


def in_sequence(world: World) -> Draw:
    """Bare z, of which earlier ones are fitted and later ones played."""

    def draw(played: int, _: int, generator: torch.Generator) -> Audited:
        return Audited(Normal(world.dimensions), Latents(world.draw(played, generator)))

    return draw
