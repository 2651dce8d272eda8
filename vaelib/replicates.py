"""Networks whose parameters may carry a leading replicate axis.

The replicates of a configuration train as one computation: weights of shape (S, out, in) map inputs
of shape (S, n, in) by one batched matrix product per layer. A module marked ``replicable`` runs
with such parameters; others train through ``torch.func.vmap``.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

__all__ = ["ACTIVATIONS", "MLP", "Linear", "activation_named", "check_sizes", "replicable"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def activation_named(name: str) -> type[nn.Module]:
    """The class of an activation.

    Args:
        name: of ``ACTIVATIONS``.

    Returns:
        The class.

    Raises:
        ValueError: for an unknown name.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r:.60}")
    return ACTIVATIONS[name]


def check_sizes(name: str, sizes: Sequence[int]) -> None:
    """Refuse layers without units.

    Args:
        name: of the option.
        sizes: of the layers.

    Raises:
        ValueError: for a size below 1.
    """
    if any(size < 1 for size in sizes):
        raise ValueError(f"{name} must be a list of positive sizes, got {list(sizes)}")


class Linear(nn.Linear):
    """``nn.Linear`` that also takes the parameters of replicates.

    With weight (S, out, in) and bias (S, out) it maps (S, n, in) to (S, n, out).
    """

    replicable = True

    def forward(self, input: Tensor) -> Tensor:
        """Apply the map to the last axis of ``input``."""
        if self.weight.dim() == 2:
            return F.linear(input, self.weight, self.bias)
        return torch.baddbmm(self.bias.unsqueeze(1), input, self.weight.mT)


class MLP(nn.Sequential):
    """Linear layers with an activation between each two.

    Args:
        sizes: of the input, the hidden layers and the output.
        activation: a name of ``ACTIVATIONS``.

    Raises:
        ValueError: for an unknown activation.
    """

    replicable = True

    def __init__(self, sizes: list[int], activation: str) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [Linear(inputs, outputs), activation_named(activation)()]
        super().__init__(*layers[:-1])
        self.rectified = activation == "relu"

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layers to the last axis of ``input``."""
        layers = [layer for layer in self if isinstance(layer, Linear)]
        if self.rectified and layers[0].weight.dim() == 3:
            parameters = [p for layer in layers for p in (layer.weight, layer.bias)]
            out: Tensor = _RectifiedLayers.apply(input, *parameters)
        else:
            out = super().forward(input)  # type: ignore[no-untyped-call]
        return out


class _RectifiedLayers(torch.autograd.Function):
    """Linear layers of replicates with ReLU between them, forward and back without spare tensors.

    Under ``torch.autocast``, in its type there and back.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor) -> Tensor:  # noqa: ANN401
        kind = x.device.type
        if torch.is_autocast_enabled(kind):
            lower = torch.get_autocast_dtype(kind)
            x, parameters = x.to(lower), tuple(p.to(lower) for p in parameters)
        weights, biases = parameters[::2], parameters[1::2]
        inputs = [x]
        for weight, bias in zip(weights, biases, strict=True):
            out = torch.baddbmm(bias.unsqueeze(1), inputs[-1], weight.mT)
            inputs.append(out.relu_() if len(inputs) < len(weights) else out)
        ctx.save_for_backward(*weights, *inputs[:-1])
        return inputs[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        layers = len(ctx.saved_tensors) // 2
        weights, inputs = ctx.saved_tensors[:layers], ctx.saved_tensors[layers:]
        gradients: list[Tensor | None] = []  # of the last bias first
        for layer in reversed(range(layers)):
            x = inputs[layer]
            gradients += [gradient.sum(1), torch.bmm(x.mT, gradient).mT]
            if layer or ctx.needs_input_grad[0]:
                gradient = torch.bmm(gradient, weights[layer])
            if layer:
                torch.ops.aten.threshold_backward.grad_input(gradient, x, 0, grad_input=gradient)
        gradients.append(gradient if ctx.needs_input_grad[0] else None)
        return tuple(reversed(gradients))


def replicable(module: nn.Module) -> bool:
    """Whether every part of ``module`` runs with the parameters of replicates."""
    plain = (nn.Sequential, *ACTIVATIONS.values())
    return all(getattr(part, "replicable", type(part) in plain) for part in module.modules())
