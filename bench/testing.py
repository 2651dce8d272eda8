"""Contract tests for your own components: each says in words what is wrong with one.

Call them from your own tests, with the options that you use:

    from bench.testing import check_prior
    def test_my_prior():
        check_prior(MyPrior, width=2.0)

Each raises a `ContractError` that lists every broken promise, and returns nothing where there is
none. The suite's own components pass them.

Example:
    >>> from vaelib.priors import Normal
    >>> check_prior(Normal)
    >>> class Shifted(Normal):
    ...     def sample(self, count, generator):
    ...         return 1 + super().sample(count, generator)
    >>> try:
    ...     check_prior(Shifted)
    ... except ContractError as error:
    ...     print(error.problems[0].partition(":")[0])
    draws and density disagree
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from bench.contract_densities import draw_mismatch, grid, kl_problems, total
from bench.contracts import (
    BrokenError,
    attempt,
    differs,
    draw_problems,
    gradient_problems,
    made,
    option_problems,
    replicate_problems,
    require_shape,
    state_problems,
)
from bench.metrics import Metric
from bench.own_metrics import Encoded, measure, metric_problems
from vaelib.datasets import Dataset
from vaelib.likelihoods import Bernoulli, Likelihood
from vaelib.models import VAE
from vaelib.networks import MLPDecoder, MLPEncoder
from vaelib.objectives import Objective
from vaelib.priors import Normal, Prior
from vaelib.seeding import global_stream, stream

__all__ = [
    "ContractError",
    "check_dataset",
    "check_decoder",
    "check_encoder",
    "check_likelihood",
    "check_metric",
    "check_objective",
    "check_prior",
]

_DOUBLE = torch.float64
_DRAWS = 40_000
_IMAGE = (1, 8, 8)


class ContractError(AssertionError):
    """A component does not do what the suite expects of its kind.

    Attributes:
        problems: one sentence for each broken promise.
    """

    def __init__(self, name: str, kind: str, problems: Sequence[str]) -> None:
        super().__init__("\n- ".join([f"{name} breaks the contract of {kind}:", *problems]))
        self.problems = list(problems)


def _require(target: object, kind: str, sentences: Iterator[str]) -> None:
    problems = []
    try:
        problems += [f"expected a class or a function, got {target!r}"] * (not callable(target))
        problems += [] if problems else sentences
    except BrokenError as error:
        problems.append(str(error))
    if problems:
        raise ContractError(getattr(target, "__name__", str(target)), kind, problems)


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
    _require(target, "a prior", _prior(target, options))


def _prior(target: Callable[..., Prior], options: dict[str, Any]) -> Iterator[str]:
    supplied = ("latent_dim",)
    yield from option_problems(target, supplied)
    make = made(target, supplied, (2,), options)
    if (got := getattr(make(0), "latent_dim", "none")) != 2:
        raise BrokenError(
            f"latent_dim must be the 2 it was given, got {got}; call super().__init__"
        )

    def bundle(seed: int) -> VAE:
        return _model(seed, make(seed))

    prior = _evaluable(bundle(0).double().eval())
    z, *posterior = _latents(prior, 5, stream("contract z", 0))
    closed = getattr(prior, "closed_form", True)
    for shape in ((5,), (3, 5)):
        points, mean, scale = (t.expand(*shape, 2) for t in (z, *posterior))
        what = f"log_prob of z of shape {(*shape, 2)}"
        require_shape(what, attempt(what, prior.log_prob, points), shape, _DOUBLE)
        if closed:
            what = f"kl of posteriors of shape {(*shape, 2)}"
            require_shape(what, attempt(what, prior.kl, mean, scale), shape, _DOUBLE)
    single = _evaluable(bundle(0).eval())
    what = "sample(7, generator)"
    require_shape(what, attempt(what, single.sample, 7, stream("", 0)), (7, 2), torch.float32)
    yield from draw_problems("sample", lambda generator: single.sample(7, generator))
    model = bundle(0).double()
    value = _prior_value(model, z, *posterior)
    yield from gradient_problems(model.prior, "log_prob" + " and kl" * closed, value)
    for dimensions in (1, 2):
        part = made(target, supplied, (dimensions,), options)(0)
        yield from _density(_evaluable(_model(0, part).eval()), dimensions)
    if closed:
        with torch.no_grad():
            yield from kl_problems(prior, stream("contract kl", 0))
    inputs = partial(_latents, prior)
    yield from state_problems(bundle, _prior_value, inputs(5, stream("points", 0)))
    yield from replicate_problems(bundle, _prior_value, inputs)


def _evaluable(model: Any) -> Any:  # noqa: ANN401
    """The prior of a model, which may depend on its encoder."""
    return model.resolved_prior() if hasattr(model, "resolved_prior") else model.prior


def _latents(prior: Any, points: int, generator: torch.Generator) -> list[Tensor]:  # noqa: ANN401
    """Latents, and mean and scale of posteriors of the prior's family, each (points, 2)."""
    output = torch.randn(points, 4, generator=generator, dtype=_DOUBLE)
    mean, scale = prior.family.parameters(output)
    noise = torch.randn(points, 2, generator=generator, dtype=_DOUBLE)
    return [prior.family.draw(mean, scale, noise), mean, scale]


