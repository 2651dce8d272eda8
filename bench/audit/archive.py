"""Reading a user's own posterior, or bare latents, from an .npz file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.npz import Refused, read_arrays

__all__ = ["WIDEST", "Archive", "read_archive"]

WIDEST = 8192
"""Dimensions that an audit takes: a covariance of as many fills half a gigabyte."""

_KEYS = (
    *("mean", "scale", "logvar"),
    *("heldout_mean", "heldout_scale", "heldout_logvar"),
    *("z", "groups", "conditions", "heldout_conditions"),
)
_LABELS = ("groups", "conditions", "heldout_conditions")
_NAMED = 5  # rows that an error names
_LONGEST = 300  # characters of what damaged bytes raise
_SLOW = 512  # dimensions
_LAST = (1 << 63) - 1  # label
_LARGEST = 1e48  # statistics take z below 1e50, and products of several larger ones overflow
_WIDEST = 220  # a log variance, of a scale between 1e-48 and 1e48


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


def read_archive(path: Path, most: int | None = None) -> Archive:
    """Read ``mean`` and ``scale`` or ``logvar``, and their ``heldout_`` counterparts, or ``z``.

    Beside either, ``groups`` labels inputs that are not independent, and ``conditions``, beside
    held-out inputs with ``heldout_conditions``, what the prior is conditioned on. Scales that are
    all 0 are a deterministic encoder's. Names, types and sizes are checked before any data is read.

    Args:
        path: an .npz file; pickled objects in it are refused, never loaded.
        most: numbers that one array may hold, as in :func:`bench.npz.read_arrays`.

    Returns:
        The posteriors or latents, float64.

    Raises:
        ValueError: for a file that is no such archive, is too large, or lacks what is needed.
    """
    return _archive(_arrays(path, most))


def _arrays(path: Path, most: int | None) -> dict[str, Tensor]:
    """What a file holds, by name."""
    try:
        arrays = read_arrays(path, _KEYS, most)
        return {name: _numbers(name, array) for name, array in arrays.items()}
    except Refused:
        raise
    except Exception as error:  # damaged bytes raise anything
        reason = " ".join(str(error).split())[:_LONGEST] or type(error).__name__
        raise ValueError(f"expected a readable .npz file, got: {reason}") from error


def _numbers(name: str, array: np.ndarray) -> Tensor:
    if name in _LABELS:
        return _labels(name, array)
    with np.errstate(all="ignore"):  # long doubles become infinite, which is refused below
        values = torch.from_numpy(array.astype(np.float64))
    if values.dim() != 2 or 0 in values.shape:
        raise Refused(
            f"{name} must have shape (N, D) with N and D at least 1, got {tuple(values.shape)}"
        )
    bad = (~values.isfinite()).any(1).nonzero()[:, 0].tolist()
    if bad:
        first = ", ".join(map(str, bad[:_NAMED])) + (", …" if len(bad) > _NAMED else "")
        raise Refused(
            f"{name} must be finite, got NaN or infinity in {len(bad):,} of {len(values):,} rows "
            f"({first}); drop those inputs"
        )
    if values.shape[1] > WIDEST:
        raise Refused(
            f"{name} has {values.shape[1]:,} dimensions, and an audit takes {WIDEST:,} at most; "
            "save a random choice of them, or a projection"
        )
    if float(values.abs().max()) >= _LARGEST:
        raise Refused(
            f"{name} must lie between -{_LARGEST:g} and {_LARGEST:g}, got "
            f"{float(values.min()):.3g} to {float(values.max()):.3g}; save z in another unit"
        )
    return values


def _labels(name: str, array: np.ndarray) -> Tensor:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise Refused(
            f"{name} must be integers of shape (n,), one label per input, got {array.dtype} of "
            f"shape {array.shape}"
        )
    if len(array) and int(array.max()) > _LAST:
        raise Refused(f"{name} must be at most {_LAST}, got {int(array.max())}; number them anew")
    return torch.from_numpy(array.astype(np.int64))


def _archive(arrays: dict[str, Tensor]) -> Archive:
    swapped = tuple(
        f"{name} has shape {tuple(values.shape)}, fewer inputs than dimensions: are its axes "
        "swapped?"
        for name, values in arrays.items()
        if name.endswith(("mean", "z")) and values.shape[0] < values.shape[1]
    )
    warnings = (*swapped, *_slow(arrays))
    groups, conditions, of_heldout = (arrays.pop(name, None) for name in _LABELS)
    if "z" in arrays:
        if len(arrays) > 1:
            others = ", ".join(name for name in arrays if name != "z")
            raise ValueError(f"expected z alone, or posteriors without it, got z and {others}")
        z = arrays["z"]
        _check_labels("groups", groups, z, "z")
        _check_conditions(conditions, of_heldout, z, None)
        return Archive(None, z=z, groups=groups, conditions=conditions, warnings=warnings)
    train = _pair(arrays, "")
    given = any(name.startswith("heldout_") for name in arrays)
    heldout = _pair(arrays, "heldout_") if given else None
    _check_labels("groups", groups, (heldout or train)[0], "heldout_mean" if given else "mean")
    _check_conditions(conditions, of_heldout, train[0], None if heldout is None else heldout[0])
    return Archive(train, heldout, None, groups, conditions, of_heldout, warnings)


def _slow(arrays: dict[str, Tensor]) -> tuple[str, ...]:
    """What an audit of many dimensions costs, said before."""
    most = max((values.shape[1] for values in arrays.values() if values.dim() == 2), default=0)
    if most < _SLOW:
        return ()
    return (
        f"D = {most:,}: time grows with D² and, where matrices are decomposed, D³, which takes "
        "minutes to hours; fewer dimensions, or fewer inputs, take less",
    )


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
    if lowest < 1 / _LARGEST:
        raise ValueError(
            f"{prefix}scale must be at least {1 / _LARGEST:g}, or 0 for all, got min {lowest:.3g}; "
            "a deterministic encoder has scales of 0"
        )
    return mean, spread
