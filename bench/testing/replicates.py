"""Can the replicates of a configuration train together?"""

import copy
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from bench.run.record import one_line
from bench.testing.promises import Call, Make, differs
from vaelib.replicates import replicable
from vaelib.seeding import stream

__all__ = ["replicate_problems"]

_REPLICATES = 3


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
        batched = [torch.stack(tensors) for tensors in zip(*given, strict=True)]
        for train in (False, True):
            problem = _together([m.train(train) for m in modules], given, batched)
            if problem:
                yield problem
                return


def _together(
    modules: Sequence[nn.Module], given: Sequence[Sequence[Tensor]], batched: Sequence[Tensor]
) -> str:
    template = copy.deepcopy(modules[0])
    apart = torch.stack([module(*own) for module, own in zip(modules, given, strict=True)])
    parameters, buffers = torch.func.stack_module_state(list(modules))
    state = {**parameters, **buffers}

    def one(state: dict[str, Tensor], *inputs: Tensor) -> Tensor:
        out: Tensor = torch.func.functional_call(template, state, inputs)
        return out

    direct = not buffers and replicable(template.part)  # type: ignore[arg-type]
    function = one if direct else torch.func.vmap(one, randomness="different")
    how = "marked replicable, but with a leading replicate axis on its parameters it"
    if not direct:
        how = "trained through torch.func.vmap, where it"
    remedy = " (set replicable = False, or compute on the last axes)" if direct else ""
    try:
        together = function(state, *batched)
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
