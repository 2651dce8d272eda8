"""Is it an encoder, or a decoder?"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bench.testing.contract import DOUBLE, IMAGE, require
from bench.testing.promises import (
    attempt,
    differs,
    gradient_problems,
    made,
    option_problems,
    require_shape,
    state_problems,
)
from bench.testing.replicates import replicate_problems
from vaelib.seeding import stream

__all__ = ["check_decoder", "check_encoder"]


def check_encoder(
    target: Callable[..., nn.Module],
    data_shape: Sequence[int] = IMAGE,
    **options: Any,  # noqa: ANN401
) -> None:
    """Whether a class is an encoder: data to the numbers that parametrise a posterior.

    Args:
        target: made from ``data_shape``, ``outputs`` and the options.
        data_shape: shape of one data point.
        **options: its keyword-only arguments.

    Raises:
        ContractError: with everything that is wrong.
    """
    kind, supplied = "an encoder", ("data_shape", "outputs")
    shapes = tuple(data_shape), (6,)
    require(target, kind, _network(target, supplied, (shapes[0], 6), shapes, options))


def check_decoder(
    target: Callable[..., nn.Module],
    data_shape: Sequence[int] = IMAGE,
    **options: Any,  # noqa: ANN401
) -> None:
    """Whether a class is a decoder: latents to the parameters of a likelihood.

    Args:
        target: made from ``latent_dim``, ``data_shape`` and the options.
        data_shape: shape of one data point.
        **options: its keyword-only arguments.

    Raises:
        ContractError: with everything that is wrong.
    """
    kind, supplied = "a decoder", ("latent_dim", "data_shape")
    shapes = (3,), tuple(data_shape)
    require(target, kind, _network(target, supplied, (3, shapes[1]), shapes, options))


def _network(
    target: Callable[..., nn.Module],
    supplied: tuple[str, str],
    values: tuple[object, object],
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    options: dict[str, Any],
) -> Iterator[str]:
    yield from option_problems(target, supplied)
    make = made(target, supplied, values, options)

    def inputs(points: int, generator: torch.Generator) -> list[Tensor]:
        return [torch.rand(points, *shapes[0], generator=generator, dtype=DOUBLE)]

    def call(part: nn.Module, given: Tensor) -> Tensor:
        out: Tensor = part(given)
        return out

    part, (given,) = make(0).double().eval(), inputs(5, stream("contract x", 0))
    what = f"the output for {tuple(given.shape)}"
    out = attempt(what, part, given)
    require_shape(what, out, (5, *shapes[1]), DOUBLE)
    if differs(out[2:3], attempt("one data point alone", part, given[2:3])):
        yield "in eval mode the output for a data point must not depend on the others of its batch"
    if not differs(out[:1], out[1:2]):
        yield "two different inputs have the same output"
    value = make(0).double()
    yield from gradient_problems(value, "the output", value(given).sum())
    yield from state_problems(make, call, (given,))
    yield from replicate_problems(make, call, inputs)
