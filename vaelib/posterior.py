"""The aggregate posterior of N encoded inputs: a finite mixture whose density is known exactly."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from vaelib.numerics.exp2 import BITS
from vaelib.numerics.log_sum_exp import Logs, log_mean_exp
from vaelib.numerics.pruned_sums import pruned_log_sum_exp

__all__ = ["AggregatePosterior", "PointAggregate"]

_HELD = 1 << 21  # numbers of the means: with more, coefficients are made as they are needed
_NARROW = 1e-5  # of the means' spread: the expanded quadratic then errs by about 1e-6 nats


class AggregatePosterior:
    """q_N(z) = 1/N sum_n N(z; mean_n, diag scale_n^2), in float64.

    Args:
        mean: posterior means, shape (N, D).
        scale: posterior standard deviations, shape (N, D).

    Raises:
        TypeError: for what is no tensor.
        ValueError: for shapes that differ or are not (N, D) with N, D >= 1, for dtypes below
            float32, and for values that are not finite or scales that are not positive.

    Example:
        >>> q = AggregatePosterior(torch.zeros(1, 2), torch.ones(1, 2))
        >>> round(float(q.log_prob(torch.zeros(1, 2))), 4)
        -1.8379
    """

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        for name, values in (("mean", mean), ("scale", scale)):
            if not isinstance(values, Tensor):
                raise TypeError(f"{name} must be a torch.Tensor, got {type(values).__name__}")
        if mean.dim() != 2 or mean.shape != scale.shape or 0 in mean.shape:
            raise ValueError(
                "mean and scale must have the same shape (N, D) with N and D at least 1, "
                f"got {tuple(mean.shape)} and {tuple(scale.shape)}"
            )
        for name, values in (("mean", mean), ("scale", scale)):
            if values.dtype not in (torch.float32, torch.float64):
                raise ValueError(f"{name} must be float32 or float64, got {values.dtype}")
            bad = int((~values.isfinite()).sum())
            if bad:
                raise ValueError(f"{name} must be finite, got {bad} values that are not")
        if not scale.min() > 0:
            raise ValueError(f"scale must be positive, got min {float(scale.min()):.3g}")
        self.mean = mean.detach().double()
        self.scale = scale.detach().double()

    @property
    def components(self) -> int:
        """N."""
        return self.mean.shape[0]

    @property
    def latent_dim(self) -> int:
        """D."""
        return self.mean.shape[1]

    def sample(self, generator: torch.Generator, draws: int = 1) -> Tensor:
        """Fresh z, stratified: as many from each component.

        Args:
            generator: random stream, on the CPU.
            draws: draws per component.

        Returns:
            Points of shape (draws, N, D).
        """
        shape = (draws, self.components, self.latent_dim)
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        return self.mean + self.scale * noise.to(self.mean.device)

    def component_log_prob(self, z: Tensor) -> Tensor:
        """log q_n(z_n): each point under its own component.

        Args:
            z: points of shape (..., N, D), point n belonging to component n.

        Returns:
            Log densities of shape (..., N), in nats.
        """
        standard = (z - self.mean) / self.scale
        constant = 0.5 * self.latent_dim * math.log(2 * math.pi)
        return -0.5 * standard.square().sum(-1) - self.scale.log().sum(-1) - constant

    def log_prob(self, z: Tensor, *, leave_one_out: bool = False) -> Tensor:
        """Exact log q_N(z).

        One matrix product of [z^2, z, 1, base] with the expanded quadratic per tile, centred on the
        mean of the means, in float64; memory is bounded by the tile whatever N and M. Where a scale
        is below a hundred-thousandth of the spread of the means the expansion would cost digits,
        and differences are taken directly, many times slower. Of thousands of components at
        thousands of points, those that provably cannot change the sum by 1e-10 are left out where
        that pays.

        Args:
            z: points of shape (M, D).
            leave_one_out: leave component m out of the mixture at point m; needs M <= N >= 2.

        Returns:
            Log densities of shape (M,), in nats.

        Raises:
            ValueError: for points of another dimension or not finite, or a leave-one-out that does
                not fit.
        """
        if z.dim() != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(f"z must have shape (M, {self.latent_dim}), got {tuple(z.shape)}")
        if leave_one_out and not len(z) <= self.components >= 2:
            raise ValueError(
                "leave_one_out needs at most one point per component and at least 2 components, "
                f"got {len(z)} points and {self.components} components"
            )
        out = self._log_mean_exp(z.to(self.mean), leave_one_out)
        if bool(out.isnan().any()):
            raise ValueError(
                f"z must be finite, got {int((~z.isfinite()).sum())} values that are not"
            )
        return out

    def _log_mean_exp(self, z: Tensor, leave_one_out: bool) -> Tensor:
        sums = pruned_log_sum_exp(self.mean, self.scale, z, _scores, leave_one_out)
        if sums is not None:
            return sums - math.log(self.components - leave_one_out)
        return log_mean_exp(_scores(self.mean, self.scale, z), z, self.components, leave_one_out)

    def part(self, index: Tensor | slice) -> "AggregatePosterior":
        """The mixture of some of the components, of the same family."""
        return type(self)(self.mean[index], self.scale[index])

    def marginal(self, dimension: int) -> "AggregatePosterior":
        """The mixture of one latent dimension, with D = 1, of the same family."""
        column = slice(dimension, dimension + 1)
        return type(self)(self.mean[:, column], self.scale[:, column])

    def moments(self) -> tuple[Tensor, Tensor]:
        """Exact mean of shape (D,) and covariance of shape (D, D)."""
        centre = self.mean.mean(0)
        offset = self.mean - centre
        covariance = offset.T @ offset / self.components
        return centre, covariance + torch.diag(self.scale.square().mean(0))


class PointAggregate(AggregatePosterior):
    """N points, the latents of a deterministic encoder: moments and a sample, no density.

    Args:
        points: shape (N, D).
    """

    def __init__(self, points: Tensor) -> None:
        super().__init__(points, torch.ones_like(points))
        self.scale = torch.zeros_like(self.mean)

    def component_log_prob(self, z: Tensor) -> Tensor:
        """Not defined.

        Raises:
            ValueError: always.
        """
        raise ValueError("points have no density")

    def _log_mean_exp(self, z: Tensor, leave_one_out: bool) -> Tensor:
        raise ValueError("points have no density")

    def part(self, index: Tensor | slice) -> "PointAggregate":
        """Some of the points."""
        return PointAggregate(self.mean[index])

    def marginal(self, dimension: int) -> "PointAggregate":
        """The points of one latent dimension, with D = 1."""
        return PointAggregate(self.mean[:, dimension : dimension + 1])


def _scores(mean: Tensor, scale: Tensor, z: Tensor) -> Logs:
    """The log densities of the components at z, in bits."""
    centre = mean.mean(0)
    spread = torch.maximum(mean.amax(0) - centre, centre - mean.amin(0))
    if not bool((scale.amin(0) >= _NARROW * spread).all()):
        return partial(_directly, mean, scale, z)
    features = _features(z - centre)
    if mean.numel() > _HELD:
        return partial(_expanded, features, lambda b: _quadratic(mean[b] - centre, scale[b]))
    return partial(_expanded, features, _quadratic(mean - centre, scale).__getitem__)


def _expanded(
    features: Tensor,
    quadratic: Callable[[Tensor | slice], Tensor],
    rows: Tensor | slice,
    columns: Tensor | slice,
    base: Tensor,
) -> Tensor:
    """One product; the base takes its place among the features."""
    features[rows, -1] = base
    return features[rows] @ quadratic(columns).T


def _features(z: Tensor) -> Tensor:
    """[z^2, z, 1, base], shape (M, 2 D + 2); the base is put in later."""
    one = torch.ones_like(z[:, :1])
    return torch.cat([z.square(), z, one, one], 1)


def _quadratic(mean: Tensor, scale: Tensor) -> Tensor:
    """Coefficients of log2 q_n - base as a function of [z^2, z, 1, base], shape (N, 2 D + 2)."""
    dimensions = mean.shape[1]
    out = mean.new_empty(len(mean), 2 * dimensions + 2)
    precision = scale.square().reciprocal_()
    out[:, :dimensions] = -0.5 * precision
    linear = precision.mul_(mean)
    out[:, dimensions:-2] = linear
    constant = -0.5 * (linear * mean).sum(1) - scale.log().sum(1)
    out[:, -2] = constant - 0.5 * dimensions * math.log(2 * math.pi)
    out *= BITS
    out[:, -1] = -1
    return out


def _directly(
    mean: Tensor,
    scale: Tensor,
    z: Tensor,
    rows: Tensor | slice,
    columns: Tensor | slice,
    base: Tensor,
) -> Tensor:
    """Differences taken one dimension at a time, which bounds the memory."""
    width = scale[columns]
    constant = width.log().sum(1) + 0.5 * mean.shape[1] * math.log(2 * math.pi)
    squares = torch.zeros(len(z[rows]), len(width), dtype=z.dtype, device=z.device)
    for j in range(mean.shape[1]):
        squares += ((z[rows, j, None] - mean[columns, j]) / width[:, j]).square_()
    return squares.mul_(-0.5 * BITS).sub_(BITS * constant).sub_(base.unsqueeze(1))
