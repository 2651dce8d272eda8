"""Likelihoods p(x|z): what the numbers of a decoder mean.

Each takes the decoder's output of shape (..., *data_shape) and sums over the data axes, in nats.
Keyword-only arguments are the options that a matrix may set. A parameter of a likelihood may carry
the leading replicate axis that the output carries.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "CalibratedGaussian",
    "ContinuousBernoulli",
    "Gaussian",
    "LearnedGaussian",
    "Likelihood",
]

_NEAR = 0.1  # logits up to which a series replaces a quotient that cancels
_LEAST_VARIANCE = 1e-12  # of a calibrated scale, in squared data units


class Likelihood(nn.Module):
    """Base of the likelihoods.

    Args:
        data_shape: shape of one data point.
    """

    replicable = True

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

    def calibrate(self, mean_squared_error: float) -> None:
        """Told after training what the reconstructions of the training data miss.

        Args:
            mean_squared_error: mean of (x - E[x|z])^2 over points and pixels, z drawn from the
                posterior, in squared data units.
        """


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
        logits = output.flatten(-axes)
        out: Tensor = _BernoulliLogProb.apply(logits, x.expand_as(output).flatten(-axes))
        return out

    def mean(self, output: Tensor) -> Tensor:
        """Pixel probabilities, shape (..., *data_shape)."""
        return output.sigmoid()

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Binary pixels, shape (..., *data_shape)."""
        draw = torch.rand(output.shape, generator=generator).to(output.device)
        return (draw < output.sigmoid()).to(output.dtype)


class _BernoulliLogProb(torch.autograd.Function):
    """Sum over the last axis of x l - softplus(l), whose gradient x - sigmoid(l) is one tensor."""

    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor, x: Tensor) -> Tensor:
        softplus = logits.clamp_min(0) - logits.abs().sigmoid_().log_()  # thrice as fast as its own
        return (x * logits).sub_(softplus).sum(-1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:  # noqa: ANN401
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None]:  # noqa: ANN401
        logits, x = ctx.saved_tensors
        gradient = gradient.unsqueeze(-1)
        of_data = gradient * logits if ctx.needs_input_grad[1] else None
        return gradient * (x - logits.sigmoid()), of_data


