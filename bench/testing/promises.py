"""What every component must do to train, be saved and be varied: the parts of the contract tests.

Each function yields sentences that say what is wrong; none where nothing is. `bench.testing` puts
them together.
"""

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import MatrixError
from bench.matrix.components import schema
from bench.run.record import one_line
from vaelib.seeding import global_stream, stream

__all__ = [
    "BrokenError",
    "Call",
    "Make",
    "attempt",
    "differs",
    "draw_problems",
    "gradient_problems",
    "made",
    "option_problems",
    "require_shape",
    "state_problems",
]

Make = Callable[[int], nn.Module]
Call = Callable[..., Tensor]


class BrokenError(Exception):
    """What is so wrong that nothing more can be tested."""


def attempt(what: str, function: Callable[..., Any], *given: object) -> Any:  # noqa: ANN401
    """Calls a user's code.

    Args:
        what: how a sentence names the call.
        function: what to call.
        *given: its arguments.

    Returns:
        What it returned.

    Raises:
        BrokenError: with what it raised.
    """
    try:
        return function(*given)
    except NotImplementedError:
        raise BrokenError(f"{what} is not implemented") from None
    except Exception as error:  # anybody's code raises anything
        raise BrokenError(f"{what} raised {one_line(error)}") from error


def option_problems(target: Callable[..., Any], supplied: Sequence[str]) -> Iterator[str]:
    """Whether a matrix can set its options.

    Args:
        target: the class or function.
        supplied: names of what the suite gives it by position.

    Yields:
        What is wrong.
    """
    positional = 0
    for name, parameter in inspect.signature(target).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            if parameter.annotation is parameter.empty:
                yield f"option {name} has no annotation, which a matrix checks values by"
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            positional += 1
            if positional > len(supplied):
                given = ", ".join(supplied) or "nothing"
                yield (
                    f"parameter {name} is not keyword-only; the suite supplies {given}, so write "
                    f"a * before {name} to make it an option of the matrix"
                )
    try:
        schema(target)
    except MatrixError as error:
        yield str(error)


def made(
    target: Callable[..., Any],
    supplied: Sequence[str],
    values: Sequence[object],
    options: Mapping[str, Any],
) -> Make:
    """How to make the component with a seed.

    Args:
        target: the class or function.
        supplied: names of what the suite gives it.
        values: what it gives.
        options: keyword arguments.

    Returns:
        seed -> component.
    """
    text = ", ".join(f"{name} = {value}" for name, value in zip(supplied, values, strict=True))

    def make(seed: int) -> nn.Module:
        with global_stream("initialisation", seed):
            component: object = attempt(
                f"making it with {text}", lambda: target(*values, **options)
            )
        if not isinstance(component, nn.Module):
            raise BrokenError(
                "expected an nn.Module, so that it trains, moves to a GPU and is saved with the "
                f"model; got {type(component).__name__}"
            )
        _require_methods(component)
        return component

    return make


def _require_methods(component: nn.Module) -> None:
    """Whether every method of its bases is still one."""
    for base in type(component).__mro__[1:]:
        for name, value in vars(base).items():
            if callable(value) and not callable(found := getattr(component, name)):
                raise BrokenError(
                    f"{name} is a method of {base.__name__}, got {found!r} in its place; choose "
                    "another name for that attribute"
                )


def require_shape(
    what: str,
    got: Any,  # noqa: ANN401
    shape: Sequence[int],
    dtype: torch.dtype,
) -> None:
    """Whether a result is a finite tensor of the right shape and type.

    Args:
        what: how a sentence names the call.
        got: what it returned.
        shape: what is expected.
        dtype: what is expected.

    Raises:
        BrokenError: with what is wrong.
    """
    if not isinstance(got, Tensor):
        raise BrokenError(f"{what} must return a tensor, got {type(got).__name__}")
    if tuple(got.shape) != tuple(shape):
        raise BrokenError(f"{what} must have shape {tuple(shape)}, got {tuple(got.shape)}")
    if got.dtype != dtype:
        raise BrokenError(f"{what} must have the type of its input, {dtype}, got {got.dtype}")
    if got.isnan().any():
        raise BrokenError(f"{what} must hold numbers, got {int(got.isnan().sum())} nan")


