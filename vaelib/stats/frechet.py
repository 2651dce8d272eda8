"""Fréchet distance of two sets of features, each taken for a Gaussian.

    FD = |m_x - m_y|² + tr(C_x + C_y - 2 (C_y^½ C_x C_y^½)^½)

The last trace is the sum of the square roots of the eigenvalues of a symmetric matrix, clipped at
0: no square root of a matrix that is not symmetric, hence no complex numbers to drop.

Estimated from n rows it is too large by about c/n. Halves of the samples have twice that bias, so

    2 FD_n - mean of FD_{n/2} over both halves

has none to first order. Divided by tr C_y, distances of different feature nets have one scale.

References:
    Dowson and Landau (1982), The Fréchet distance between multivariate normal distributions,
        J. Multivariate Analysis 12.
    Heusel et al. (2017), GANs trained by a two time-scale update rule, NeurIPS.
    Chong and Forsyth (2020), Effectively unbiased FID and Inception Score, CVPR.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from vaelib.arguments.plain import check_kind
from vaelib.arguments.tensors import as_tensor, check_finite
from vaelib.stats.checks import as_features, check_same_nets
from vaelib.stats.jackknife import GROUPS, Estimate, group_of, jackknife_error

__all__ = ["FeatureGaussians", "frechet_distance", "frechet_gaussians"]


class FeatureGaussians:
    """Means and covariances of a set of features and of those subsets that error bars need.

    The subsets are all rows; the first and the second half; all rows without group g, for each g;
    and the half that holds group g without it. All come from sums over groups.

    Args:
        features: Of T nets, shape (T, n, d) or (n, d); the rows shuffled.

    Attributes:
        mean: Shape (3 + 2 G, T, d).
        covariance: Shape (3 + 2 G, T, d, d).

    Raises:
        ValueError: For bad features, or fewer than 40 rows.
    """

    def __init__(self, features: Tensor) -> None:
        x = as_features(features, device="cpu")
        groups = group_of(x.shape[1])
        centre = x.mean(1)
        counts, sums, squares = [], [], []
        for group in range(GROUPS):
            rows = x[:, groups == group] - centre.unsqueeze(1)
            counts.append(rows.shape[1])
            sums.append(rows.sum(1))
            squares.append(rows.mT @ rows)
        weight = _subsets()
        count = (weight @ torch.tensor(counts, dtype=torch.float64))[:, None, None]
        mean = torch.einsum("pg,gtd->ptd", weight, torch.stack(sums)) / count
        second = torch.einsum("pg,gtde->ptde", weight, torch.stack(squares))
        outer = mean.unsqueeze(-1) * mean.unsqueeze(-2)
        self.mean = mean + centre
        self.covariance = (second - count.unsqueeze(-1) * outer) / (count.unsqueeze(-1) - 1)

    @cached_property
    def root(self) -> Tensor:
        """Symmetric square roots of the covariances, shape (3 + 2 G, T, d, d)."""
        return _root(self.covariance)


def _subsets() -> Tensor:
    """Which groups each subset holds, shape (3 + 2 G, G)."""
    every = torch.ones(1, GROUPS, dtype=torch.float64)
    first = every * (torch.arange(GROUPS) < GROUPS // 2)
    own = torch.where(torch.arange(GROUPS).unsqueeze(1) < GROUPS // 2, first, 1 - first)
    one = torch.eye(GROUPS, dtype=torch.float64)
    return torch.cat([every, first, 1 - first, 1 - one, own - one])


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = (vectors * values.clamp(min=0).sqrt().unsqueeze(-2)) @ vectors.mT
    return root


def frechet_gaussians(
    mean_x: Tensor, covariance_x: Tensor, mean_y: Tensor, covariance_y: Tensor
) -> Tensor:
    """Fréchet distance of Gaussians: the squared 2-Wasserstein distance.

    Args:
        mean_x: Shape (..., d).
        covariance_x: Shape (..., d, d).
        mean_y: Shape (..., d).
        covariance_y: Shape (..., d, d).

    Returns:
        Distances in squared feature units, shape (...), never below 0 but for rounding.

    Raises:
        ValueError: If a mean and a covariance do not belong together, or some are not finite.

    Example:
        >>> zero, eye = torch.zeros(2), torch.eye(2)
        >>> float(frechet_gaussians(zero, 4 * eye, zero + 3, eye))
        20.0
    """
    mean_x, covariance_x = _law(mean_x, covariance_x, "x")
    mean_y, covariance_y = _law(mean_y, covariance_y, "y")
    if mean_x.shape != mean_y.shape or mean_x.dtype != mean_y.dtype:
        got = " and ".join(f"{m.dtype} of shape {tuple(m.shape)}" for m in (mean_x, mean_y))
        raise ValueError(f"mean_x and mean_y must have one type and shape (..., d), got {got}")
    return _distances(mean_x, covariance_x, mean_y, covariance_y, _root(covariance_y))


def _law(mean: Tensor, covariance: Tensor, of: str) -> tuple[Tensor, Tensor]:
    mean = check_finite(as_tensor(mean, f"mean_{of}"), f"mean_{of}")
    covariance = check_finite(as_tensor(covariance, f"covariance_{of}"), f"covariance_{of}")
    fits = mean.dim() > 0 and covariance.shape == (*mean.shape, mean.shape[-1])
    if not fits or covariance.dtype != mean.dtype or 0 in mean.shape:
        raise ValueError(
            f"covariance_{of} must have shape (..., d, d) and the type of mean_{of}, (..., d), got "
            f"{covariance.dtype} of shape {tuple(covariance.shape)} for {mean.dtype} of "
            f"{tuple(mean.shape)}"
        )
    return mean, covariance


def _distances(
    mean_x: Tensor, covariance_x: Tensor, mean_y: Tensor, covariance_y: Tensor, root_y: Tensor
) -> Tensor:
    product = root_y @ covariance_x @ root_y
    product = (product + product.mT) / 2
    cross = torch.linalg.eigvalsh(product).clamp(min=0).sqrt().sum(-1)
    shift = (mean_x - mean_y).square().sum(-1)
    distance: Tensor = shift + _trace(covariance_x + covariance_y) - 2 * cross
    return distance


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=-2, dim2=-1).sum(-1)


def frechet_distance(generated: FeatureGaussians, real: FeatureGaussians) -> Estimate:
    """Fréchet distance, corrected for bias and divided by the trace of the real covariance.

    Args:
        generated: Features of generated images.
        real: Features of real images of the same nets.

    Returns:
        The mean over the nets and its jackknife standard error, as shares of tr C_real: 0 in the
        mean for equal distributions, so that it may be negative.

    Raises:
        ValueError: If the features differ in nets or dimensions, or the real ones are constant.
    """
    check_kind(generated, FeatureGaussians, "generated")
    check_kind(real, FeatureGaussians, "real")
    check_same_nets(generated.mean.movedim(1, 0), real.mean.movedim(1, 0))
    scale = _trace(real.covariance)
    if not bool((scale > 0).all()):
        raise ValueError("real features must vary, got a covariance of trace 0")
    raw = _distances(generated.mean, generated.covariance, real.mean, real.covariance, real.root)
    halves, without, shorter = raw[1:3], raw[3 : 3 + GROUPS], raw[3 + GROUPS :]
    value = (2 * raw[0] - halves.mean(0)) / scale[0]
    other = torch.where(torch.arange(GROUPS).unsqueeze(1) < GROUPS // 2, halves[1], halves[0])
    each = (2 * without - (shorter + other) / 2) / scale[3 : 3 + GROUPS]
    return Estimate(float(value.mean()), jackknife_error(each.mean(1)))
