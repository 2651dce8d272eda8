"""Latents of a user's own, read from a file as it is: :func:`read_latents`."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from vaelib.arguments.plain import as_count, shown
from vaelib.latent_files.entries import Entry, Refused, check_kind, short
from vaelib.latent_files.hdf5 import hdf5_entries
from vaelib.latent_files.latents import Latents
from vaelib.latent_files.names import KINDS
from vaelib.latent_files.npz import npy_entries, npz_entries
from vaelib.latent_files.tables import csv_entries, parquet_entries
from vaelib.latent_files.taken import Keys, latents_of
from vaelib.latent_files.tensors import pt_entries, safetensors_entries

__all__ = ["read_latents"]

_Opened = Callable[[Path, int | None], AbstractContextManager[list[Entry]]]
_READERS: dict[str, _Opened] = {
    ".npz": npz_entries,
    ".npy": npy_entries,
    ".pt": pt_entries,
    ".pth": pt_entries,
    ".safetensors": safetensors_entries,
    ".csv": csv_entries,
    ".tsv": csv_entries,
    ".parquet": parquet_entries,
    ".h5": hdf5_entries,
    ".hdf5": hdf5_entries,
    ".h5ad": hdf5_entries,
}
_MARKS = {b"\x93NUMPY": ".npy", b"\x89HDF": ".h5", b"PAR1": ".parquet"}
_PICKLES = (".pkl", ".pickle", ".joblib", ".ckpt", ".bin")
_FOREIGN = (".xlsx", ".xls", ".ods", ".json", ".mat", ".zarr", ".feather", ".arrow", *_PICKLES)
_LONGEST = 300  # characters of what damaged bytes raise


def read_latents(
    path: str | os.PathLike[str],
    *,
    mean: str | None = None,
    scale: str | None = None,
    scale_is: str | None = None,
    z: str | None = None,
    most: int | None = None,
) -> Latents:
    """Read posteriors, or bare latents, from a file as people have it.

    Nothing in a file is executed, and what an array announces is checked before it is read. Arrays
    are known by their names: a mean (``mean``, ``mu``, ``loc``, ``z_mean``, …) with a ``scale``,
    ``std``, ``var``, ``logvar``, ``log_std`` or a name like them, of held-out inputs after
    ``heldout_``, ``test_`` or ``val_``; or ``z``, or one array alone. What cannot be guessed safely
    is refused with what was seen, and what to say instead: as options of the command line, which
    are called as the arguments here.

    Args:
        path: .npz, .npy, .pt, .pth, .safetensors, .csv, .tsv, .parquet, .h5, .hdf5 or .h5ad.
        mean: key of the means, where names do not say it.
        scale: key of their spread; the key of the mean where its channels hold both, one half each.
        scale_is: what the spread is: ``"std"``, ``"var"``, ``"logvar"`` or ``"logstd"``.
        z: key of bare latents, one draw of each posterior.
        most: numbers that one array may hold, and a file may then expand as far. None: 134,217,728,
            and no file may expand to more than 134 MB and a hundred times its size.

    Returns:
        Posteriors or z, each of shape (N, D), float64, and what was read as what.

    Raises:
        TypeError: for a path, or a key, that is none.
        Refused: a ValueError, for a file that holds no latents, or does not say which they are.

    Example:
        >>> import numpy, tempfile
        >>> mean = numpy.random.default_rng(0).standard_normal((400, 8))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     numpy.savez(f"{folder}/p.npz", z_mean=mean, z_log_var=0 * mean - 1)
        ...     found = read_latents(f"{folder}/p.npz")
        >>> print(found.said)
        read: mean from z_mean, scale from exp(z_log_var / 2), 400 x 8
        >>> found.train[1].shape
        torch.Size([400, 8])
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise TypeError(f"path must be that of a file, got {shown(path)}")
    for name, key in (("mean", mean), ("scale", scale), ("scale_is", scale_is), ("z", z)):
        if key is not None and not isinstance(key, str):
            raise TypeError(f"{name} must be a text, got {shown(key)}")
    if scale_is is not None and scale_is not in KINDS:
        raise Refused(f"scale_is must be one of {', '.join(KINDS)}, got {shown(scale_is)}")
    if z is not None and (mean or scale or scale_is):
        raise Refused("expected z alone, or mean and scale, got both; leave one out")
    if most is not None:
        most = as_count(most, "most")
    if "\0" in os.fspath(path):
        raise Refused("path must be that of a file, got one with a NUL")
    file = Path(path)
    suffix = _suffix(file)
    try:
        with _READERS[suffix](file, most) as entries:
            return latents_of(entries, Keys(mean, scale, scale_is, z))
    except Refused:
        raise
    except Exception as error:  # damaged bytes raise anything
        reason = " ".join(str(error).split())[:_LONGEST] or type(error).__name__
        raise Refused(f"expected a readable {suffix} file, got: {reason}") from error


def _suffix(file: Path) -> str:
    """What a file is, by its name or else by its first bytes."""
    suffix = file.suffix.lower()
    try:
        check_kind(file, suffix if suffix in _READERS else ".npz")
    except OSError as error:
        raise Refused(f"expected a readable file, got: {error.strerror}") from error
    if suffix in _READERS:
        return suffix
    if suffix not in _FOREIGN:
        try:
            with file.open("rb") as raw:
                first = raw.read(8)
        except OSError as error:
            raise Refused(f"expected a readable file, got: {error.strerror}") from error
        if first.startswith(b"PK"):
            return ".npz"
        for mark, known in _MARKS.items():
            if first.startswith(mark):
                return known
    anew = "save with np.savez(path, mean=mean, scale=scale)"
    if suffix in _PICKLES:
        anew = f"pickles run code and are never loaded: {anew}"
    elif suffix in (".xlsx", ".xls", ".ods"):
        anew = "save the sheet as .csv"
    got = short(suffix) if suffix else "one without an ending"
    raise Refused(f"expected a file that is {', '.join(_READERS)}, got {got}; {anew}")