def gradient_problems(module: nn.Module, what: str, value: Tensor) -> Iterator[str]:
    """Whether every parameter that trains is reached by the gradient.

    Args:
        module: the component.
        what: where the value comes from.
        value: a number made with the component.

    Yields:
        What is wrong.
    """
    named = {n: p for n, p in module.named_parameters() if p.requires_grad}
    if not named:
        return
    if value.grad_fn is None:
        yield f"{what} has no gradient, so its parameters {', '.join(named)} never train"
        return
    found: Sequence[Tensor | None] = torch.autograd.grad(
        value, list(named.values()), allow_unused=True
    )
    for name, gradient in zip(named, found, strict=True):
        if gradient is None:
            yield f"parameter {name} gets no gradient from {what}, so it never trains"
        elif not gradient.isfinite().all():
            yield f"the gradient of {what} by {name} is not finite"


def draw_problems(what: str, draw: Callable[[torch.Generator], Tensor]) -> Iterator[str]:
    """Whether draws are made by the generator that is given, and by no other.

    Args:
        what: how a sentence names the call.
        draw: generator -> draws.

    Yields:
        What is wrong.
    """
    before = torch.get_rng_state()
    first, again, other = (draw(stream("contract", seed)) for seed in (0, 0, 1))
    touched = not torch.equal(before, torch.get_rng_state())
    torch.set_rng_state(before)
    if touched or differs(first, again):
        yield f"{what} must draw from its generator alone: the same seed must give the same draws"
    elif not differs(first, other):
        yield f"{what} must draw from its generator: two seeds gave the same draws"


def state_problems(make: Make, call: Call, inputs: Sequence[Tensor]) -> Iterator[str]:
    """Whether it can be copied and saved.

    Args:
        make: seed -> component.
        call: component, inputs -> tensor.
        inputs: of double precision.

    Yields:
        What is wrong.
    """
    first, other = make(0).double().eval(), make(1).double().eval()
    for part in first.modules():
        if not type(part).__module__.startswith(("torch.", "zuko.", "vaelib.")):
            yield from _unregistered(vars(part))
    copied = attempt("copy.deepcopy of it", copy.deepcopy, first)
    attempt("loading its state_dict", other.load_state_dict, first.state_dict())
    expected = call(first, *inputs)
    if differs(expected, call(copied, *inputs)):
        yield "a copy.deepcopy of it gives other values"
    if differs(expected, call(other, *inputs)):
        yield "its state_dict does not hold everything that decides its values"


def _unregistered(attributes: Mapping[str, object]) -> Iterator[str]:
    """Tensors and modules that torch does not know to belong to their module."""
    for name, value in attributes.items():
        if isinstance(value, Tensor):
            yield (
                f"attribute {name} is a plain tensor, which is neither saved nor moved to a GPU; "
                "make it an nn.Parameter, or use register_buffer"
            )
        elif isinstance(value, list | tuple | dict) and not name.startswith("_"):
            parts = value.values() if isinstance(value, dict) else value
            if any(isinstance(part, nn.Module | Tensor) for part in parts):
                yield (
                    f"attribute {name} is a plain {type(value).__name__} of modules or tensors, "
                    "which do not train; use nn.ModuleList, nn.ParameterList or nn.ModuleDict"
                )


def differs(first: Tensor, second: Tensor) -> bool:
    """Whether two results are more than rounding apart."""
    if first.shape != second.shape:
        return True
    close = torch.isclose(first, second, rtol=1e-4, atol=1e-6, equal_nan=True)
    return not bool(close.all())