def _prior_value(model: Any, z: Tensor, mean: Tensor, scale: Tensor) -> Tensor:  # noqa: ANN401
    prior = _evaluable(model)
    value: Tensor = prior.log_prob(z)
    if getattr(prior, "closed_form", True):
        value = value + prior.kl(mean, scale)
    return value.sum(-1)


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


def check_likelihood(target: Callable[..., Likelihood], **options: Any) -> None:  # noqa: ANN401
    """Whether a class is a likelihood: a density of x, its mean and its draws.

    Args:
        target: made from ``data_shape`` and the options.
        **options: its keyword-only arguments.

    Raises:
        ContractError: with everything that is wrong.
    """
    _require(target, "a likelihood", _likelihood(target, options))


def _likelihood(target: Callable[..., Likelihood], options: dict[str, Any]) -> Iterator[str]:
    supplied = ("data_shape",)
    yield from option_problems(target, supplied)
    make = made(target, supplied, (_IMAGE,), options)
    part: Any = make(0).double().eval()
    output, x = _outputs(5, stream("contract x", 0))
    for shape in ((5,), (3, 5)):
        given = [t.expand(*shape, *_IMAGE) for t in (output, x)]
        what = f"log_prob of an output and x of shape {(*shape, *_IMAGE)}"
        require_shape(what, attempt(what, part.log_prob, *given), shape, _DOUBLE)
        what = f"mean of an output of shape {(*shape, *_IMAGE)}"
        require_shape(what, attempt(what, part.mean, given[0]), given[0].shape, _DOUBLE)
    what = "sample of an output"
    drawn = attempt(what, part.sample, output, stream("contract", 0))
    require_shape(what, drawn, output.shape, _DOUBLE)
    yield from draw_problems("sample", lambda generator: part.sample(output, generator))
    yield from _normalised(made(target, supplied, ((1,),), options)(0).double().eval())
    many = output[:1].expand(20_000, *_IMAGE)
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
    output = torch.randn(points, *_IMAGE, generator=generator, dtype=_DOUBLE)
    return [output, (torch.rand(output.shape, generator=generator) < 0.5).double()]


def _log_prob(part: Any, output: Tensor, x: Tensor) -> Tensor:  # noqa: ANN401
    summed: Tensor = part.log_prob(output, x).sum(-1)
    return summed


@torch.no_grad()
def _normalised(part: Any) -> Iterator[str]:  # noqa: ANN401
    """A likelihood of one number: a density on {0, 1}, on [0, 1] or on the line."""
    names = "sums over {0, 1} to", "integrates over [0, 1] to", "over the line to"
    found: dict[str, list[float]] = {name: [] for name in names}
    binary, count = torch.tensor([[0.0], [1.0]], dtype=_DOUBLE), 20_001
    unit = (torch.arange(count, dtype=_DOUBLE)[:, None] + 0.5) / count
    for value in (-1.5, 0.3, 2.0):
        output = torch.full((1, 1), value, dtype=_DOUBLE)
        line, log_weights = grid(part.sample(output.expand(2001, 1), stream("contract line", 0)))
        for name, points, weights in zip(
            names,
            (binary, unit, line),
            (torch.zeros(2), torch.full((count,), -math.log(count)), log_weights),
            strict=True,
        ):
            what = "log_prob of one number"
            log_density = attempt(what, part.log_prob, output.expand_as(points), points)
            found[name].append(total(log_density, weights))
    if not any(all(abs(t - 1) < 0.01 for t in totals) for totals in found.values()):
        texts = [f"{name} {', '.join(f'{t:.3g}' for t in found[name])}" for name in names]
        yield f"exp(log_prob) must be a density of x, but it {', '.join(texts)}; one must be 1"


