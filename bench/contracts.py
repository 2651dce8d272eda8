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

from bench.components import schema
from bench.errors import MatrixError
from bench.record import one_line
from vaelib.seeding import global_stream, stream
from vaelib.stacked import stackable

__all__ = [
    "BrokenError",
    "attempt",
    "differs",
    "draw_problems",
    "gradient_problems",
    "made",
    "option_problems",
    "replicate_problems",
    "require_shape",
    "state_problems",
]

Make = Callable[[int], nn.Module]
Call = Callable[..., Tensor]

_REPLICATES = 3


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


class _Call(nn.Module):
    def __init__(self, part: nn.Module, call: Call) -> None:
        super().__init__()
        self.part = part
        self.call = call

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.call(self.part, *inputs)


def replicate_problems(
    make: Make, call: Call, inputs: Callable[[int, torch.Generator], Sequence[Tensor]]
) -> Iterator[str]:
    """Whether the replicates of a configuration can train together.

    Args:
        make: seed -> component.
        call: component, inputs -> tensor.
        inputs: points, generator -> inputs of one replicate, of double precision.

    Yields:
        What is wrong.
    """
    modules = [_Call(make(seed).double(), call) for seed in range(_REPLICATES)]
    for seed, module in enumerate(modules):
        _shake(module, stream("shake", seed))
    for points in (_REPLICATES + 1, _REPLICATES):  # a wrong axis may go unseen where both agree
        given = [inputs(points, stream("points", seed)) for seed in range(_REPLICATES)]
        stacked = [torch.stack(tensors) for tensors in zip(*given, strict=True)]
        for train in (False, True):
            problem = _together([m.train(train) for m in modules], given, stacked)
            if problem:
                yield problem
                return


def _together(
    modules: Sequence[nn.Module], given: Sequence[Sequence[Tensor]], stacked: Sequence[Tensor]
) -> str:
    template = copy.deepcopy(modules[0])
    apart = torch.stack([module(*own) for module, own in zip(modules, given, strict=True)])
    parameters, buffers = torch.func.stack_module_state(list(modules))
    state = {**parameters, **buffers}

    def one(state: dict[str, Tensor], *inputs: Tensor) -> Tensor:
        out: Tensor = torch.func.functional_call(template, state, inputs)
        return out

    direct = not buffers and stackable(template.part)  # type: ignore[arg-type]
    function = one if direct else torch.func.vmap(one, randomness="different")
    how = "marked stackable, but with a leading replicate axis on its parameters it"
    if not direct:
        how = "trained through torch.func.vmap, where it"
    remedy = " (set stackable = False, or compute on the last axes)" if direct else ""
    try:
        together = function(state, *stacked)
        if together.requires_grad:
            torch.autograd.backward(together.sum())
    except Exception as error:
        return f"it is {how} raised {one_line(error)}{remedy}"
    if not template.training and differs(apart, together):
        return f"it is {how} gives other values than one replicate at a time{remedy}"
    return ""


@torch.no_grad()
def _shake(module: nn.Module, generator: torch.Generator) -> None:
    """Makes replicates differ that are all initialised alike."""
    for parameter in module.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator).to(parameter))


def differs(first: Tensor, second: Tensor) -> bool:
    """Whether two results are more than rounding apart."""
    if first.shape != second.shape:
        return True
    close = torch.isclose(first, second, rtol=1e-4, atol=1e-6, equal_nan=True)
    return not bool(close.all())
