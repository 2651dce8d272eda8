"""Training the replicates of one configuration together, as one batched computation.

The parameters of the S models get a leading replicate axis. A model whose every part is
replicable (see ``vaelib.replicates``) runs on them directly, with one batched matrix product per
layer; any other model, a user's plain ``nn.Module`` included, runs through ``torch.func.vmap``.
The losses are summed, so the gradient of each replicate is its own and one that diverges does not
touch its neighbours.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from vaelib.models import VAE
from vaelib.numerics.matmul import float32_products
from vaelib.numerics.subnormals import subnormals_flushed
from vaelib.objectives import Objective
from vaelib.replicates import replicable
from vaelib.seeding import stream

__all__ = ["Training", "TrainingOutcome", "train"]

_NOISE_STEPS = 32  # steps whose noise is drawn at once
_PRODUCTS = {"float32": None, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Training:
    """Options of the training loop.

    Attributes:
        steps: parameter updates.
        batch_size: data points per update; at most the training set is used.
        learning_rate: of Adam.
        precision: of the products within encoder and decoder, there and back: ``"float32"``, or
            ``"bfloat16"``, faster where the processor has units for it, with 8 binary digits
            instead of 24. Weights, their updates, the objective and all that is measured of a
            model stay in float32 and float64.

    Raises:
        ValueError: for values that are not positive, or a precision that is neither.
    """

    steps: int = 2000
    batch_size: int = 128
    learning_rate: float = 1e-3
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.precision not in _PRODUCTS:
            raise ValueError(
                f"precision must be one of {', '.join(_PRODUCTS)}, got {self.precision!r:.60}"
            )


@dataclass(frozen=True)
class TrainingOutcome:
    """What training did to one replicate.

    Attributes:
        losses: the loss of every step, shape (steps,), in nats per data point.
        diverged_at: the first step whose loss was not finite, else None.
    """

    losses: Tensor
    diverged_at: int | None


class _Loss(nn.Module):
    def __init__(self, model: VAE, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(self, x: Tensor, noise: Tensor, progress: float) -> Tensor:
        loss: Tensor = self.objective(self.model, x, noise, progress)
        return loss


def _batches(
    index: Tensor, batch_size: int, seeds: Sequence[int], device: torch.device
) -> Iterator[Tensor]:
    """Endless batches of indices, shape (S, batch_size): whole epochs without replacement."""
    generators = [stream("batches", seed) for seed in seeds]
    points = index.shape[1]
    size = min(batch_size, points)
    while True:
        order = torch.stack([torch.randperm(points, generator=g) for g in generators])
        shuffled = index.gather(1, order).to(device)
        for start in range(0, points - size + 1, size):
            yield shuffled[:, start : start + size]


def _noise(shape: tuple[int, ...], seeds: Sequence[int], device: torch.device) -> Iterator[Tensor]:
    """Endless standard normal draws, shape (S, *shape)."""
    generators = [stream("noise", seed) for seed in seeds]
    while True:
        draws = [torch.randn(_NOISE_STEPS, *shape, generator=g) for g in generators]
        yield from torch.stack(draws, 1).to(device)


@subnormals_flushed()
@float32_products()
def train(
    models: Sequence[VAE],
    x: Tensor,
    index: Tensor,
    objectives: Sequence[Objective],
    training: Training,
    seeds: Sequence[int],
) -> list[TrainingOutcome]:
    """Train S models of one configuration together, in place.

    Batch order and noise come from the streams ``"batches"`` and ``"noise"`` of each seed. For a
    given block of seeds the result is the same to the bit; a replicate trained in another block
    differs by rounding.

    Args:
        models: S models of the same architecture, each initialised from its own seed.
        x: the data set, shape (n, *data_shape), on the device to train on.
        index: training points of each replicate, shape (S, N).
        objectives: what each model minimises: S of one kind, the same one S times where it has no
            parameters; those it has train along.
        training: options.
        seeds: the S training seeds.

    Returns:
        One outcome per model.

    Raises:
        ValueError: if models, index, objectives and seeds do not have the same length S, or an
            objective cannot train its model.
    """
    if not len(models) == len(index) == len(objectives) == len(seeds) >= 1:
        raise ValueError(
            "models, index, objectives and seeds must have the same length of at least 1, "
            f"got {len(models)}, {len(index)}, {len(objectives)}, {len(seeds)}"
        )
    for model, objective in zip(models, objectives, strict=True):
        objective.check(model)
    models = [model.to(x.device).train() for model in models]
    bundles = [
        _Loss(model, copy.deepcopy(objective).to(x.device))
        for model, objective in zip(models, objectives, strict=True)
    ]
    parameters, buffers = torch.func.stack_module_state(bundles)
    leaves = {
        name: tensor.detach().contiguous().requires_grad_(tensor.requires_grad)
        for name, tensor in _transposed(parameters).items()
    }
    template = copy.deepcopy(bundles[0])
    template.model.products = _PRODUCTS[training.precision]
    state = {**_transposed(leaves), **buffers}
    losses_of: Callable[[Tensor, Tensor, float], Tensor]
    if buffers or not (replicable(models[0]) and replicable(objectives[0])):
        losses_of = _vmapped(template, state)
    else:
        losses_of = _bound(template, state)

    optimizer = torch.optim.Adam(leaves.values(), lr=training.learning_rate, fused=True)
    batches = _batches(index, training.batch_size, seeds, x.device)
    size = min(training.batch_size, index.shape[1])
    noises = _noise((objectives[0].draws * size, models[0].latent_dim), seeds, x.device)
    losses = torch.empty(training.steps, len(models), device=x.device)
    shape, each = (len(models), size, *x.shape[1:]), torch.ones(len(models), device=x.device)
    for step in range(training.steps):
        batch = x.index_select(0, next(batches).flatten()).view(shape)
        loss = losses_of(batch, next(noises), step / training.steps)
        for leaf in leaves.values():
            leaf.grad = None  # only now, so that the next gradient takes its memory
        torch.autograd.backward(loss, each)
        optimizer.step()
        losses[step] = loss.detach()
    _hand_back(state, models)
    return [_outcome(column, model) for column, model in zip(losses.cpu().T, models, strict=True)]


def _vmapped(
    template: nn.Module, state: dict[str, Tensor]
) -> Callable[[Tensor, Tensor, float], Tensor]:
    """The losses of any module, of shape (S,), by ``torch.func.vmap``."""

    def loss_of(own: dict[str, Tensor], batch: Tensor, noise: Tensor, progress: float) -> Tensor:
        out: Tensor = torch.func.functional_call(template, own, (batch, noise, progress))
        return out

    mapped = torch.func.vmap(loss_of, in_dims=(0, 0, 0, None), randomness="different")
    return partial(mapped, state)


def _bound(template: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    """A replicable module whose parameters are those of all replicates."""
    # A call of torch.func.functional_call per step costs as much as a small network's step.
    of = {parameter: state[name] for name, parameter in template.named_parameters()}
    for part in template.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                # where functional_call puts them, too: they still are what parameters() gives
                part._parameters[name] = of[parameter]  # type: ignore[assignment]
    return template


def _transposed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weight matrices of replicates transposed, the rest as it is: its own inverse."""
    # The product that gives the gradient of a weight (S, out, in) gives a transposed (S, in, out).
    # Weights kept in that form get it without a copy, and Adam reads both in memory order.
    return {
        name: tensor.mT if tensor.dim() == 3 and name.endswith("weight") else tensor
        for name, tensor in state.items()
    }


@torch.no_grad()
def _hand_back(state: dict[str, Tensor], models: Sequence[VAE]) -> None:
    """Give each model its own part of the state."""
    for position, model in enumerate(models):
        own = {name.removeprefix("model."): v[position] for name, v in state.items()}
        model.load_state_dict(own, strict=False)
        model.eval()


def _outcome(losses: Tensor, model: VAE) -> TrainingOutcome:
    diverged = (~losses.isfinite()).nonzero()
    if len(diverged):
        return TrainingOutcome(losses, int(diverged[0]))
    broken = any(not p.isfinite().all() for p in model.parameters())
    return TrainingOutcome(losses, len(losses) if broken else None)