class ContinuousBernoulli(Likelihood):
    """Continuous Bernoulli pixels on [0, 1], a normalised density; the output are logits.

    With logit l the density of one pixel is C(l) p^x (1 - p)^(1 - x), p = sigmoid(l),
    C(l) = l / tanh(l / 2), which is 2 at l = 0.

    Args:
        data_shape: shape of one data point, values in [0, 1].

    References:
        Loaiza-Ganem and Cunningham, The continuous Bernoulli: fixing a pervasive error in
        variational autoencoders, 2019.
    """

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """Cross-entropy plus log C, summed over the data axes, shape (...), in nats."""
        axes = len(self.data_shape)
        pixels = x * output - F.softplus(output) + _log_normaliser(output)
        return pixels.flatten(-axes).sum(-1)

    def mean(self, output: Tensor) -> Tensor:
        """1 / (1 - exp(-l)) - 1 / l, which is 1/2 at l = 0, shape (..., *data_shape)."""
        near = output.abs() < 5 * _NEAR
        far = torch.where(near, torch.ones_like(output), output)
        square = output.square()
        series = 0.5 + output / 12 * (1 - square / 60 * (1 - square / 42 * (1 - square / 40)))
        return torch.where(near, series, -(-far).expm1().reciprocal() - far.reciprocal())

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Draws by the inverse distribution function, shape (..., *data_shape)."""
        uniform = torch.rand(output.shape, generator=generator).to(output)
        size = output.abs().clamp_min(1e-6)
        above = 1 + ((1 - uniform) * (-size).expm1()).log1p() / size
        return torch.where(output < 0, 1 - above, above).clamp(0, 1)


def _log_normaliser(logit: Tensor) -> Tensor:
    """log(l / tanh(l / 2)), by its series near 0, the shape of ``logit``."""
    near = logit.abs() < _NEAR
    far = torch.where(near, torch.ones_like(logit), logit)
    square = logit.square()
    series = math.log(2) + square / 12 * (1 - square * 7 / 120 * (1 - square * 31 / 441))
    return torch.where(near, series, (far / (far / 2).tanh()).log())


class _Normal(Likelihood):
    """Independent Gaussian pixels of one scale; the decoder's output is the mean."""

    def _log_scale(self, output: Tensor, x: Tensor) -> Tensor:
        """Log standard deviation, of a shape that broadcasts against (...)."""
        raise NotImplementedError

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """Normal log density summed over the data axes, shape (...), in nats."""
        squares = (x - output).square().flatten(-len(self.data_shape)).sum(-1)
        log_scale = self._log_scale(output, x)
        constant = math.prod(self.data_shape) * (log_scale + 0.5 * math.log(2 * math.pi))
        return -0.5 * squares * (-2 * log_scale).exp() - constant

    def mean(self, output: Tensor) -> Tensor:
        """The output itself, shape (..., *data_shape)."""
        return output

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Mean plus noise, shape (..., *data_shape)."""
        noise = torch.randn(output.shape, generator=generator).to(output)
        return output + self._log_scale(output, output).exp() * noise


class Gaussian(_Normal):
    """Gaussian pixels of one fixed scale; the decoder's output is the mean.

    Args:
        data_shape: shape of one data point.
        scale: standard deviation, in data units.

    Raises:
        ValueError: for a scale that is not positive.
    """

    def __init__(self, data_shape: Sequence[int], *, scale: float = 0.1) -> None:
        super().__init__(data_shape)
        _check_scale(scale)
        self.scale = scale

    def _log_scale(self, output: Tensor, x: Tensor) -> Tensor:
        return output.new_full((), math.log(self.scale))


class LearnedGaussian(_Normal):
    """Gaussian pixels of one scale per model, trained along with it.

    Args:
        data_shape: shape of one data point.
        scale: standard deviation at the start of training, in data units.

    Raises:
        ValueError: for a scale that is not positive.
    """

    def __init__(self, data_shape: Sequence[int], *, scale: float = 0.5) -> None:
        super().__init__(data_shape)
        _check_scale(scale)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def _log_scale(self, output: Tensor, x: Tensor) -> Tensor:
        return _beside_points(self.log_scale)


class CalibratedGaussian(_Normal):
    """Gaussian pixels of the scale that maximises the likelihood, in closed form (sigma-VAE).

    In training that is the root mean squared error of the batch, whose gradient passes; afterwards
    it is that of the training data, once and for all.

    Args:
        data_shape: shape of one data point.

    References:
        Rybkin, Daniilidis and Levine, Simple and effective VAE training with calibrated decoders,
        2021.
    """

    def __init__(self, data_shape: Sequence[int]) -> None:
        super().__init__(data_shape)
        # A parameter without gradient: buffers would keep replicates from training directly.
        self.log_scale = nn.Parameter(torch.zeros(()), requires_grad=False)

    def _log_scale(self, output: Tensor, x: Tensor) -> Tensor:
        if not self.training:
            return _beside_points(self.log_scale)
        axes = tuple(range(-1 - len(self.data_shape), 0))
        error = (x - output).square().mean(axes).clamp_min(_LEAST_VARIANCE)
        return _beside_points(0.5 * error.log())

    def calibrate(self, mean_squared_error: float) -> None:
        """Freeze the scale at the root mean squared error of the training data."""
        value = 0.5 * math.log(max(mean_squared_error, _LEAST_VARIANCE))
        with torch.no_grad():
            self.log_scale.fill_(value)


def _check_scale(scale: float) -> None:
    if not scale > 0:
        raise ValueError(f"scale must be positive, got {scale}")


def _beside_points(value: Tensor) -> Tensor:
    """One number per replicate, shape (S,), beside values per point, (S, n); (): as it is."""
    return value.unsqueeze(-1) if value.dim() else value


LIKELIHOODS: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "gaussian": Gaussian,
    "gaussian_learned": LearnedGaussian,
    "gaussian_calibrated": CalibratedGaussian,
}
