"""Numbers of latents: finite, of a size that can be computed with, and spreads as deviations."""

import numpy as np
import torch
from torch import Tensor

from vaelib.latent_files.entries import Refused, short

__all__ = ["WIDEST", "as_labels", "as_latents", "as_scale", "check_agreement"]

WIDEST = 8192
"""Dimensions that an audit takes: a covariance of as many fills half a gigabyte."""

_NAMED = 5  # rows that an error names
_LAST = (1 << 63) - 1  # label
_LARGEST = 1e48  # statistics take z below 1e50, and products of several larger ones overflow
_WIDEST = {"logvar": 220, "logstd": 110}  # of a scale between 1e-48 and 1e48
_CLOSE = 2e-2  # by which two spreads of one posterior may differ, as logarithms: half precision


def as_latents(name: str, array: np.ndarray) -> Tensor:
    """Means, spreads or z in float64.

    Args:
        name: what to call them in an error.
        array: shape (N, D).

    Returns:
        The numbers.

    Raises:
        Refused: for what is not finite, too wide or too large.
    """
    with np.errstate(all="ignore"):  # long doubles become infinite, which is refused below
        values = torch.from_numpy(np.array(array, np.float64))
    bad = (~values.isfinite()).any(1).nonzero()[:, 0].tolist()
    if bad:
        first = ", ".join(map(str, bad[:_NAMED])) + (", …" if len(bad) > _NAMED else "")
        raise Refused(
            f"{short(name)} must be finite, got NaN or infinity in {len(bad):,} of "
            f"{len(values):,} rows ({first}); drop those inputs"
        )
    if values.shape[1] > WIDEST:
        raise Refused(
            f"{short(name)} has {values.shape[1]:,} dimensions, and an audit takes {WIDEST:,} at "
            "most; save a random choice of them, or a projection"
        )
    if float(values.abs().max()) >= _LARGEST:
        raise Refused(
            f"{short(name)} must lie between -{_LARGEST:g} and {_LARGEST:g}, got "
            f"{float(values.min()):.3g} to {float(values.max()):.3g}; save z in another unit"
        )
    return values


def as_scale(name: str, spread: Tensor, kind: str) -> Tensor:
    """Standard deviations.

    Args:
        name: of the spread, for errors.
        spread: shape (N, D).
        kind: std, var, logvar or logstd.

    Returns:
        Shape (N, D); all positive or, of a deterministic encoder, all 0.

    Raises:
        Refused: for values that such a spread cannot have.
    """
    lowest, highest = float(spread.min()), float(spread.max())
    if kind in _WIDEST:
        if max(-lowest, highest) > _WIDEST[kind]:
            raise Refused(
                f"{short(name)} must lie between -{_WIDEST[kind]} and {_WIDEST[kind]}, got "
                f"{lowest:.3g} to {highest:.3g}"
            )
        return (spread if kind == "logstd" else 0.5 * spread).exp()
    if lowest == highest == 0:
        return spread
    if not lowest > 0:
        hint = (
            "; if these are log variances, save them as logvar or say --scale-is logvar, if log "
            "standard deviations, --scale-is logstd"
            if lowest < 0
            else ""
        )
        raise Refused(f"{short(name)} must be positive, got min {lowest:.3g}{hint}")
    scale = spread if kind == "std" else spread.sqrt()
    if float(scale.min()) < 1 / _LARGEST:
        raise Refused(
            f"{short(name)} must be at least {1 / _LARGEST:g}, or 0 for all, got min {lowest:.3g}; "
            "a deterministic encoder has scales of 0"
        )
    return scale


def check_agreement(found: dict[str, Tensor]) -> None:
    """Refuse spreads of one posterior that say different things.

    Args:
        found: name -> standard deviations, each of shape (N, D).

    Raises:
        Refused: for two that differ; it names the largest difference.
    """
    (first, scale), *others = found.items()
    for name, other in others:
        away = torch.nan_to_num((scale.log() - other.log()).abs(), nan=0.0)
        if float(away.max()) > _CLOSE:
            row, column = divmod(int(away.argmax()), away.shape[1])
            raise Refused(
                f"{short(first)} and {short(name)} must say the same, got standard deviations "
                f"{float(scale[row, column]):.4g} and {float(other[row, column]):.4g} in row "
                f"{row}, dimension {column}; say which counts: --scale {short(first)}"
            )


def as_labels(name: str, array: np.ndarray) -> Tensor:
    """Labels of inputs.

    Args:
        name: what to call them in an error.
        array: integers of shape (n,).

    Returns:
        The same, int64.

    Raises:
        Refused: for anything else.
    """
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise Refused(
            f"{name} must be integers of shape (n,), one label per input, got {array.dtype} of "
            f"shape {array.shape}"
        )
    if len(array) and int(array.max()) > _LAST:
        raise Refused(f"{name} must be at most {_LAST}, got {int(array.max())}; number them anew")
    return torch.from_numpy(array.astype(np.int64))
