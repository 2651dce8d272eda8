"""Moments of bare points against those of N(0, I), with standard errors."""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.special import digamma
from torch import Tensor

from vaelib.arguments.plain import check_callable
from vaelib.arguments.tensors import as_number
from vaelib.stats.checks import as_points
from vaelib.stats.jackknife import GROUPS, jackknife_error
from vaelib.stats.moments import gaussian_kl, largest_departure

__all__ = ["SAMPLE_MOMENTS", "jackknife"]


def jackknife(statistic: Callable[[Tensor], float], z: Tensor) -> tuple[float | None, float | None]:
    """A statistic and its standard error by leaving out each of 20 groups of rows in turn.

    Args:
        statistic: of points (n, D).
        z: independent rows, shape (n, D), n at least 2.

    Returns:
        The value, None where it is not finite, and its standard error, None for fewer than 40
        rows or where the statistic is not defined without a group.

    Raises:
        ValueError: where the statistic is not defined of so few rows.

    References:
        Efron and Stein, The jackknife estimate of variance, 1981.
    """
    check_callable(statistic, "statistic")
    z = as_points(z)
    value = as_number(statistic(z), "statistic of z")
    if not math.isfinite(value):
        return None, None
    if len(z) < 2 * GROUPS:
        return value, None
    group = torch.arange(len(z)) % GROUPS
    try:
        without = [as_number(statistic(z[group != g]), "statistic of z") for g in range(GROUPS)]
    except ValueError:
        return value, None
    error = jackknife_error(torch.tensor(without, dtype=torch.float64))
    return value, error if math.isfinite(error) else None


def _second_moment(z: Tensor) -> float:
    return float(z.square().mean())


def _excess_kurtosis(z: Tensor) -> float:
    squares = (z - z.mean(0)).square()
    return float((squares.square().mean(0) / squares.mean(0).square()).mean() - 3)


def _variance_law(z: Tensor) -> float:
    return largest_departure(z.square().mean(0), z.mean(0))


def _moment_kl(z: Tensor) -> float:
    """KL of the fitted Gaussian less its exact mean under N(0, I).

    n S is Wishart with n - 1 degrees of freedom there, so that E tr S + E|m|^2 = D and
    E log det n S = sum_j psi((n - j) / 2) + D log 2, j from 1 to D.

    Returns:
        The difference, in nats.

    Raises:
        ValueError: for no more rows than dimensions.
    """
    n, dimensions = z.shape
    if n <= dimensions:
        raise ValueError(
            "not defined: a covariance needs more rows than dimensions, "
            f"got {n} rows and D = {dimensions}"
        )
    centre = z.mean(0)
    offset = z - centre
    ranks = np.arange(1, dimensions + 1)
    log_det = float(digamma((n - ranks) / 2).sum()) + dimensions * math.log(2 / n)
    return gaussian_kl(centre, offset.T @ offset / n) + 0.5 * log_det


SAMPLE_MOMENTS: dict[str, Callable[[Tensor], float]] = {
    "moment_kl": _moment_kl,
    "second_moment": _second_moment,
    "excess_kurtosis": _excess_kurtosis,
    "variance_law": _variance_law,
}
