"""Is it an objective?"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bench.testing.contract import DOUBLE, IMAGE, require, small_model
from bench.testing.promises import (
    BrokenError,
    attempt,
    differs,
    gradient_problems,
    made,
    option_problems,
    require_shape,
    state_problems,
)
from bench.testing.replicates import replicate_problems
from vaelib.models import VAE
from vaelib.objectives import Objective
from vaelib.seeding import stream

__all__ = ["check_objective"]


def check_objective(target: Callable[..., Objective], **options: Any) -> None:  # noqa: ANN401
    """Whether a class is an objective: the loss of one model, averaged over its batch.

    Args:
        target: made from ``latent_dim``, ``points`` and the options.
        **options: its keyword-only arguments.

    Raises:
        ContractError: with everything that is wrong.
    """
    require(target, "an objective", _objective(target, options))


def _objective(target: Callable[..., Objective], options: dict[str, Any]) -> Iterator[str]:
    supplied = ("latent_dim", "points")
    yield from option_problems(target, supplied)
    make = made(target, supplied, (2, 100), options)
    part: Any = make(0).double()
    draws = getattr(part, "draws", None)
    if not isinstance(draws, int) or draws < 1:
        raise BrokenError(f"attribute draws must be a whole number from 1, got {draws!r}")

    def inputs(points: int, generator: torch.Generator) -> list[Tensor]:
        x = (torch.rand(points, *IMAGE, generator=generator) < 0.5).double()
        return [x, torch.randn(draws * points, 2, generator=generator, dtype=DOUBLE)]

    def bundle(seed: int) -> nn.Module:
        return _Bundle(make(seed), small_model(seed))

    def call(bundle: Any, x: Tensor, noise: Tensor) -> Tensor:  # noqa: ANN401
        loss: Tensor = bundle.objective(bundle.model, x, noise, 0.5)
        return loss

    x, noise = inputs(32, stream("contract x", 0))
    model = small_model(0).double()
    for progress in (0.0, 0.99):
        what = f"the loss at progress = {progress}"
        loss = attempt(what, part, model, x, noise, progress)
        require_shape(what, loss, (), DOUBLE)
    if differs(loss, part(model, x, noise, 0.99)):
        yield "the loss must use no randomness but the noise it is given; two calls differ"
    for name in ("encoder", "decoder"):
        found = torch.autograd.grad(
            loss, list(model.get_submodule(name).parameters()), retain_graph=True, allow_unused=True
        )
        if all(gradient is None for gradient in found):
            yield f"the loss gives the {name} no gradient, so it never trains"
    twice = part(model, x.repeat(2, 1, 1, 1), _twice(noise, draws), 0.99)
    if 1.8 < float(twice.detach() / loss.detach()) < 2.2:
        yield "the loss must be a mean over the batch, but it doubles with a batch that repeats it"
    yield from gradient_problems(part, "the loss", part(model, x, noise, 0.5))
    yield from state_problems(bundle, call, (x, noise))
    yield from replicate_problems(bundle, call, inputs)


class _Bundle(nn.Module):
    """An objective with a model to train."""

    replicable = True

    def __init__(self, objective: nn.Module, model: VAE) -> None:
        super().__init__()
        self.objective = objective
        self.model = model


def _twice(noise: Tensor, draws: int) -> Tensor:
    """The noise of a batch that holds every data point twice."""
    parts = noise.view(draws, -1, noise.shape[1])
    return torch.cat([parts, parts], 1).flatten(0, 1)
