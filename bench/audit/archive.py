"""Reading a user's own posterior, or bare latents, from an .npz file."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

__all__ = ["MOST", "Archive", "read_archive"]

MOST = 1 << 27
"""Numbers that one array may hold: a gigabyte in float64, and the audit makes several copies."""

_KEYS = (
    *("mean", "scale", "logvar"),
    *("heldout_mean", "heldout_scale", "heldout_logvar"),
    *("z", "groups"),
)
_NAMED = 5  # rows that an error names
_WIDEST = 700  # a log variance, of a scale whose square is a number


@dataclass(frozen=True)
class Archive:
    """What a file held.

    Attributes:
        train: mean and scale of the training inputs, each (N, D); None where only z was given.
        heldout: mean and scale of held-out inputs, where given.
        z: bare latents, shape (n, D), where only they were given.
        groups: labels of the held-out inputs, or where there are none of all, that are not
            independent of each other, shape (n,).
        warnings: sentences that a person should read first.
    """

    train: tuple[Tensor, Tensor] | None
    heldout: tuple[Tensor, Tensor] | None = None
    z: Tensor | None = None
    groups: Tensor | None = None
    warnings: tuple[str, ...] = ()


class _Refused(ValueError):
    """What is wrong with a file that can be read."""


def read_archive(path: Path) -> Archive:
    """Read ``mean`` and ``scale`` or ``logvar``, and their ``heldout_`` counterparts, or ``z``.

    Beside either, ``groups`` labels inputs that are not independent. Scales that are all 0 are a
    deterministic encoder's. Names, types and sizes are checked before any data is read.

    Args:
        path: an .npz file; pickled objects in it are refused, never loaded.

    Returns:
        The posteriors or latents, float64.

    Raises:
        ValueError: for a file that is no such archive, is too large, or lacks what is needed.
    """
    return _archive(_arrays(path))


def _arrays(path: Path) -> dict[str, Tensor]:
    """What a file holds, by name."""
    try:
        _check_kind(path)
        with zipfile.ZipFile(path) as file:
            names = [_checked(file, member) for member in file.namelist()]
        with np.load(path, allow_pickle=False) as file:
            return {name: _numbers(name, file[name]) for name in names}
    except _Refused:
        raise
    except Exception as error:  # damaged bytes raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"expected a readable .npz file, got: {reason}") from error


def _check_kind(path: Path) -> None:
    with path.open("rb") as raw:
        if not zipfile.is_zipfile(raw):
            what = "an empty file" if path.stat().st_size == 0 else "a file of another kind"
            raise _Refused(f"expected an .npz archive, got {what}; save with np.savez")


def _checked(file: zipfile.ZipFile, member: str) -> str:
    """The name of an array whose header is right."""
    name = member.removesuffix(".npy")
    if name not in _KEYS:
        raise _Refused(f"unknown key {name!r}; known are {', '.join(_KEYS)}")
    with file.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        reader = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = reader(stream)
    if dtype.hasobject:
        raise _Refused(f"{name} holds pickled objects, which are never loaded; save numbers")
    if dtype.kind not in "fiu":
        raise _Refused(f"{name} must hold numbers, got dtype {dtype}")
    size = int(np.prod(shape, dtype=object))
    if size > MOST:
        raise _Refused(
            f"{name} has shape {shape}, {size:,} numbers, and an audit takes {MOST:,} at most "
            f"({MOST * 8 / 1e9:.1f} GB); save a random choice of the inputs, such as 1,000,000"
        )
    return name


def _numbers(name: str, array: np.ndarray) -> Tensor:
    if name == "groups":
        return _labels(array)
    values = torch.from_numpy(np.asarray(array, dtype=np.float64))
    if values.dim() != 2 or 0 in values.shape:
        raise _Refused(
            f"{name} must have shape (N, D) with N and D at least 1, got {tuple(values.shape)}"
        )
    bad = (~values.isfinite()).any(1).nonzero()[:, 0].tolist()
    if bad:
        first = ", ".join(map(str, bad[:_NAMED])) + (", …" if len(bad) > _NAMED else "")
        raise _Refused(
            f"{name} must be finite, got NaN or infinity in {len(bad):,} of {len(values):,} rows "
            f"({first}); drop those inputs"
        )
    return values


def _labels(array: np.ndarray) -> Tensor:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise _Refused(
            f"groups must be integers of shape (n,), one label per input, got {array.dtype} of "
            f"shape {array.shape}"
        )
    return torch.from_numpy(array.astype(np.int64))


def _archive(arrays: dict[str, Tensor]) -> Archive:
    swapped = tuple(
        f"{name} has shape {tuple(values.shape)}, fewer inputs than dimensions: are its axes "
        "swapped?"
        for name, values in arrays.items()
        if name.endswith(("mean", "z")) and values.shape[0] < values.shape[1]
    )
    groups = arrays.pop("groups", None)
    if "z" in arrays:
        if len(arrays) > 1:
            others = ", ".join(name for name in arrays if name != "z")
            raise ValueError(f"expected z alone, or posteriors without it, got z and {others}")
        _check_groups(groups, arrays["z"], "z")
        return Archive(None, z=arrays["z"], groups=groups, warnings=swapped)
    train = _pair(arrays, "")
    given = any(name.startswith("heldout_") for name in arrays)
    heldout = _pair(arrays, "heldout_") if given else None
    _check_groups(groups, (heldout or train)[0], "heldout_mean" if given else "mean")
    return Archive(train, heldout, groups=groups, warnings=swapped)


def _check_groups(groups: Tensor | None, inputs: Tensor, name: str) -> None:
    if groups is not None and len(groups) != len(inputs):
        raise ValueError(
            f"groups must hold one label for each of the {len(inputs):,} rows of {name}, got "
            f"{len(groups):,}"
        )


def _pair(arrays: dict[str, Tensor], prefix: str) -> tuple[Tensor, Tensor]:
    if f"{prefix}mean" not in arrays:
        instead = "" if prefix else ", or z alone"
        raise ValueError(
            f"expected {prefix}mean and {prefix}scale or {prefix}logvar{instead}, got "
            f"{', '.join(arrays) or 'nothing'}"
        )
    given = [kind for kind in ("scale", "logvar") if f"{prefix}{kind}" in arrays]
    if len(given) != 1:
        raise ValueError(f"expected one of {prefix}scale and {prefix}logvar, got {len(given)}")
    mean, spread = arrays[f"{prefix}mean"], arrays[f"{prefix}{given[0]}"]
    if mean.shape != spread.shape:
        raise ValueError(
            f"{prefix}mean and {prefix}{given[0]} must have the same shape (N, D), got "
            f"{tuple(mean.shape)} and {tuple(spread.shape)}"
        )
    lowest, highest = float(spread.min()), float(spread.max())
    if given == ["logvar"]:
        if max(-lowest, highest) > _WIDEST:
            raise ValueError(
                f"{prefix}logvar must lie between -{_WIDEST} and {_WIDEST}, got {lowest:.3g} to "
                f"{highest:.3g}"
            )
        return mean, (0.5 * spread).exp()
    if lowest == highest == 0:
        return mean, spread
    if not lowest > 0:
        hint = f"; if these are log variances, save them as {prefix}logvar" if lowest < 0 else ""
        raise ValueError(f"{prefix}scale must be positive, got min {lowest:.3g}{hint}")
    return mean, spread
