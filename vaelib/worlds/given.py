"""What an estimator is given of a world, and how a user's function is called with it."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaelib.arguments.plain import check_callable, kind_of
from vaelib.seeding import stream
from vaelib.worlds.world import World

__all__ = ["FITTED", "HELD_OUT", "NAMES", "Caller", "as_number", "calling", "draws"]

HELD_OUT, FITTED = 1000, 2000
"""n inputs of which z, mean and scale are, and N others of which train_z and the like are."""

NAMES = {
    "z": "one z of each of n inputs, shape (n, D)",
    "mean": "the means of their posteriors, shape (n, D); z is drawn from these",
    "scale": "their standard deviations, shape (n, D)",
    "train_z": "one z of each of N other inputs, shape (N, D), to fit to",
    "train_mean": "the means of their posteriors, shape (N, D)",
    "train_scale": "their standard deviations, shape (N, D)",
    "seed": "an integer",
    "generator": "a torch.Generator",
}
"""The arguments that there are; tensors are float64, and seed and generator new for each call."""


def draws(world: World, seed: int) -> dict[str, Any]:
    """What is given of a world at one seed, the same to every function.

    Args:
        world: the world.
        seed: of the draws.

    Returns:
        Of each name of `NAMES` its value; of a world of bare z, None for means and scales.
    """
    generator = stream(f"conformance: {world.name}", seed)
    found: dict[str, Any] = {}
    for before, n in (("train_", FITTED), ("", HELD_OUT)):
        if world.has_posteriors:
            z, mean, scale = world.posteriors(n, generator)
        else:
            z, mean, scale = world.draw(n, generator), None, None
        found |= {f"{before}z": z, f"{before}mean": mean, f"{before}scale": scale}
    return found | {"seed": seed, "generator": stream(f"estimator: {world.name}", seed)}


@dataclass(frozen=True)
class Caller:
    """A user's function, and which of `NAMES` it is called with.

    Attributes:
        function: the function.
        names: those of its parameters that are given by name.
        required: of these, those without a default.
        alone: whether it takes z alone, by whatever name.
    """

    function: Callable[..., Any]
    names: tuple[str, ...]
    required: tuple[str, ...]
    alone: bool

    def lacks(self, given: Mapping[str, Any]) -> bool:
        """Whether a world has nothing to give for a required argument, as `draws` says it."""
        return any(given[name] is None for name in self.required)

    def __call__(self, given: Mapping[str, Any]) -> object:
        """What the function returns; a default stays where the world has nothing to give.

        What it draws from the global generators of Python, NumPy and torch depends on the seed
        alone, and leaves them as they were.

        Args:
            given: as `draws` returns it.

        Returns:
            Whatever it is.
        """
        named = {name: given[name] for name in self.names if given[name] is not None}
        with _seeded(given["seed"]):
            return self.function(given["z"]) if self.alone else self.function(**named)


def calling(function: Callable[..., Any]) -> Caller:
    """How a function is to be called, by its signature.

    Args:
        function: takes some of `NAMES`, or z alone by any name; what else it takes has a default.

    Returns:
        Calls it.

    Raises:
        ValueError: for a function that wants something else.
    """
    check_callable(function, "function")
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # of code that is not Python's
        return Caller(function, (), (), alone=True)
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    known = [one for one in parameters if one.name in NAMES and one.kind not in starred]
    required = [
        one.name
        for one in parameters
        if one.default is inspect.Parameter.empty and one.kind not in starred
    ]
    by_place = any(one.kind is inspect.Parameter.POSITIONAL_ONLY for one in parameters)
    fits = set(required) <= NAMES.keys() and not by_place
    alone = len(required) == 1 and not fits
    if not alone and not (fits and required):
        got = ", ".join(required) or "none that must be given"
        raise ValueError(
            f"function must take arguments named {', '.join(NAMES)}, got {got}; hand over such as "
            "lambda z, mean, scale: f(z, mean, scale)"
        )
    names = () if alone else tuple(one.name for one in known)
    return Caller(function, names, () if alone else tuple(required), alone)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Within it the global generators begin at the seed; afterwards they are as before."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def as_number(out: object) -> float:
    """The number that a function returned.

    Args:
        out: a number, or a tensor or an array of one.

    Returns:
        The number, which may be infinite or no number.

    Raises:
        TypeError: for anything else.
    """
    if isinstance(out, Tensor) and out.numel() == 1:
        out = out.detach().cpu().numpy()
    if isinstance(out, np.ndarray | np.generic) and out.size == 1 and out.dtype.kind in "iuf":
        return float(out.item())
    if isinstance(out, int | float) and not isinstance(out, bool):
        return float(out)
    shape = f" of shape {tuple(out.shape)}" if isinstance(out, Tensor | np.ndarray) else ""
    raise TypeError(
        f"function must return one number, got {kind_of(out)}{shape}; return the KL in nats alone"
    )
