"""The data of encoded inputs, read from a file: images, counts or rows of a table.

Names say what is what: ``images``, ``x``, ``data``, … are the inputs, ``labels``, ``y``, … their
classes; ``heldout``, ``test`` or ``val`` in a name means held-out inputs, ``train`` those of
training. What a name does not say the number of rows does, where it can.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vaelib.latent_files.entries import Entry, Refused, check_kind, short
from vaelib.latent_files.npz import npy_entries, npz_entries
from vaelib.latent_files.tensors import pt_entries, safetensors_entries
from vaelib.latent_files.values import as_labels

__all__ = ["Images", "read_images"]

_READERS: dict[str, Callable[[Path, int | None], AbstractContextManager[list[Entry]]]] = {
    ".npz": npz_entries,
    ".npy": npy_entries,
    ".pt": pt_entries,
    ".pth": pt_entries,
    ".safetensors": safetensors_entries,
}
_X = {"images", "image", "imgs", "img", "x", "data", "inputs", "counts", "pixels"}
_Y = {"labels", "label", "y", "targets", "target", "classes", "class"}
_TRAIN = {"train", "training"}
_HELD = {"heldout", "held", "out", "test", "testing", "val", "valid", "validation"}
_PARTS = ("train", "heldout")
_LONGEST = 200  # characters of what damaged bytes raise


@dataclass(frozen=True)
class Images:
    """What a file held of the inputs.

    Attributes:
        train: those of training, shape (N, ...), float32; None where only others are there.
        heldout: held-out ones, shape (n, ...).
        labels: classes of the training inputs, shape (N,), int64.
        heldout_labels: those of held-out ones, shape (n,).
        said: what was read as what.
    """

    train: Tensor | None
    heldout: Tensor | None
    labels: Tensor | None
    heldout_labels: Tensor | None
    said: str

    def of_rows(self, train: Tensor | None, heldout: Tensor | None) -> "Images":
        """Those of some inputs.

        Args:
            train: which of training, shape (N,); None of all.
            heldout: which of the held-out ones, shape (n,).

        Returns:
            The inputs and their classes.
        """
        return Images(
            _some(self.train, train),
            _some(self.heldout, heldout),
            _some(self.labels, train),
            _some(self.heldout_labels, heldout),
            self.said,
        )


def _some(values: Tensor | None, rows: Tensor | None) -> Tensor | None:
    return values if values is None or rows is None else values[rows]


def read_images(path: Path, train: int, heldout: int | None, most: int | None = None) -> Images:
    """Read the inputs that latents are of, in their order.

    Bytes of images, 0 to 255, become numbers from 0 to 1.

    Args:
        path: .npz, .npy, .pt, .pth or .safetensors; pickled objects are never loaded.
        train: rows of the latents of training inputs, N.
        heldout: rows of those of held-out inputs, n; None where there are none.
        most: numbers that one array may hold, as of
            :class:`vaelib.latent_files.entries.Budget`.

    Returns:
        The inputs.

    Raises:
        Refused: a ValueError, for a file that holds no such inputs, or other rows than latents.
    """
    suffix = path.suffix.lower()
    try:
        check_kind(path, suffix if suffix in _READERS else ".npz")
        if suffix not in _READERS:
            raise Refused(f"expected a file that is {', '.join(_READERS)}, got {short(path.name)}")
        with _READERS[suffix](path, most) as entries:
            return _images(entries, {"train": train, "heldout": heldout})
    except Refused:
        raise
    except Exception as error:  # damaged bytes raise anything
        text = " ".join(str(error).split())[:_LONGEST] or type(error).__name__
        raise Refused(f"expected a readable {suffix} file, got: {text}") from error


def _images(entries: list[Entry], rows: dict[str, int | None]) -> Images:
    found: dict[tuple[str, str], Entry] = {}
    candidates = [(one, *_meaning(one)) for one in entries]
    if not any(kind == "x" for _, kind, _ in candidates):
        large = [one for one in entries if one.numbers and len(one.shape) > 1]
        if len(large) != 1:
            listed = ", ".join(map(str, entries[:8])) or "nothing"
            raise Refused(
                f"expected inputs under a name such as images, x or heldout_images, got {listed}"
            )
        candidates = [
            (one, "x" if one is large[0] else kind, part) for one, kind, part in candidates
        ]
    for kind in ("x", "labels"):
        named = [(one, part) for one, own, part in candidates if own == kind]
        taken = {part for _, part in named}
        for one, part in named:
            place = part or _by_rows(one, rows, taken)
            if (kind, place) in found:
                raise Refused(
                    f"expected one array of {place} inputs, got {short(found[kind, place].name)} "
                    f"and {short(one.name)}; leave one out"
                )
            found[kind, place] = one
    for (_, place), one in found.items():
        _check_rows(one, place, rows[place])
    arrays = {part: _values(found.get(("x", part))) for part in _PARTS}
    shapes = {tuple(x.shape[1:]) for x, _ in arrays.values() if x is not None}
    if len(shapes) > 1:
        raise Refused(f"expected inputs of one shape, got {' and '.join(map(str, shapes))}")
    labels = {part: _labels(found.get(("labels", part))) for part in _PARTS}
    said = [
        f"{part} x from {short(found['x', part].name)}{arrays[part][1]}"
        for part in _PARTS
        if ("x", part) in found
    ]
    said += [
        f"{part} labels from {short(found['labels', part].name)}"
        for part in _PARTS
        if ("labels", part) in found
    ]
    return Images(
        arrays["train"][0],
        arrays["heldout"][0],
        labels["train"],
        labels["heldout"],
        "read: " + ", ".join(said),
    )


def _meaning(entry: Entry) -> tuple[str, str]:
    """Kind (x, labels or none) and part (train, heldout or unsaid) by the name."""
    words = {word for word in re.split(r"[^a-z0-9]+", entry.name.lower()) if word}
    part = "heldout" if words & _HELD else "train" if words & _TRAIN else ""
    rest = words - _HELD - _TRAIN
    if len(rest) == 1 and rest <= _Y:
        return "labels", part
    return ("x" if part and not rest or len(rest) == 1 and rest <= _X else ""), part


def _by_rows(entry: Entry, rows: dict[str, int | None], taken: set[str]) -> str:
    """Whose inputs these are, where the name does not say it."""
    count = entry.shape[0] if entry.shape else 0
    fits = [part for part in _PARTS if rows[part] == count and part not in taken]
    if len(fits) == 2:
        raise Refused(
            f"{short(entry.name)} may be of the training inputs or of the held-out ones, which "
            f"are {count:,} each; call it train_images or heldout_images"
        )
    return fits[0] if fits else "heldout" if rows["heldout"] and "heldout" not in taken else "train"


def _check_rows(entry: Entry, part: str, rows: int | None) -> None:
    of = "heldout_mean" if part == "heldout" else "mean"
    if rows is None:
        raise Refused(
            f"{short(entry.name)} is of held-out inputs, and the latents are of training inputs "
            "alone; save heldout_mean and heldout_scale beside them"
        )
    if not entry.shape or entry.shape[0] != rows:
        got = entry.shape[0] if entry.shape else 0
        raise Refused(
            f"{short(entry.name)} must have a row for each of the {rows:,} rows of {of}, of the "
            f"same inputs in the same order, got {got:,}"
        )


def _values(entry: Entry | None) -> tuple[Tensor | None, str]:
    if entry is None:
        return None, ""
    if len(entry.shape) < 2 or not entry.size:
        raise Refused(
            f"{short(entry.name)} must have shape (N, ...), such as (N, channels, height, width), "
            f"got {entry.shape}"
        )
    array = entry.read()
    scaled = array.dtype == np.uint8 and array.ndim > 2 and int(array.max()) > 1
    x = torch.from_numpy(array.astype(np.float32))
    if not bool(x.isfinite().all()):
        raise Refused(f"{short(entry.name)} must be finite, got NaN or infinity; drop those inputs")
    return (x / 255, " / 255") if scaled else (x, "")


def _labels(entry: Entry | None) -> Tensor | None:
    return None if entry is None else as_labels(entry.name, np.squeeze(entry.read()))
