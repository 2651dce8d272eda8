"""Numbers of latents: finite, of a size that can be computed with, and spreads as deviations."""

import numpy as np
import torch
from torch import Tensor

from vaelib.arguments.rows import LARGEST, MOST, bad_rows, few, listed
from vaelib.latent_files.entries import Refused, short

__all__ = ["WIDEST", "as_labels", "as_latents", "as_scale", "check_agreement"]

WIDEST = 8192
"""Dimensions that an audit takes: a covariance of as many fills half a gigabyte."""

_LAST = (1 << 63) - 1  # label
_WIDEST = {"logvar": 220, "logstd": 110}  # of a scale between 1e-48 and 1e48
_CLOSE = 2e-2  # by which two spreads of one posterior may differ, as logarithms: half precision


def as_latents(name: str, array: np.ndarray) -> Tensor:
    """Means, spreads or z in float64.

    Args:
        name: what to call them in an error.
        array: shape (N, D).

    Returns:
        The numbers; rows without them, where these are few, are NaN throughout.

    Raises:
        Refused: for more rows that are not finite or too large, or what is too wide.
    """
    with np.errstate(all="ignore"):  # long doubles become infinite, which counts as no number
        values = torch.from_numpy(np.array(array, np.float64))
    if values.shape[1] > WIDEST:
        raise Refused(
            f"{short(name)} has {values.shape[1]:,} dimensions, and an audit takes {WIDEST:,} at "
            "most; save a random choice of them, or a projection"
        )
    lost = (~values.isfinite()).any(1)
    if _many(lost):
        raise Refused(f"{short(name)} must be finite, got NaN or infinity in {_rows(lost)}")
    bad = bad_rows(values)
    if _many(bad):
        known = values[~lost]
        raise Refused(
            f"{short(name)} must lie between -{LARGEST:g} and {LARGEST:g}, got "
            f"{float(known.min()):.3g} to {float(known.max()):.3g}; save z in another unit"
        )
    return values.masked_fill(bad[:, None], torch.nan)


def as_scale(name: str, spread: Tensor, kind: str) -> Tensor:
    """Standard deviations.

    Args:
        name: of the spread, for errors.
        spread: shape (N, D), of :func:`as_latents`.
        kind: std, var, logvar or logstd.

    Returns:
        Shape (N, D); all positive or, of a deterministic encoder, all 0; NaN in the few rows that
        have no number, or none that can be computed with.

    Raises:
        Refused: for values that such a spread cannot have.
    """
    known = spread[~spread.isnan().any(1)]
    lowest, highest = float(known.min()), float(known.max())
    if kind in _WIDEST:
        most = _WIDEST[kind]
        bad = (spread.abs() > most).any(1)
        if _many(bad):
            raise Refused(
                f"{short(name)} must lie between -{most} and {most}, got {lowest:.3g} to "
                f"{highest:.3g}, beyond that in {_rows(bad)}"
            )
        scale = (spread if kind == "logstd" else 0.5 * spread).exp()
        return scale.masked_fill(bad[:, None], torch.nan)
    if lowest == highest == 0:
        return spread
    if not lowest > 0:
        hint = (
            "; if these are log variances, save them as logvar or say --scale-is logvar, if log "
            "standard deviations, --scale-is logstd"
            if lowest < 0
            else ""
        )
        zeros = (spread == 0).any(1)
        got = f"min {lowest:.3g}{hint}"
        if lowest == 0:
            got = f"0 in {few(zeros, 'rows')}; half precision loses what is small"
        raise Refused(f"{short(name)} must be positive, or 0 for all, got {got}")
    scale = spread if kind == "std" else spread.sqrt()
    bad = (scale < 1 / LARGEST).any(1)
    if _many(bad):
        raise Refused(
            f"{short(name)} must be at least {1 / LARGEST:g}, or 0 for all, got min {lowest:.3g}; "
            "a deterministic encoder has scales of 0"
        )
    return scale.masked_fill(bad[:, None], torch.nan)


def _many(bad: Tensor) -> bool:
    """Whether they are more than can be left out."""
    return int(bad.sum()) > MOST * len(bad)


def _rows(bad: Tensor) -> str:
    """Which rows are bad, and what to do."""
    return (
        f"{int(bad.sum()):,} of {len(bad):,} rows ({listed(bad)}), more than the {MOST:.0%} that "
        "can be left out; drop those inputs"
    )


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
