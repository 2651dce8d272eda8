"""The aggregate posterior of any family; that of posteriors that are uniform on a box."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vaelib.arguments.tensors import Numbers
from vaelib.families import BoxFamily, Family, PointFamily
from vaelib.numerics.log_sum_exp import log_mean_exp
from vaelib.posterior import AggregatePosterior, PointAggregate

__all__ = ["BoxAggregate", "aggregate"]

_HALF = math.sqrt(3)  # half the width of a uniform law, in standard deviations
_SLACK = 1e-5  # by how much a box of a float32 encoder may leave the support, relative to its range
_ROUNDING = 1e-12  # relative, of a point on the edge of its own box


class BoxAggregate(AggregatePosterior):
    """q_N(z) = 1/N sum_n 1[z in box n] / volume n, in float64.

    Mean and scale are those of the boxes, so moments are as for any family; box n reaches
    sqrt(3) scale_n to either side of its mean.

    Args:
        mean: box centres, shape (N, D).
        scale: standard deviations, width / sqrt(12), shape (N, D).
        low: lower end of the support in every dimension.
        high: upper end.

    Raises:
        ValueError: as for any aggregate posterior, and for boxes that leave the support.

    Example:
        >>> q = BoxAggregate(torch.ones(1, 1), torch.full((1, 1), 3**-0.5), 0.0, 4.0)
        >>> [round(p, 6) for p in q.log_prob(torch.tensor([[1.2], [2.1]])).exp().tolist()]
        [0.5, 0.0]
    """

    def __init__(
        self, mean: Tensor, scale: Tensor, low: float = -math.inf, high: float = math.inf
    ) -> None:
        super().__init__(mean, scale)
        reach = _HALF * self.scale
        ends = float((self.mean - reach).min()), float((self.mean + reach).max())
        slack = _SLACK * (high - low) if math.isfinite(high - low) else 0.0
        if ends[0] < low - slack or ends[1] > high + slack:
            raise ValueError(
                f"box posteriors must lie inside the prior's support [{low:g}, {high:g}], "
                f"got boxes from {ends[0]:.4g} to {ends[1]:.4g}"
            )

    def sample(self, generator: torch.Generator, draws: int = 1) -> Tensor:
        """Fresh z, stratified: as many from each component.

        Args:
            generator: random stream, on the CPU.
            draws: draws per component.

        Returns:
            Points of shape (draws, N, D).
        """
        shape = (draws, self.components, self.latent_dim)
        uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
        return self.mean + _HALF * self.scale * (2 * uniform.to(self.mean.device) - 1)

    def component_log_prob(self, z: Numbers) -> Tensor:
        """log q_n(z_n): each point under its own component.

        Args:
            z: points of shape (..., N, D), point n belonging to component n.

        Returns:
            Log densities of shape (..., N), in nats; -inf outside the box.
        """
        z, reach = self._own_points(z), _HALF * self.scale
        inside = ((z - self.mean).abs() <= self._reach()).all(-1)
        return torch.where(inside, -(2 * reach).log().sum(-1), -math.inf)

    def _reach(self) -> Tensor:
        """Half widths, a rounding error wider, shape (N, D)."""
        return _HALF * self.scale + _ROUNDING * (self.mean.abs() + self.scale)

    def _log_mean_exp(self, z: Tensor, leave_one_out: bool) -> Tensor:
        density = -(2 * _HALF * self.scale).log2().sum(1)
        reach = self._reach()

        def logs(rows: Tensor | slice, columns: Tensor | slice, base: Tensor) -> Tensor:
            inside = torch.ones(1, 1, dtype=torch.bool, device=z.device)
            for j in range(self.latent_dim):  # one dimension at a time bounds the memory
                distance = (z[rows, j : j + 1] - self.mean[columns, j]).abs()
                inside = inside & (distance <= reach[columns, j])
            return torch.where(inside, density[columns] - base.unsqueeze(1), -math.inf)

        return log_mean_exp(logs, z, self.components, leave_one_out)


def aggregate(family: Family, mean: Tensor, scale: Tensor) -> AggregatePosterior:
    """The mixture of N posteriors of one family.

    Args:
        family: of the posteriors; one with a method ``aggregate(mean, scale)`` of its own says
            itself what the mixture is, and any other than the suite's without one counts as
            Gaussian.
        mean: posterior means, shape (N, D).
        scale: their standard deviations, shape (N, D).

    Returns:
        The mixture; that of points has no density.

    Raises:
        ValueError: as for any aggregate posterior.
    """
    own: Callable[[Tensor, Tensor], AggregatePosterior] | None = getattr(family, "aggregate", None)
    if own is not None:
        return own(mean, scale)
    if isinstance(family, PointFamily):
        return PointAggregate(mean)
    if isinstance(family, BoxFamily):
        return BoxAggregate(mean, scale, family.low, family.high)
    return AggregatePosterior(mean, scale)
