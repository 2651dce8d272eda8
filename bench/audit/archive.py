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
    *("z", "groups", "conditions", "heldout_conditions"),
)
_LABELS = ("groups", "conditions", "heldout_conditions")
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
        conditions: labels of the training inputs, or of z, that the prior is conditioned on, (N,).
        heldout_conditions: those of the held-out inputs, shape (n,).
        warnings: sentences that a person should read first.
    """

    train: tuple[Tensor, Tensor] | None
    heldout: tuple[Tensor, Tensor] | None = None
    z: Tensor | None = None
    groups: Tensor | None = None
    conditions: Tensor | None = None
    heldout_conditions: Tensor | None = None
    warnings: tuple[str, ...] = ()

    @property
    def labels(self) -> list[int]:
        """The conditions there are, ascending; none where the prior has no condition."""
        return [] if self.conditions is None else sorted(set(self.conditions.tolist()))

    def of_condition(self, label: int) -> "Archive":
        """The inputs of one condition.

        Args:
            label: the condition.

        Returns:
            An archive without conditions; without held-out inputs where this condition has none.

        Raises:
            ValueError: for a condition that no input has.
        """
        if label not in self.labels:
            known = ", ".join(map(str, self.labels[:_NAMED])) or "none, as there is no `conditions`"
            raise ValueError(f"expected one of the conditions ({known}), got {label}")
        assert self.conditions is not None
        own = self.conditions == label
        held = None if self.heldout_conditions is None else self.heldout_conditions == label
        played = own if held is None else held
        heldout = None if self.heldout is None or held is None else _rows(self.heldout, held)
        if heldout is not None and not len(heldout[0]):
            heldout, played = None, own
        groups = self.groups if self.heldout is None or heldout is not None else None
        return Archive(
            None if self.train is None else _rows(self.train, own),
            heldout,
            None if self.z is None else self.z[own],
            None if groups is None else groups[played],
        )


def _rows(pair: tuple[Tensor, Tensor], rows: Tensor) -> tuple[Tensor, Tensor]:
    return pair[0][rows], pair[1][rows]


class _Refused(ValueError):
    """What is wrong with a file that can be read."""


def read_archive(path: Path) -> Archive:
    """Read ``mean`` and ``scale`` or ``logvar``, and their ``heldout_`` counterparts, or ``z``.

    Beside either, ``groups`` labels inputs that are not independent, and ``conditions``, beside
    held-out inputs with ``heldout_conditions``, what the prior is conditioned on. Scales that are
    all 0 are a deterministic encoder's. Names, types and sizes are checked before any data is read.

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
    if name in _LABELS:
        return _labels(name, array)
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


def _labels(name: str, array: np.ndarray) -> Tensor:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise _Refused(
            f"{name} must be integers of shape (n,), one label per input, got {array.dtype} of "
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
    groups, conditions, of_heldout = (arrays.pop(name, None) for name in _LABELS)
    if "z" in arrays:
        if len(arrays) > 1:
            others = ", ".join(name for name in arrays if name != "z")
            raise ValueError(f"expected z alone, or posteriors without it, got z and {others}")
        z = arrays["z"]
        _check_labels("groups", groups, z, "z")
        _check_conditions(conditions, of_heldout, z, None)
        return Archive(None, z=z, groups=groups, conditions=conditions, warnings=swapped)
    train = _pair(arrays, "")
    given = any(name.startswith("heldout_") for name in arrays)
    heldout = _pair(arrays, "heldout_") if given else None
    _check_labels("groups", groups, (heldout or train)[0], "heldout_mean" if given else "mean")
    _check_conditions(conditions, of_heldout, train[0], None if heldout is None else heldout[0])
    return Archive(train, heldout, None, groups, conditions, of_heldout, swapped)


def _check_labels(what: str, labels: Tensor | None, inputs: Tensor, name: str) -> None:
    if labels is not None and len(labels) != len(inputs):
        raise ValueError(
            f"{what} must hold one label for each of the {len(inputs):,} rows of {name}, got "
            f"{len(labels):,}"
        )


def _check_conditions(
    conditions: Tensor | None, of_heldout: Tensor | None, inputs: Tensor, heldout: Tensor | None
) -> None:
    """Labels of every input, or of none; a condition must have been trained on."""
    if (conditions is None) != (of_heldout is None) and heldout is not None:
        raise ValueError("expected both conditions and heldout_conditions, or neither, got one")
    if heldout is None and of_heldout is not None:
        raise ValueError("expected heldout_conditions beside heldout_mean alone, got no such mean")
    _check_labels("conditions", conditions, inputs, "the inputs")
    if conditions is None or of_heldout is None or heldout is None:
        return
    _check_labels("heldout_conditions", of_heldout, heldout, "heldout_mean")
    if new := sorted(set(of_heldout.tolist()) - set(conditions.tolist())):
        raise ValueError(
            f"expected training inputs of every condition, got none of {new[0]}; drop its held-out "
            "inputs"
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
