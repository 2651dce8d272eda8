"""Is it a likelihood?"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from bench.testing.contract import DOUBLE, IMAGE, require
from bench.testing.densities import grid, total
from bench.testing.promises import (
    attempt,
    draw_problems,
    gradient_problems,
    made,
    option_problems,
    require_shape,
    state_problems,
)
from bench.testing.replicates import replicate_problems
from vaelib.likelihoods import Likelihood
from vaelib.seeding import stream

__all__ = ["check_likelihood"]


def check_likelihood(target: Callable[..., Likelihood], **options: Any) -> None:  # noqa: ANN401
    """Whether a class is a likelihood: a density of x, its mean and its draws.

    Args:
        target: made from ``data_shape`` and the options.
        **options: its keyword-only arguments.

    Raises:
        ContractError: with everything that is wrong.
    """
    require(target, "a likelihood", _likelihood(target, options))


def _likelihood(target: Callable[..., Likelihood], options: dict[str, Any]) -> Iterator[str]:
    supplied = ("data_shape",)
    yield from option_problems(target, supplied)
    make = made(target, supplied, (IMAGE,), options)
    part: Any = make(0).double().eval()
    output, x = _outputs(5, stream("contract x", 0))
    for shape in ((5,), (3, 5)):
        given = [t.expand(*shape, *IMAGE) for t in (output, x)]
        what = f"log_prob of an output and x of shape {(*shape, *IMAGE)}"
        require_shape(what, attempt(what, part.log_prob, *given), shape, DOUBLE)
        what = f"mean of an output of shape {(*shape, *IMAGE)}"
        require_shape(what, attempt(what, part.mean, given[0]), given[0].shape, DOUBLE)
    what = "sample of an output"
    drawn = attempt(what, part.sample, output, stream("contract", 0))
    require_shape(what, drawn, output.shape, DOUBLE)
    yield from draw_problems("sample", lambda generator: part.sample(output, generator))
    yield from _normalised(made(target, supplied, ((1,),), options)(0).double().eval())
    many = output[:1].expand(20_000, *IMAGE)
    draws = part.sample(many, stream("contract draws", 0))
    error = draws.std(0) / math.sqrt(len(draws))
    apart = ((draws.mean(0) - part.mean(output[0])).abs() - 6 * error).max()
    if apart > 1e-4:
        yield f"mean must be that of sample, got {float(apart):.3g} beyond six standard errors"
    value = make(0).double()
    yield from gradient_problems(value, "log_prob", _log_prob(value, output, x))
    yield from state_problems(make, _log_prob, (output, x))
    yield from replicate_problems(make, _log_prob, _outputs)


def _outputs(points: int, generator: torch.Generator) -> list[Tensor]:
    """A decoder's output, and data in {0, 1}, where every likelihood is defined."""
    output = torch.randn(points, *IMAGE, generator=generator, dtype=DOUBLE)
    return [output, (torch.rand(output.shape, generator=generator) < 0.5).double()]


def _log_prob(part: Any, output: Tensor, x: Tensor) -> Tensor:  # noqa: ANN401
    summed: Tensor = part.log_prob(output, x).sum(-1)
    return summed


@torch.no_grad()
def _normalised(part: Any) -> Iterator[str]:  # noqa: ANN401
    """A likelihood of one number: a density on {0, 1}, on [0, 1] or on the line."""
    names = "sums over {0, 1} to", "integrates over [0, 1] to", "over the line to"
    totals_by_name: dict[str, list[float]] = {name: [] for name in names}
    binary, count = torch.tensor([[0.0], [1.0]], dtype=DOUBLE), 20_001
    unit = (torch.arange(count, dtype=DOUBLE)[:, None] + 0.5) / count
    for value in (-1.5, 0.3, 2.0):
        output = torch.full((1, 1), value, dtype=DOUBLE)
        line, log_weights = grid(part.sample(output.expand(2001, 1), stream("contract line", 0)))
        for name, points, weights in zip(
            names,
            (binary, unit, line),
            (torch.zeros(2), torch.full((count,), -math.log(count)), log_weights),
            strict=True,
        ):
            what = "log_prob of one number"
            log_density = attempt(what, part.log_prob, output.expand_as(points), points)
            totals_by_name[name].append(total(log_density, weights))
    if not any(all(abs(t - 1) < 0.01 for t in totals) for totals in totals_by_name.values()):
        texts = [f"{name} {', '.join(f'{t:.3g}' for t in totals_by_name[name])}" for name in names]
        yield f"exp(log_prob) must be a density of x, but it {', '.join(texts)}; one must be 1"
