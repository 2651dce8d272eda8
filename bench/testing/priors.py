"""Is it a prior?"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bench.testing.contract import DOUBLE, require, small_model
from bench.testing.densities import draw_mismatch, grid, kl_problems, total
from bench.testing.promises import (
    BrokenError,
    attempt,
    draw_problems,
    gradient_problems,
    made,
    option_problems,
    require_shape,
    state_problems,
)
from bench.testing.replicates import replicate_problems
from vaelib.models import VAE
from vaelib.priors import Normal, Prior
from vaelib.priors.base import has_map
from vaelib.seeding import stream

__all__ = ["check_prior"]

_DRAWS = 40_000
_STEP = 1e-4


def check_prior(target: Callable[..., Prior], **options: Any) -> None:  # noqa: ANN401
    """Whether a class is a prior: a density, its draws, its KL, and what trains with it.

    The density is integrated in one and two dimensions, its draws are tested against it at level
    1e-6, the KL is compared with Monte Carlo within six standard errors.

    Args:
        target: made from ``latent_dim`` and the options.
        **options: its keyword-only arguments.

    Raises:
        ContractError: with everything that is wrong.

    Example:
        >>> from vaelib.priors import Normal
        >>> check_prior(Normal)
    """
    require(target, "a prior", _prior(target, options))


def _prior(target: Callable[..., Prior], options: dict[str, Any]) -> Iterator[str]:
    supplied = ("latent_dim",)
    yield from option_problems(target, supplied)
    make = made(target, supplied, (2,), options)
    if (got := getattr(make(0), "latent_dim", "none")) != 2:
        raise BrokenError(
            f"latent_dim must be the 2 it was given, got {got}; call super().__init__"
        )

    def bundle(seed: int) -> VAE:
        return small_model(seed, make(seed))

    prior = _evaluable(bundle(0).double().eval())
    z, *posterior = _latents(prior, 5, stream("contract z", 0))
    closed = getattr(prior, "closed_form", True)
    for shape in ((5,), (3, 5)):
        points, mean, scale = (t.expand(*shape, 2) for t in (z, *posterior))
        what = f"log_prob of z of shape {(*shape, 2)}"
        require_shape(what, attempt(what, prior.log_prob, points), shape, DOUBLE)
        if closed:
            what = f"kl of posteriors of shape {(*shape, 2)}"
            require_shape(what, attempt(what, prior.kl, mean, scale), shape, DOUBLE)
    single = _evaluable(bundle(0).eval())
    what = "sample(7, generator)"
    require_shape(what, attempt(what, single.sample, 7, stream("", 0)), (7, 2), torch.float32)
    yield from draw_problems("sample", lambda generator: single.sample(7, generator))
    model = bundle(0).double()
    value = _prior_value(model, z, *posterior)
    yield from gradient_problems(model.prior, "log_prob" + " and kl" * closed, value)
    for dimensions in (1, 2):
        part = made(target, supplied, (dimensions,), options)(0)
        yield from _density(_evaluable(small_model(0, part).eval()), dimensions)
    if closed:
        with torch.no_grad():
            yield from kl_problems(prior, stream("contract kl", 0))
    inputs = partial(_latents, prior)
    yield from state_problems(bundle, _prior_value, inputs(5, stream("points", 0)))
    yield from replicate_problems(bundle, _prior_value, inputs)
    yield from _map_problems(prior, z)


def _evaluable(model: Any) -> Any:  # noqa: ANN401
    """The prior of a model, which may depend on its encoder."""
    return model.resolved_prior() if hasattr(model, "resolved_prior") else model.prior


def _latents(prior: Any, points: int, generator: torch.Generator) -> list[Tensor]:  # noqa: ANN401
    """Latents, and mean and scale of posteriors of the prior's family, each (points, 2)."""
    output = torch.randn(points, 4, generator=generator, dtype=DOUBLE)
    mean, scale = prior.family.parameters(output)
    noise = torch.randn(points, 2, generator=generator, dtype=DOUBLE)
    return [prior.family.draw(mean, scale, noise), mean, scale]


def _prior_value(model: Any, z: Tensor, mean: Tensor, scale: Tensor) -> Tensor:  # noqa: ANN401
    prior = _evaluable(model)
    value: Tensor = prior.log_prob(z)
    if getattr(prior, "closed_form", True):
        value = value + prior.kl(mean, scale)
    return value.sum(-1)


@torch.no_grad()
def _map_problems(prior: Any, z: Tensor) -> Iterator[str]:  # noqa: ANN401
    """Whether the map to N(0, I), where there is one, has the determinant of the density."""
    if not has_map(prior):
        return
    noise = attempt("to_normal", prior.to_normal, z)
    require_shape("to_normal(z)", noise, tuple(z.shape), DOUBLE)
    steps = _STEP * torch.eye(z.shape[1], dtype=DOUBLE)
    slopes = [(prior.to_normal(z + h) - prior.to_normal(z - h)) / (2 * _STEP) for h in steps]
    volume = torch.linalg.slogdet(torch.stack(slopes, -1)).logabsdet
    mapped = Normal(z.shape[1]).log_prob(noise) + volume
    if not torch.allclose(prior.log_prob(z), mapped, atol=1e-4):
        yield (
            "to_normal must map the prior to N(0, I), got another density at the same z; leave it "
            "out where no such map is known"
        )


@torch.no_grad()
def _density(prior: Any, dimensions: int) -> Iterator[str]:  # noqa: ANN401
    """A prior's density against one, and its draws against it."""
    draws = attempt("sample", prior.sample, _DRAWS, stream("contract draws", 0))
    if not draws.isfinite().all():
        yield "sample must return finite numbers"
        return
    points, log_weights = grid(draws)
    log_density = attempt(f"log_prob in {dimensions}-D", prior.double().log_prob, points)
    integral = total(log_density, log_weights)
    if not abs(integral - 1) < 0.01 * dimensions:
        yield (
            f"exp(log_prob) must integrate to 1, got {integral:.4g} in {dimensions}-D (quadrature)"
        )
    elif mismatch := draw_mismatch(draws, points, log_density + log_weights):
        yield f"{mismatch} (in {dimensions}-D)"
