"""Sample quality from nearest neighbours of features.

A real point's ball reaches to its k-th nearest real neighbour. Precision is the share of generated
points inside some real ball, density the mean number of real balls around a generated point over
k, coverage the share of real balls that hold a generated point, and recall the share of real points
inside some ball of the generated ones. All is computed where the features are.

References:
    Kynkäänniemi et al. (2019), Improved precision and recall metric for assessing generative
        models, NeurIPS.
    Naeem et al. (2020), Reliable fidelity and diversity metrics for generative models, ICML.
    Alaa et al. (2022), How faithful is your synthetic data?, ICML.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vaelib.arguments.plain import as_count, as_integer, check_kind, shown
from vaelib.stats.checks import as_features, as_points, check_same_nets
from vaelib.stats.jackknife import Estimate, mean_of
from vaelib.stats.kernels import cross_tiles

__all__ = ["NEIGHBOURS", "Balls", "authenticity", "expected_coverage", "neighbour_shares"]

NEIGHBOURS = 5


class Balls:
    """Points, each with the squared distance to its k-th nearest other one.

    Args:
        features: Of T nets, shape (T, n, d) or (n, d).
        k: Which neighbour.

    Attributes:
        points: Shape (T, n, d), float64.
        squared_radii: Shape (T, n), in squared feature units.

    Raises:
        ValueError: For bad features, or no more than k rows.
    """

    def __init__(self, features: Tensor, k: int = NEIGHBOURS) -> None:
        self.points = as_features(features)
        if not 1 <= as_integer(k, "k") < self.points.shape[1]:
            most = self.points.shape[1] - 1
            raise ValueError(f"k must be from 1 to n - 1 = {most}, got {shown(k)}")
        self.k = k
        everyone = torch.arange(self.points.shape[1], device=self.points.device)
        self.squared_radii = torch.stack(
            [_to_neighbour(points, everyone, k) for points in self.points]
        )


def _to_neighbour(points: Tensor, chosen: Tensor, k: int) -> Tensor:
    """Squared distance of chosen points to their k-th nearest other point, shape (chosen,)."""
    squared_radii = []
    for rows, squared in cross_tiles(points[chosen], points):
        own = chosen[rows].unsqueeze(1)
        nearest = squared.scatter_(1, own, -1.0).topk(k + 1, largest=False)  # itself comes first
        squared_radii.append(nearest.values[:, -1])
    return torch.cat(squared_radii)


def neighbour_shares(generated: Tensor, real: Balls) -> dict[str, Estimate]:
    """Precision, density, recall and coverage.

    Args:
        generated: Features of generated images, shape (T, m, d) or (m, d).
        real: Balls of the real ones, of the same nets.

    Returns:
        ``precision``, ``density``, ``recall``, ``coverage``: means over the nets. The standard
        errors are over the points that are counted, the balls being given.

    Raises:
        ValueError: If the features are bad or differ in nets or dimensions.
    """
    check_kind(real, Balls, "real")
    fake = Balls(generated, real.k)
    check_same_nets(fake.points, real.points)
    nets, m = fake.points.shape[:2]
    around = real.points.new_zeros(nets, m)  # real balls around each generated point
    covered = real.points.new_zeros(real.points.shape[:2])
    recalled = torch.zeros_like(covered)
    for net in range(nets):
        radii = real.squared_radii[net]
        for rows, squared in cross_tiles(real.points[net], fake.points[net]):
            inside = squared < radii[rows].unsqueeze(1)
            around[net] += inside.sum(0)
            covered[net, rows] = inside.any(1).double()
            recalled[net, rows] = (squared < fake.squared_radii[net]).any(1).double()
    return {
        "precision": mean_of((around > 0).double().mean(0)),
        "density": mean_of(around.mean(0) / real.k),
        "recall": mean_of(recalled.mean(0)),
        "coverage": mean_of(covered.mean(0)),
    }


def expected_coverage(real: int, generated: int, k: int = NEIGHBOURS) -> float:
    """Expected coverage when both samples come from one continuous distribution.

    A real point is missed when its k nearest among all others are real:
    1 - (n - 1) … (n - k) / ((n + m - 1) … (n + m - k)), whatever the distribution.

    Args:
        real: n.
        generated: m.
        k: Which neighbour.

    Returns:
        A probability; about 1 - 2^-k for n = m.

    Raises:
        ValueError: If there are no generated points, or no more than k real ones.

    Example:
        >>> round(expected_coverage(360, 360), 4)
        0.9694
    """
    as_count(generated, "generated", 1)
    if as_count(real, "real", 2) <= as_count(k, "k", 1):
        raise ValueError(f"real must be more than k = {k}, got {real}")
    missed = 1.0
    for place in range(1, k + 1):
        missed *= (real - place) / (real + generated - place)
    return 1 - missed


def authenticity(generated: Tensor, training: Tensor) -> Estimate:
    """Share of generated images that are no copy of a training image.

    One is a copy when it lies closer to its nearest training image than that image's own nearest
    neighbour does, or as close.

    Args:
        generated: Features of generated images, shape (m, d).
        training: Features of training images, shape (n, d).

    Returns:
        The share and its standard error over the generated images: 0 for copies, about ½ for
        fresh images of the same distribution.

    Raises:
        ValueError: If the features are bad or differ in dimensions.
    """
    x = as_points(generated, "generated", device=None)
    y = as_points(training, "training", rows=3, device=x.device)
    if x.dim() != 2 or y.dim() != 2 or x.shape[1] != y.shape[1]:
        got = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise ValueError(f"generated and training must have shapes (m, d) and (n, d), got {got}")
    nearest = [squared.min(1) for _, squared in cross_tiles(x, y)]
    distance = torch.cat([row.values for row in nearest])
    index = torch.cat([row.indices for row in nearest])
    chosen, place = torch.unique(index, return_inverse=True)
    own = _to_neighbour(y, chosen, 1)[place]
    # Copies whose distance is rounding error stay copies.
    return mean_of((distance > own + 1e-12 * (1 + own)).double())
