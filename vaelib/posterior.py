"""The aggregate posterior of N encoded inputs: a finite mixture whose density is known exactly."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from vaelib.arguments.plain import as_count, as_integer, check_flag, check_kind, shown
from vaelib.arguments.tensors import Numbers, as_index, as_tensor, check_finite
from vaelib.numerics.exp2 import BITS
from vaelib.numerics.log_sum_exp import Logs, log_mean_exp
from vaelib.numerics.pruned_sums import pruned_log_sum_exp

__all__ = ["AggregatePosterior", "PointAggregate"]

_LARGEST = 1e50  # products of several larger values come near the largest number
_HELD = 1 << 21  # numbers of the means: with more, coefficients are made as they are needed
_NARROW = 1e-5  # of the means' spread: the expanded quadratic then errs by about 1e-6 nats


class AggregatePosterior:
    """q_N(z) = 1/N sum_n N(z; mean_n, diag scale_n^2), in float64.

    Args:
        mean: posterior means, shape (N, D).
        scale: posterior standard deviations, shape (N, D).

    Raises:
        TypeError: for what is neither a tensor nor an array.
        ValueError: for shapes that differ or are not (N, D) with N, D >= 1, for what are no real
            numbers, and for values that are not finite or scales that are not positive.

    Example:
        >>> q = AggregatePosterior(torch.zeros(1, 2), torch.ones(1, 2))
        >>> round(float(q.log_prob(torch.zeros(1, 2))), 4)
        -1.8379
    """

    def __init__(self, mean: Numbers, scale: Numbers) -> None:
        mean, scale = as_tensor(mean, "mean"), as_tensor(scale, "scale")
        if mean.dim() != 2 or mean.shape != scale.shape or 0 in mean.shape:
            raise ValueError(
                "mean and scale must have the same shape (N, D) with N and D at least 1, "
                f"got {tuple(mean.shape)} and {tuple(scale.shape)}"
            )
        check_finite(mean, "mean")
        check_finite(scale, "scale")
        for name, values in (("mean", mean), ("scale", scale)):
            if not float(values.abs().max()) < _LARGEST:
                most = float(values.abs().max())
                raise ValueError(f"{name} must be below {_LARGEST:g} in size, got {most:.3g}")
        if not scale.min() > 0:
            raise ValueError(f"scale must be positive, got min {float(scale.min()):.3g}")
        self.mean = mean.double()
        self.scale = scale.double()

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
        check_kind(generator, torch.Generator, "generator")
        shape = (as_count(draws, "draws"), self.components, self.latent_dim)
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        return self.mean + self.scale * noise.to(self.mean.device)

    def component_log_prob(self, z: Numbers) -> Tensor:
        """log q_n(z_n): each point under its own component.

        Args:
            z: points of shape (..., N, D), point n belonging to component n.

        Returns:
            Log densities of shape (..., N), in nats.
        """
        standard = (self._own_points(z) - self.mean) / self.scale
        constant = 0.5 * self.latent_dim * math.log(2 * math.pi)
        return -0.5 * standard.square().sum(-1) - self.scale.log().sum(-1) - constant

    def log_prob(self, z: Numbers, *, leave_one_out: bool = False) -> Tensor:
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
        z = self._points(z)
        if z.dim() != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(f"z must have shape (M, {self.latent_dim}), got {tuple(z.shape)}")
        check_flag(leave_one_out, "leave_one_out")
        if leave_one_out and not len(z) <= self.components >= 2:
            raise ValueError(
                "leave_one_out needs at most one point per component and at least 2 components, "
                f"got {len(z)} points and {self.components} components"
            )
        if len(z) == 0:
            return z.new_zeros(0)
        out = self._log_mean_exp(z, leave_one_out)
        if bool(out.isnan().any()):
            raise ValueError(
                f"z must be finite, got {int((~z.isfinite()).sum())} values that are not"
            )
        return out

    def _points(self, z: Numbers) -> Tensor:
        """Points in float64, where the means are; gradients, where z has them, are kept."""
        given = as_tensor(z, "z")
        return (z if isinstance(z, Tensor) and z.requires_grad else given).to(self.mean)

    def _own_points(self, z: Numbers) -> Tensor:
        """Points that belong to a component each, shape (..., N, D)."""
        points = self._points(z)
        if points.shape[-2:] != self.mean.shape:
            wanted = ", ".join(map(str, self.mean.shape))
            raise ValueError(f"z must have shape (..., {wanted}), got {tuple(points.shape)}")
        return points

    def _log_mean_exp(self, z: Tensor, leave_one_out: bool) -> Tensor:
        sums = pruned_log_sum_exp(self.mean, self.scale, z, _scores, leave_one_out)
        if sums is not None:
            return sums - math.log(self.components - leave_one_out)
        return log_mean_exp(_scores(self.mean, self.scale, z), z, self.components, leave_one_out)

    def part(self, index: Tensor | slice) -> "AggregatePosterior":
        """The mixture of some of the components, of the same family."""
        index = self._index(index)
        return type(self)(self.mean[index], self.scale[index])

    def marginal(self, dimension: int) -> "AggregatePosterior":
        """The mixture of one latent dimension, with D = 1, of the same family."""
        column = self._column(dimension)
        return type(self)(self.mean[:, column], self.scale[:, column])

    def _index(self, index: Tensor | slice) -> Tensor | slice:
        """Of some of the components: their numbers, or whether each is one."""
        if isinstance(index, slice):
            return index
        rows = as_index(index, "index", self.components)
        return rows.to(self.mean.device) if rows.dtype == torch.bool else rows

    def _column(self, dimension: int) -> slice:
        if not 0 <= as_integer(dimension, "dimension") < self.latent_dim:
            raise ValueError(
                f"dimension must lie between 0 and {self.latent_dim - 1}, got {shown(dimension)}"
            )
        return slice(dimension, dimension + 1)

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

    def __init__(self, points: Numbers) -> None:
        points = as_tensor(points, "points")
        super().__init__(points, torch.ones_like(points))
        self.scale = torch.zeros_like(self.mean)

    def component_log_prob(self, z: Numbers) -> Tensor:
        """Not defined.

        Raises:
            ValueError: always.
        """
        raise ValueError("points have no density")

    def _log_mean_exp(self, z: Tensor, leave_one_out: bool) -> Tensor:
        raise ValueError("points have no density")

    def part(self, index: Tensor | slice) -> "PointAggregate":
        """Some of the points."""
        return PointAggregate(self.mean[self._index(index)])

    def marginal(self, dimension: int) -> "PointAggregate":
        """The points of one latent dimension, with D = 1."""
        return PointAggregate(self.mean[:, self._column(dimension)])


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
