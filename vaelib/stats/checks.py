"""The checks of arguments that every statistic shares."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaelib.arguments.plain import as_count, check_kind, shown
from vaelib.arguments.tensors import as_device, as_number, as_tensor, number_of
from vaelib.numerics.pairs import Sample
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Prior

__all__ = [
    "as_bandwidths",
    "as_features",
    "as_pair",
    "as_points",
    "as_sample",
    "as_two_sets",
    "check_bandwidth",
    "check_generator",
    "check_level",
    "check_positive",
    "check_posterior",
    "check_prior",
    "check_same_nets",
]

_WIDEST = 1e60  # the fourth power of a bandwidth is a number
_LARGEST = 1e50  # products of several larger values come near the largest number


def as_points(
    value: object, name: str = "z", *, rows: int = 2, device: torch.device | str | None = "cpu"
) -> Tensor:
    """Check a set of points and bring it to float64, detached.

    Args:
        value: Points, shape (..., n, D), a tensor or array; leading axes are a batch of sets.
        name: What to call the argument in an error.
        rows: The fewest rows allowed.
        device: Where to; None leaves it where it is.

    Returns:
        The points in float64, shape (..., n, D).

    Raises:
        TypeError: If ``value`` is neither a tensor nor an array.
        ValueError: If it holds no real numbers, has fewer than two axes, too few rows, an axis of
            length 0, or a value that is not finite or not below 1e50 in size.
    """
    given = as_tensor(value, name)
    if given.dim() < 2 or given.shape[-2] < as_count(rows, "rows", 0) or 0 in given.shape:
        wanted = f"(n, D) with n >= {rows} and D >= 1"
        raise ValueError(f"{name} must have shape {wanted}, got {tuple(given.shape)}")
    if device != "cpu" and device != given.device:
        device = as_device(device)
    points = given.to(device, torch.float64)
    good = points.abs() < _LARGEST
    if not bool(good.all()):
        bad = f"{int((~good).sum())} NaN, infinite or larger values"
        raise ValueError(f"{name} must be finite and below {_LARGEST:g} in size, got {bad}")
    return points


def as_sample(z: object) -> Sample:
    """Check points that several statistics may share.

    Args:
        z: Points, shape (..., n, D), n >= 2, or a sample of them, which was checked when made.

    Returns:
        The sample; of points a new one.
    """
    return z if isinstance(z, Sample) else Sample(as_points(z))


def as_pair(x: object, y: object, *, rows: int = 2) -> tuple[Tensor, Tensor]:
    """Check two samples of the same space.

    Args:
        x: Points, shape (..., n, D).
        y: Points, shape (..., m, D).
        rows: The fewest rows allowed in each.

    Returns:
        Both in float64 on the CPU.

    Raises:
        ValueError: If either is no valid set of points or all but their rows differ in shape.
    """
    x, y = as_points(x, "x", rows=rows), as_points(y, "y", rows=rows)
    if x.shape[:-2] != y.shape[:-2] or x.shape[-1] != y.shape[-1]:
        shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise ValueError(f"x and y must have shapes (n, D) and (m, D) with one D, got {shapes}")
    return x, y


def as_two_sets(x: object, y: object, *, rows: int = 2) -> tuple[Tensor, Tensor]:
    """Check two samples of the same space, each one set of points.

    Args:
        x: Points, shape (n, D).
        y: Points, shape (m, D).
        rows: The fewest rows allowed in each.

    Returns:
        Both in float64 on the CPU.

    Raises:
        ValueError: If either is no valid set of points, or a batch of sets, or they differ in D.
    """
    x, y = as_pair(x, y, rows=rows)
    if x.dim() != 2:
        raise ValueError(f"x and y must have shapes (n, D) and (m, D), got {tuple(x.shape)}")
    return x, y


def as_features(features: object, *, device: torch.device | str | None = None) -> Tensor:
    """Check features of images.

    Args:
        features: Of T nets, shape (T, n, d) or (n, d).
        device: Where to; None leaves them where they are.

    Returns:
        The features in float64, shape (T, n, d).
    """
    x = as_points(features, "features", device=device)
    return x.reshape(-1, *x.shape[-2:])


def check_same_nets(ours: Tensor, theirs: Tensor) -> None:
    """Check that two samples of features come from the same nets.

    Args:
        ours: Shape (T, n, d).
        theirs: Shape (T, m, d).

    Raises:
        ValueError: If they differ in nets or dimensions.
    """
    ours, theirs = as_tensor(ours, "features", "Tnd"), as_tensor(theirs, "features", "Tnd")
    if ours.shape[::2] != theirs.shape[::2]:
        shapes = f"{tuple(ours.shape[::2])} and {tuple(theirs.shape[::2])}"
        raise ValueError(f"features must have the same nets and dimensions, got {shapes}")


def as_bandwidths(bandwidths: Sequence[float]) -> tuple[float, ...]:
    """Check a set of kernel bandwidths.

    Args:
        bandwidths: Bandwidths, in the unit of the points.

    Returns:
        They as a tuple of floats.

    Raises:
        TypeError: If they are no sequence of numbers.
        ValueError: If there is none, or one is not positive and finite.
    """
    if not isinstance(bandwidths, Sequence) or isinstance(bandwidths, str | bytes):
        bandwidths = as_tensor(bandwidths, "bandwidths", "H").tolist()
    if len(bandwidths) == 0:
        raise ValueError("bandwidths must hold at least one value, got none")
    return tuple(check_bandwidth(h) for h in bandwidths)


def check_bandwidth(bandwidth: object) -> float:
    """Check the bandwidth of a kernel.

    Args:
        bandwidth: The bandwidth, in the unit of the points.

    Returns:
        It as a float.

    Raises:
        ValueError: If it is not positive and finite, or its fourth power no number.
    """
    h = check_positive(bandwidth, "bandwidth")
    if not 1 / _WIDEST <= h <= _WIDEST:
        raise ValueError(f"bandwidth must lie between 1e-60 and 1e60, got {h:.3g}")
    return h


def check_positive(value: object, name: str) -> float:
    """Check that a number is positive and finite.

    Args:
        value: The number.
        name: What to call it in an error.

    Returns:
        The number.

    Raises:
        ValueError: If it is not.
    """
    number = as_number(value, name)
    if not 0 < number < float("inf"):
        raise ValueError(f"{name} must be positive and finite, got {shown(value)}")
    return number


def check_level(alpha: object, name: str = "alpha") -> None:
    """Check the level of a test or of one end of an interval.

    Args:
        alpha: The level.
        name: What to call it in an error.

    Raises:
        ValueError: If it is no number between 0 and 1.
    """
    number = number_of(alpha)
    if number is None or not 0 < number < 1:
        raise ValueError(f"{name} must lie between 0 and 1, got {shown(alpha)}")


def check_generator(generator: object) -> None:
    """Check a random stream.

    Args:
        generator: The stream.

    Raises:
        TypeError: If it is no generator of torch.
    """
    check_kind(generator, torch.Generator, "generator")


def check_posterior(posterior: object) -> None:
    """Check an aggregate posterior.

    Args:
        posterior: The posterior.

    Raises:
        TypeError: If it is none.
    """
    check_kind(posterior, AggregatePosterior, "posterior")


def check_prior(prior: object, dimensions: int, of: str = "posterior") -> None:
    """Check a prior.

    Args:
        prior: The prior.
        dimensions: D that it must have.
        of: Whose dimensions these are.

    Raises:
        TypeError: If it is none.
        ValueError: If it has another D.
    """
    check_kind(prior, Prior, "prior")
    if isinstance(prior, Prior) and prior.latent_dim != dimensions:
        raise ValueError(
            f"prior must have the {dimensions} dimensions of the {of}, got {prior.latent_dim}"
        )
