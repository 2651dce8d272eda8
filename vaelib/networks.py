"""Encoder and decoder networks.

An encoder maps data of shape (..., *data_shape) to the ``outputs`` numbers that parametrise a
posterior; a decoder maps latents (..., D) to the parameters of the likelihood, of shape
(..., *data_shape). Keyword-only arguments are the options that a matrix may set.

Networks marked ``replicable`` also run with the parameters of replicates, see
``vaelib.replicates``.
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from vaelib.replicates import MLP, activation_named, check_sizes

__all__ = ["DECODERS", "ENCODERS", "ConvDecoder", "ConvEncoder", "MLPDecoder", "MLPEncoder"]


class MLPEncoder(nn.Module):
    """Fully connected encoder; with no hidden layer it is affine.

    Args:
        data_shape: shape of one data point.
        outputs: numbers per data point to return.
        hidden: sizes of the hidden layers.
        activation: a name of ``ACTIVATIONS``.

    Raises:
        ValueError: for a hidden size below 1 or an unknown activation.
    """

    replicable = True

    def __init__(
        self,
        data_shape: Sequence[int],
        outputs: int,
        *,
        hidden: Sequence[int] = (200, 200),
        activation: str = "relu",
    ) -> None:
        super().__init__()
        check_sizes("hidden", hidden)
        self.axes = len(data_shape)
        self.layers = MLP([math.prod(data_shape), *hidden, outputs], activation)

    def forward(self, x: Tensor) -> Tensor:
        """Map x of shape (..., *data_shape) to (..., outputs)."""
        out: Tensor = self.layers(x.flatten(-self.axes))
        return out


class MLPDecoder(nn.Module):
    """Fully connected decoder; with no hidden layer it is affine.

    Args:
        latent_dim: D.
        data_shape: shape of one data point.
        hidden: sizes of the hidden layers, from the latent to the data.
        activation: a name of ``ACTIVATIONS``.

    Raises:
        ValueError: for a hidden size below 1 or an unknown activation.
    """

    replicable = True

    def __init__(
        self,
        latent_dim: int,
        data_shape: Sequence[int],
        *,
        hidden: Sequence[int] = (200, 200),
        activation: str = "relu",
    ) -> None:
        super().__init__()
        check_sizes("hidden", hidden)
        self.data_shape = tuple(data_shape)
        self.layers = MLP([latent_dim, *hidden, math.prod(data_shape)], activation)

    def forward(self, z: Tensor) -> Tensor:
        """Map z of shape (..., D) to (..., *data_shape)."""
        out: Tensor = self.layers(z)
        return out.view(*z.shape[:-1], *self.data_shape)


def _check_image(data_shape: Sequence[int], halvings: int) -> tuple[int, int, int]:
    if len(data_shape) != 3:
        raise ValueError(
            f"a convolutional network expects images (channels, height, width), "
            f"got data of shape {tuple(data_shape)}; use an mlp"
        )
    channels, height, width = data_shape
    if height % 2**halvings or width % 2**halvings:
        raise ValueError(
            f"{halvings} convolutions of stride 2 expect height and width divisible by "
            f"{2**halvings}, got {height} x {width}; give fewer channels"
        )
    return channels, height, width


class ConvEncoder(nn.Module):
    """Convolutions of stride 2, then one hidden layer.

    Args:
        data_shape: (channels, height, width) of one image.
        outputs: numbers per image to return.
        channels: output channels of each convolution; each halves the image.
        hidden: size of the fully connected layer.
        activation: a name of ``ACTIVATIONS``.

    Raises:
        ValueError: for data that are no images or cannot be halved that often.
    """

    def __init__(
        self,
        data_shape: Sequence[int],
        outputs: int,
        *,
        channels: Sequence[int] = (32, 64),
        hidden: int = 256,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        check_sizes("channels", channels)
        check_sizes("hidden", [hidden])
        inputs, height, width = _check_image(data_shape, len(channels))
        layers: list[nn.Module] = []
        for before, after in zip([inputs, *channels], channels, strict=False):
            layers += [nn.Conv2d(before, after, 4, 2, 1), activation_named(activation)()]
        pixels = (height >> len(channels)) * (width >> len(channels))
        features = ([inputs, *channels][-1]) * pixels
        layers += [nn.Flatten(), nn.Linear(features, hidden), activation_named(activation)()]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map x of shape (n, channels, height, width) to (n, outputs)."""
        out: Tensor = self.layers(x)
        return out


class ConvDecoder(nn.Module):
    """One hidden layer, then transposed convolutions of stride 2.

    Args:
        latent_dim: D.
        data_shape: (channels, height, width) of one image.
        channels: input channels of each transposed convolution; each doubles the image.
        hidden: size of the fully connected layer.
        activation: a name of ``ACTIVATIONS``.

    Raises:
        ValueError: for data that are no images or cannot be halved that often.
    """

    def __init__(
        self,
        latent_dim: int,
        data_shape: Sequence[int],
        *,
        channels: Sequence[int] = (64, 32),
        hidden: int = 256,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        check_sizes("channels", channels)
        check_sizes("hidden", [hidden])
        outputs, height, width = _check_image(data_shape, len(channels))
        small = (height >> len(channels), width >> len(channels))
        stack = [*channels, outputs]
        layers: list[nn.Module] = [nn.Linear(latent_dim, hidden), activation_named(activation)()]
        layers += [
            nn.Linear(hidden, stack[0] * math.prod(small)),
            nn.Unflatten(1, (stack[0], *small)),
        ]
        for before, after in zip(stack, stack[1:], strict=False):
            layers += [activation_named(activation)(), nn.ConvTranspose2d(before, after, 4, 2, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """Map z of shape (n, D) to (n, channels, height, width)."""
        out: Tensor = self.layers(z)
        return out


ENCODERS: dict[str, type[nn.Module]] = {"mlp": MLPEncoder, "conv": ConvEncoder}
DECODERS: dict[str, type[nn.Module]] = {"mlp": MLPDecoder, "conv": ConvDecoder}
