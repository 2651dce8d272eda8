"""A density to sample from instead of the prior: candidates, their weights, what is known of it."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from vaelib.arguments.plain import as_count
from vaelib.arguments.tensors import as_tensor, check_finite
from vaelib.samplers.kinds import as_read
from vaelib.stats.checks import check_generator
from vaelib.stats.stack.candidates import Candidate, log_standard_normal
from vaelib.stats.stack.certify import Stack

__all__ = ["About", "Box", "Sampler"]

Interval = tuple[float, float, float]


@dataclass(frozen=True)
class Box:
    """The uniform prior on [low, high]^D, whose sampler is a density of quantiles of N(0, 1).

    Attributes:
        low: lower end in every dimension.
        high: upper end.
    """

    low: float
    high: float


@dataclass(frozen=True)
class About:
    """What is known of a sampler.

    Attributes:
        rows: N, inputs that candidates were fitted to; 0 where nothing says it.
        heldout: n, inputs that chose among them.
        gain: nats that it wins over the prior on held-out z, with both ends of the 95 % interval;
            None where that was not measured.
        gauge_gain: the same of the gauge fix.
        gains: nats that each candidate wins alone.
        code: hash of the code that fitted it.
    """

    rows: int = 0
    heldout: int = 0
    gain: Interval | None = None
    gauge_gain: Interval | None = None
    gains: dict[str, float] = field(default_factory=dict)
    code: str = ""


class Sampler:
    """Σ_k w_k r_k, to sample from instead of the prior.

    Args:
        candidates: densities r_k by name, the prior first.
        weights: w, shape (K,), of sum 1.
        dimensions: D.
        box: of the uniform prior; None for N(0, I).
        gauge: shift and scale of every dimension, each of shape (D,), which together with N(0, I)
            are the gauge fix, where it was found.
        about: what is known of it.

    Attributes:
        weights: name -> w_k.
        dimensions: D.
        gauge: as it was given.
        about: as it was given.
    """

    def __init__(
        self,
        candidates: dict[str, Candidate],
        weights: Tensor,
        dimensions: int,
        *,
        box: Box | None = None,
        gauge: tuple[Tensor, Tensor] | None = None,
        about: About | None = None,
    ) -> None:
        self.candidates = {name: as_read(one, dimensions) for name, one in candidates.items()}
        self.stack = Stack(self.candidates, weights)
        self.weights = self.stack.weights
        self.dimensions, self.box, self.gauge = dimensions, box, gauge
        self.about = about or About()

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Independent draws.

        Args:
            n: how many.
            generator: random stream, on the CPU.

        Returns:
            Latents to decode, shape (n, D), float64.

        Raises:
            TypeError: for what is no generator.
            ValueError: for an n that is no count.
        """
        check_generator(generator)
        drawn = self.stack.sample(as_count(n, "n"), generator)
        if self.box is None:
            return drawn
        share: Tensor = torch.special.ndtr(drawn)
        return self.box.low + (self.box.high - self.box.low) * share

    @torch.no_grad()
    def log_prob(self, z: Tensor) -> Tensor:
        """Log density, exactly.

        Args:
            z: latents of shape (n, D), in any form of numbers.

        Returns:
            Shape (n,), in nats, float64; -inf outside the box of a uniform prior.

        Raises:
            ValueError: for z of another D, or that are not finite.
        """
        z = as_tensor(z, "z")
        if z.dim() != 2 or z.shape[1] != self.dimensions:
            raise ValueError(f"z must have shape (n, {self.dimensions}), got {tuple(z.shape)}")
        z = check_finite(z, "z").double()
        if self.box is None:
            return self.stack.log_prob(z)
        wide, least = self.box.high - self.box.low, torch.finfo(torch.float64).eps / 2
        share = (z - self.box.low) / wide
        y = torch.special.ndtri(share.clamp(least, 1 - least))
        logs = self.stack.log_prob(y) - log_standard_normal(y) - self.dimensions * math.log(wide)
        return logs.where(((share >= 0) & (share <= 1)).all(1), -torch.inf)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a file that ``vaelib.load_sampler`` reads.

        Args:
            path: of a new file, or of a sampler's, which is replaced; its name ends in
                .safetensors.

        Returns:
            The path.

        Raises:
            TypeError: for what is no path.
            ValueError: for a file that is no sampler's, another ending, or a density that has no
                form as plain tensors, as that over a learned prior.
            OSError: where it cannot be written; it names the path.
        """
        from vaelib.samplers.file import write_samplers

        return write_samplers(path, {None: self})
