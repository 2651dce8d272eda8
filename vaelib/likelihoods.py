"""Likelihoods p(x|z): what the numbers of a decoder mean.

Each takes the decoder's output of shape (..., *data_shape) and sums over the data axes, in nats.
Keyword-only arguments are the options that a matrix may set.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["LIKELIHOODS", "Bernoulli", "Gaussian", "Likelihood"]


class Likelihood(nn.Module):
    """Base of the likelihoods.

    Args:
        data_shape: shape of one data point.
    """

    stackable = True

    def __init__(self, data_shape: Sequence[int]) -> None:
        super().__init__()
        self.data_shape = tuple(data_shape)

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """log p(x|z) of shape (...), in nats.

        Args:
            output: what the decoder returned, shape (..., *data_shape).
            x: data, shape (..., *data_shape).

        Returns:
            Log density summed over the data axes, shape (...).
        """
        raise NotImplementedError

    def mean(self, output: Tensor) -> Tensor:
        """E[x|z], shape (..., *data_shape)."""
        raise NotImplementedError

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """One draw of x given the decoder's output, shape (..., *data_shape)."""
        raise NotImplementedError


class Bernoulli(Likelihood):
    """Independent Bernoulli pixels; the decoder's output are logits.

    On grey levels in [0, 1], as the field uses it, the value is the cross-entropy: not a
    normalised density of such data. It is one on binary data.

    Args:
        data_shape: shape of one data point, values in [0, 1].
    """

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """Sum of x log p + (1 - x) log(1 - p), shape (...), in nats."""
        axes = len(self.data_shape)
        return ((x * output) - F.softplus(output)).flatten(-axes).sum(-1)

    def mean(self, output: Tensor) -> Tensor:
        """Pixel probabilities, shape (..., *data_shape)."""
        return output.sigmoid()

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Binary pixels, shape (..., *data_shape)."""
        draw = torch.rand(output.shape, generator=generator).to(output.device)
        return (draw < output.sigmoid()).to(output.dtype)


class Gaussian(Likelihood):
    """Independent Gaussian pixels of one fixed scale; the decoder's output is the mean.

    Args:
        data_shape: shape of one data point.
        scale: standard deviation, in data units.

    Raises:
        ValueError: for a scale that is not positive.
    """

    def __init__(self, data_shape: Sequence[int], *, scale: float = 0.1) -> None:
        super().__init__(data_shape)
        if not scale > 0:
            raise ValueError(f"scale must be positive, got {scale}")
        self.scale = scale

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """Normal log density summed over the data axes, shape (...), in nats."""
        axes = len(self.data_shape)
        squares = ((x - output) / self.scale).square().flatten(-axes).sum(-1)
        constant = math.prod(self.data_shape) * (math.log(self.scale) + 0.5 * math.log(2 * math.pi))
        return -0.5 * squares - constant

    def mean(self, output: Tensor) -> Tensor:
        """The output itself, shape (..., *data_shape)."""
        return output

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Mean plus noise, shape (..., *data_shape)."""
        noise = torch.randn(output.shape, generator=generator).to(output)
        return output + self.scale * noise


LIKELIHOODS: dict[str, type[Likelihood]] = {"bernoulli": Bernoulli, "gaussian": Gaussian}
