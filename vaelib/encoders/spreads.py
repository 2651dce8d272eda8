"""What the parts of all batches say together: means and scales, or z."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vaelib.arguments.rows import LARGEST, MOST, bad_rows, few, of_both
from vaelib.encoders.laws import Part
from vaelib.encoders.seen import seen

__all__ = ["posteriors"]

_ORDERS = ((0, 1, 2), (1, 2, 0))  # of mean, spread and z: z comes last or first
_READINGS = ("logvar", "logstd", "scale", "variance")
_LARGEST = 220.0  # log variance: a scale of 1e48, of which no density can be computed
_DOUBLED = {"logvar": 1, "logstd": 2}
_SEEN = 0.01  # of a mean: with smaller scales a draw in half precision is all rounding
_ENOUGH = 30  # draws that tell one reading from another
_ERRORS = 6.0  # standard errors of the mean square of standard normal draws
_KOLMOGOROV = 2.2  # over the root of n: a distance that 1 in 8,000 samples exceeds
_NORMAL = 4.5  # standard errors of a correlation
_SHARE = 0.1  # of the mean square, however many draws: what rounding does to them


def posteriors(parts: Sequence[Part], second: str) -> tuple[Tensor, Tensor, str]:
    """Means and scales of all batches.

    Args:
        parts: of each batch, of one kind.
        second: what the caller says of the second of a pair, or ``"auto"``.

    Returns:
        Both, of shape (N, ...), float64; for z alone scales of 0. And which inputs gave no usable
        numbers, in a sentence: those rows are NaN. It is empty where all did.

    Raises:
        ValueError: for a spread that may be several things, is impossible, or where more than 5 %
            of the inputs gave no usable numbers.
    """
    kind = parts[0].kind
    values = tuple(torch.cat(value) for value in zip(*(part.values for part in parts), strict=True))
    first = values[0]
    bad = _bad(first, "z" if kind == "z" else "means")
    if kind == "z":
        return _lost(first, bad), torch.zeros_like(first), _said(bad)
    draws = [part.z for part in parts if part.z is not None]
    z = torch.cat(draws) if len(draws) == len(parts) else None
    if kind == "three":
        for value in values[1:]:
            bad = bad | bad_rows(value)
        _check_few(bad, first, "numbers")
        order, kind = _of_three(tuple(value[~bad] for value in values), second)
        mean, spread, z = (values[place] for place in order)
    else:
        mean, spread = values
    reading = kind if second == "auto" or parts[0].own else second
    bad |= _bad(spread, "spreads", reading)
    _check_few(bad, mean, "numbers")
    scale = torch.full_like(mean, torch.nan)
    scale[~bad] = _scale(spread[~bad], reading)
    whole = z is not None and z.shape == mean.shape and _standardised(z, mean, scale)
    if whole and not _of_size_one(whole[0]):
        raise ValueError(
            f"z beside mean and {reading} must be a draw of them, got (z - mean)/scale with a mean "
            f"square of {float(whole[0].square().mean()):.3g}: a flow between them, or another "
            f"spread than {reading}; second='z' takes z itself"
        )
    return _lost(mean, bad), scale, _said(bad)


def _bad(values: Tensor, name: str, kind: str = "") -> Tensor:
    """Which inputs gave numbers that cannot be computed with, where these are few."""
    if kind in _DOUBLED:
        logvar = values * _DOUBLED[kind]
        bad = ~(logvar.abs() <= _LARGEST).flatten(1).all(1)
        if int(bad.sum()) > MOST * len(bad) and not bool(values.isnan().any()):
            raise ValueError(
                f"log variances must lie between -{_LARGEST:.0f} and {_LARGEST:.0f}, got "
                f"{float(values.min()):.4g} to {float(values.max()):.4g} ({kind}), the furthest in "
                f"row {int(logvar.abs().flatten(1).amax(1).argmax())}; is the encoder trained, and "
                "its input scaled?"
            )
    else:
        bad = bad_rows(values)
    _check_few(bad, values, name)
    return bad


def _check_few(bad: Tensor, values: Tensor, name: str) -> None:
    if int(bad.sum()) > MOST * len(bad):
        _refuse(bad, values, name)


def _refuse(bad: Tensor, values: Tensor, name: str) -> None:
    row = int(torch.nonzero(bad)[0, 0])
    raise ValueError(
        f"the encoder must return finite numbers below {LARGEST:g}, got {name} that are not for "
        f"{int(bad.sum())} of {len(values)} inputs, the first of them row {row} "
        f"({seen(values[row])}); leave out inputs that are not finite themselves"
    )


def _lost(values: Tensor, bad: Tensor) -> Tensor:
    return values.masked_fill(bad.reshape(-1, *[1] * (values.dim() - 1)), torch.nan)


def _said(bad: Tensor) -> str:
    return of_both(few(bad)) if bool(bad.any()) else ""


def _scale(spread: Tensor, kind: str) -> Tensor:
    lowest, highest = float(spread.min()), float(spread.max())
    if kind == "unknown":
        more, say = (
            ("", "") if lowest < 0 else (", or a scale or a variance", ", 'scale' or 'variance'")
        )
        raise ValueError(
            f"the second tensor, from {lowest:.3g} to {highest:.3g} ({seen(spread)}), may be a log "
            f"variance or a log standard deviation{more}: say which with second='logvar' or "
            f"'logstd'{say}; of (z, mean) pass a call that gives mean and spread"
        )
    if kind in _DOUBLED:
        return (0.5 * _DOUBLED[kind] * spread).exp()
    if lowest < 0:
        raise ValueError(f"{kind} must be positive, got min {lowest:.3g}; is it a log variance?")
    if lowest == 0 and highest > 0:
        none = int((spread == 0).sum())
        raise ValueError(
            f"{kind} must be positive, or 0 for all inputs, got {none} zeros among "
            f"{spread.numel()} up to {highest:.3g}; half precision loses what is small: encode "
            "with model.float()"
        )
    return spread.sqrt() if kind == "variance" else spread


def _of_three(values: tuple[Tensor, ...], second: str) -> tuple[tuple[int, int, int], str]:
    """Places of mean, spread and z among three tensors, and what the spread is: the draws tell."""
    found = []
    readings = _READINGS if second == "auto" else (second,)
    for first, other, last in _ORDERS:
        mean, spread, z = values[first], values[other], values[last]
        if mean.shape != z.shape:
            continue
        for reading in readings:
            logs = reading.startswith("log")
            if not logs and float(spread.min()) < 0:
                continue
            scale = (spread if reading == "logstd" else spread / 2).exp() if logs else spread
            e = _standardised(z, mean, scale.sqrt() if reading == "variance" else scale)
            if e is not None and _of_size_one(e[0]) and _standard_normal(*e):
                found.append(((first, other, last), reading))
    if len(found) == 1:
        return found[0]
    why = "none" if not found else f"{len(found)} readings"
    raise ValueError(
        f"the encoder must return mean and spread, got three tensors of {tuple(values[0].shape)}, "
        f"{tuple(values[1].shape)} and {tuple(values[2].shape)}: {why} of (mean, spread, z) and "
        "(z, mean, spread) fits; pass call=lambda x: model(x)[:2] or [1:], with second='logvar'"
    )


def _standardised(z: Tensor, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor] | None:
    """(z - mean)/scale, with mean and scale; None for too few, or z that is the mean."""
    used = (scale > _SEEN * mean.abs()) & scale.isfinite()
    if int(used.sum()) < _ENOUGH or torch.equal(z, mean):
        return None
    mean, scale = mean[used], scale[used]
    return (z[used] - mean) / scale, mean, scale


def _of_size_one(e: Tensor) -> bool:
    most = max(_SHARE, _ERRORS * math.sqrt(2 / len(e)))
    return abs(float(e.square().mean()) - 1) <= most


def _standard_normal(e: Tensor, mean: Tensor, scale: Tensor) -> bool:
    """Whether they look like draws of N(0, 1) that depend on nothing."""
    n = len(e)
    ordered = torch.special.ndtr(e.sort().values)
    steps = torch.arange(n + 1, dtype=torch.float64) / n
    distance = max(float((steps[1:] - ordered).max()), float((ordered - steps[:-1]).max()))
    pairs = torch.stack((e, mean)), torch.stack((e.square(), scale))
    related = [float(torch.corrcoef(pair)[0, 1]) for pair in pairs if pair.std(1).min() > 0]
    sizes = [distance / _KOLMOGOROV, *(abs(size) / _NORMAL for size in related)]
    return max(sizes) * math.sqrt(n) <= 1
