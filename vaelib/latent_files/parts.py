"""Posteriors and z from the arrays that hold them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from vaelib.arguments.layouts import Layout
from vaelib.latent_files.entries import Entry, Refused, short
from vaelib.latent_files.layouts import half_lost, layout_of_entry, spread_like
from vaelib.latent_files.values import as_latents, as_scale, check_agreement

__all__ = ["Part", "bare", "halves", "posterior"]

_FROM = {
    "std": "{}",
    "var": "sqrt({})",
    "logvar": "exp({} / 2)",
    "logstd": "exp({})",
    "full": "the diagonal of {}, which has nothing beside it",
    "factor": "the diagonal of {}, which has nothing beside it",
}
_BESIDE = 1e-6  # of the largest number of a covariance, which counts as nothing
_MEANS = ("X_scVI", "X_scANVI", "X_totalVI", "X_PeakVI", "X_MultiVI")


@dataclass(frozen=True)
class Part:
    """Posteriors, or z, of one part of the inputs.

    Attributes:
        values: mean and scale, or z, each (N, D).
        layout: of the array of means, or of z.
        said: what was read as what.
        used: names of the arrays.
        notes: sentences that a person should read first.
        plain: whether shapes were (N, D).
    """

    values: tuple[Tensor, ...]
    layout: Layout
    said: str
    used: tuple[str, ...]
    notes: tuple[str, ...]
    plain: bool


def bare(entry: Entry, but: str = "") -> Part:
    """Bare latents.

    Args:
        entry: of z.
        but: what a person must know of it.

    Returns:
        The part.
    """
    _check_numbers(entry)
    layout = layout_of_entry(entry)
    z = as_latents(entry.name, layout.rows(_read(entry)))
    if any(entry.name.lower() == one.lower() for one in _MEANS):
        but = (
            f"{entry.name} holds means, as scvi-tools returns them unless give_mean=False; z must "
            "be a draw, and means are narrower than q"
        )
    said = f"z from {short(entry.name)}{_made(layout.said)}, {_size(layout)}"
    notes = tuple(filter(None, (but, layout.note)))
    return Part((z,), layout, said, (entry.name,), notes, len(entry.shape) == 2)


def posterior(mean: Entry, spreads: Mapping[str, Entry]) -> Part:
    """Means and scales; several spreads must say the same.

    Args:
        mean: of the means.
        spreads: kind, as of :data:`vaelib.latent_files.names.KINDS`, full or factor -> array.

    Returns:
        The part, with the scale of the first.

    Raises:
        Refused: for what does not fit.
    """
    for one in (mean, *spreads.values()):
        _check_numbers(one)
    layout = layout_of_entry(mean)
    centre = as_latents(mean.name, layout.rows(_read(mean)))
    scales: dict[str, Tensor] = {}
    said, notes, plain = "", [layout.note], len(mean.shape) == 2
    for kind, entry in spreads.items():
        array = _read(entry)
        if kind in ("full", "factor"):
            array = _diagonal(entry, array, layout, kind)
        rows, made = spread_like(entry, array, layout, mean.name)
        spread = as_latents(entry.name, rows)
        lost = half_lost(entry, array) if kind in ("std", "var") else ""
        if lost and array.any():
            raise Refused(lost)
        if lost:
            notes.append(f"{lost}; until then it is read as a deterministic encoder")
        scales[entry.name] = as_scale(
            entry.name, spread, {"full": "var", "factor": "std"}.get(kind, kind)
        )
        if len(scales) == 1:
            said = f"scale from {_FROM[kind].format(short(entry.name))}{_made(made)}"
        else:
            said += f" ({short(entry.name)} says the same)"
        plain = plain and not made
    check_agreement(scales)
    words = f"mean from {short(mean.name)}{_made(layout.said)}, {said}, {_size(layout)}"
    used = (mean.name, *scales)
    first = next(iter(scales.values()))
    return Part((centre, first), layout, words, used, tuple(filter(None, notes)), plain)


def halves(entry: Entry) -> tuple[Entry, Entry]:
    """The two halves of an array whose channels are means and then a spread.

    Args:
        entry: of shape (N, 2D), (N, 2C, H, W), (2C, H, W) of one input, or (N, T, 2D).

    Returns:
        The entries of both.

    Raises:
        Refused: for an odd number of channels.
    """
    shape = entry.shape
    one = len(shape) == 3 and shape[1] == shape[2] and shape[0] % 2 == 0
    whole = (1, *shape) if one else shape
    axis = -1 if len(whole) == 3 else 1
    if len(whole) < 2 or whole[axis] % 2 or not whole[axis]:
        raise Refused(
            f"expected means and a spread in the halves of {short(entry.name)}, got shape "
            f"{shape}; save both halves by names"
        )
    size = list(whole)
    size[axis] //= 2

    def half(place: int) -> Entry:
        def read() -> np.ndarray:
            return np.split(entry.read().reshape(whole), 2, axis)[place]

        return replace(entry, shape=tuple(size), read=read)

    return half(0), half(1)


def _check_numbers(entry: Entry) -> None:
    if not entry.numbers:
        entry.read()  # which says what it holds instead


def _read(entry: Entry) -> np.ndarray:
    values = entry.read()
    return values[:, None] if entry.column and values.ndim == 1 else values


def _size(layout: Layout) -> str:
    return f"{layout.inputs * layout.positions} x {layout.width}"


def _made(said: str) -> str:
    return f" ({said})" if said else ""


def _diagonal(entry: Entry, array: np.ndarray, layout: Layout, kind: str) -> np.ndarray:
    """Variances, or deviations of a factor, of covariances that have nothing beside them."""
    if array.ndim < 3 and kind == "full":
        return array
    count, width = layout.inputs, layout.width
    if array.shape != (count, width, width) or layout.positions > 1:
        raise Refused(
            f"{short(entry.name)} must have shape (N, D, D), here {(count, width, width)}, got "
            f"{array.shape}"
        )
    lines = array[:, np.arange(width), np.arange(width)]
    beside = np.abs(array).astype(np.float64)
    beside[:, np.arange(width), np.arange(width)] = 0
    if float(beside.max()) > _BESIDE * float(np.abs(lines).max()):
        row = int(beside.max((1, 2)).argmax())
        factor = "np.linalg.cholesky({})" if kind == "full" else "{}"
        raise Refused(
            f"{short(entry.name)} is not diagonal, with {float(beside[row].max()):.3g} beside the "
            f"diagonal in row {row}, and an audit takes diagonal posteriors or z: save z = mean + "
            f"({factor.format('covariance' if kind == 'full' else 'scale_tril')} @ "
            "rng.standard_normal((N, D, 1)))[..., 0]"
        )
    return lines
