"""Reading a user's own posterior from an .npz file."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

__all__ = ["Encoded", "read"]

_KEYS = ("mean", "scale", "logvar", "heldout_mean", "heldout_scale", "heldout_logvar")


@dataclass(frozen=True)
class Encoded:
    """Posteriors of training inputs and, where given, of held-out ones: (mean, scale) pairs."""

    train: tuple[Tensor, Tensor]
    heldout: tuple[Tensor, Tensor] | None


def read(path: Path) -> Encoded:
    """Read ``mean`` and ``scale`` or ``logvar``, and their ``heldout_`` counterparts.

    Args:
        path: an .npz file; pickled objects in it are refused, never loaded.

    Returns:
        The posteriors, float64.

    Raises:
        ValueError: for a file that is no such archive or lacks what is needed.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("expected an .npz archive, got a single array; save with np.savez")
            unknown = sorted(set(file.files) - set(_KEYS))
            if unknown:
                raise ValueError(f"unknown key {unknown[0]!r}; known are {', '.join(_KEYS)}")
            arrays = {name: _numbers(name, file[name]) for name in file.files}
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"expected a readable .npz file ({error})") from error
    train = _pair(arrays, "")
    return Encoded(train, _pair(arrays, "heldout_") if "heldout_mean" in arrays else None)


def _numbers(name: str, array: np.ndarray) -> Tensor:
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must hold numbers, got dtype {array.dtype}")
    return torch.from_numpy(np.asarray(array, dtype=np.float64))


def _pair(arrays: dict[str, Tensor], prefix: str) -> tuple[Tensor, Tensor]:
    if f"{prefix}mean" not in arrays:
        raise ValueError(
            f"expected {prefix}mean and {prefix}scale or {prefix}logvar, got "
            f"{', '.join(arrays) or 'nothing'}"
        )
    given = [kind for kind in ("scale", "logvar") if f"{prefix}{kind}" in arrays]
    if len(given) != 1:
        raise ValueError(f"expected one of {prefix}scale and {prefix}logvar, got {len(given)}")
    spread = arrays[f"{prefix}{given[0]}"]
    return arrays[f"{prefix}mean"], (0.5 * spread).exp() if given == ["logvar"] else spread