def check_encoder(
    target: Callable[..., nn.Module],
    data_shape: Sequence[int] = _IMAGE,
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
    _require(target, kind, _network(target, supplied, (shapes[0], 6), shapes, options))


def check_decoder(
    target: Callable[..., nn.Module],
    data_shape: Sequence[int] = _IMAGE,
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
    _require(target, kind, _network(target, supplied, (3, shapes[1]), shapes, options))


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
        return [torch.rand(points, *shapes[0], generator=generator, dtype=_DOUBLE)]

    def call(part: nn.Module, given: Tensor) -> Tensor:
        out: Tensor = part(given)
        return out

    part, (given,) = make(0).double().eval(), inputs(5, stream("contract x", 0))
    what = f"the output for {tuple(given.shape)}"
    out = attempt(what, part, given)
    require_shape(what, out, (5, *shapes[1]), _DOUBLE)
    if differs(out[2:3], attempt("one data point alone", part, given[2:3])):
        yield "in eval mode the output for a data point must not depend on the others of its batch"
    if not differs(out[:1], out[1:2]):
        yield "two different inputs have the same output"
    value = make(0).double()
    yield from gradient_problems(value, "the output", value(given).sum())
    yield from state_problems(make, call, (given,))
    yield from replicate_problems(make, call, inputs)


def check_objective(target: Callable[..., Objective], **options: Any) -> None:  # noqa: ANN401
    """Whether a class is an objective: the loss of one model, averaged over its batch.

    Args:
        target: made from ``latent_dim``, ``points`` and the options.
        **options: its keyword-only arguments.

    Raises:
        ContractError: with everything that is wrong.
    """
    _require(target, "an objective", _objective(target, options))


def _objective(target: Callable[..., Objective], options: dict[str, Any]) -> Iterator[str]:
    supplied = ("latent_dim", "points")
    yield from option_problems(target, supplied)
    make = made(target, supplied, (2, 100), options)
    part: Any = make(0).double()
    draws = getattr(part, "draws", None)
    if not isinstance(draws, int) or draws < 1:
        raise BrokenError(f"attribute draws must be a whole number from 1, got {draws!r}")

    def inputs(points: int, generator: torch.Generator) -> list[Tensor]:
        x = (torch.rand(points, *_IMAGE, generator=generator) < 0.5).double()
        return [x, torch.randn(draws * points, 2, generator=generator, dtype=_DOUBLE)]

    def bundle(seed: int) -> nn.Module:
        return _Bundle(make(seed), _model(seed))

    def call(bundle: Any, x: Tensor, noise: Tensor) -> Tensor:  # noqa: ANN401
        loss: Tensor = bundle.objective(bundle.model, x, noise, 0.5)
        return loss

    x, noise = inputs(32, stream("contract x", 0))
    model = _model(0).double()
    for progress in (0.0, 0.99):
        what = f"the loss at progress = {progress}"
        loss = attempt(what, part, model, x, noise, progress)
        require_shape(what, loss, (), _DOUBLE)
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

    stackable = True

    def __init__(self, objective: nn.Module, model: VAE) -> None:
        super().__init__()
        self.objective = objective
        self.model = model


def _twice(noise: Tensor, draws: int) -> Tensor:
    """The noise of a batch that holds every data point twice."""
    parts = noise.view(draws, -1, noise.shape[1])
    return torch.cat([parts, parts], 1).flatten(0, 1)


def _model(seed: int, prior: Any = None) -> VAE:  # noqa: ANN401
    """A small model, with the prior that is tested or the standard normal."""
    prior = Normal(2) if prior is None else prior
    with global_stream("contract model", seed):
        return VAE(
            MLPEncoder(_IMAGE, 2 * prior.latent_dim, hidden=(8,)),
            prior,
            MLPDecoder(prior.latent_dim, _IMAGE, hidden=(8,)),
            Bernoulli(_IMAGE),
        )


def check_dataset(target: Callable[..., Dataset], **options: Any) -> None:  # noqa: ANN401
    """Whether a function makes a data set: numbers in memory that split, and always the same.

    Args:
        target: made from the options.
        **options: its keyword-only arguments.

    Raises:
        ContractError: with everything that is wrong.
    """
    _require(target, "a data set", _dataset(target, options))


def _dataset(target: Callable[..., Dataset], options: dict[str, Any]) -> Iterator[str]:
    yield from option_problems(target, ())
    data, again = (attempt("making it", lambda: target(**options)) for _ in range(2))
    if not isinstance(data, Dataset):
        raise BrokenError(f"expected a vaelib.datasets.Dataset, got {type(data).__name__}")
    x, labels = data.x, data.labels
    if not isinstance(x, Tensor) or x.dtype != torch.float32 or x.dim() < 2 or x.is_cuda:
        got = f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise BrokenError(f"x must be float32 of shape (n, ...) on the CPU, got {got}")
    if bad := int((~x.isfinite()).sum()):
        yield f"x must be finite, got {bad} values that are not"
    if x.dim() == 4 and not 0 <= float(x.min()) <= float(x.max()) <= 1:
        yield f"images must hold values in [0, 1], got {float(x.min()):g} to {float(x.max()):g}"
    if labels is not None and (labels.dtype != torch.int64 or labels.shape != (len(x),)):
        yield (
            f"labels must be int64 of shape ({len(x)},), got {labels.dtype} of shape "
            f"{tuple(labels.shape)}"
        )
    if data.fingerprint != again.fingerprint:
        yield "two calls must give the same data; draw from a stream of a fixed seed"
    split = attempt("split(0)", data.split, 0)
    parts = {name: getattr(split, name) for name in ("train", "validation", "test")}
    if empty := [name for name, part in parts.items() if not len(part)]:
        yield f"every part of the split needs points, got none for {', '.join(empty)}"
    if len(set(torch.cat(list(parts.values())).tolist())) != sum(map(len, parts.values())):
        yield "the parts of the split must be disjoint"
    if data.log_density is not None:
        what = "log_density(x)"
        require_shape(what, attempt(what, data.log_density, x), (len(x),), torch.float32)


def check_metric(metric: Metric) -> None:
    """Whether an object is a metric of your own: named, explained, and measurable.

    It is tried on the untrained posterior of a small model, with and without labels.

    Args:
        metric: a `bench.metrics.Metric` with ``measure``.

    Raises:
        ContractError: with everything that is wrong.

    Example:
        >>> from bench.metrics import Metric
        >>> def norm(encoded):
        ...     return float(encoded.posterior.mean.norm(dim=1).mean())
        >>> check_metric(Metric("norm", "1", None, None, "‖μ‖", "Mean norm.", "me", measure=norm))
    """
    name = getattr(metric, "name", None)
    problems = list(metric_problems(metric))
    if not problems:
        try:
            problems += _metric(metric)
        except BrokenError as error:
            problems.append(str(error))
    if problems:
        raise ContractError(str(name or metric), "a metric", problems)


def _metric(metric: Metric) -> Iterator[str]:
    model = _model(0).eval()
    x = (torch.rand(40, *_IMAGE, generator=stream("contract x", 0)) < 0.5).float()
    mean, scale = model.posterior(x)
    before = torch.get_rng_state()
    for labels in (torch.arange(40) % 4, None):
        what = "measure" if labels is not None else "measure of data without labels"
        values = []
        for _ in range(2):
            encoded = Encoded(mean, scale, model, x, labels, stream("contract", 0))
            values.append(attempt(what, measure, metric, encoded))
        if values[0] != values[1]:
            yield f"{what} must draw from encoded.generator alone: two calls gave {values}"
    if not torch.equal(before, torch.get_rng_state()):
        torch.set_rng_state(before)
        yield "measure must leave torch's global generator alone; draw from encoded.generator"
