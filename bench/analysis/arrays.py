"""The small arrays that figures are drawn from: written from the store, read by the report."""

import io
import os
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.analysis.quantiles import marginal_quantiles
from bench.errors import DamagedError, DamagedWarning, reason
from bench.run.kept_rows import checksums
from bench.run.plan import Plan
from bench.run.store import Store
from vaelib.files import write_atomically
from vaelib.reading import MOST, read_bytes
from vaelib.sealed import packed, verify
from vaelib.stats.crossed import CrossedMean, crossed_mean

__all__ = ["pictured", "read_arrays", "write_arrays"]

_CROSSED = len(CrossedMean._fields) + 2  # how many seeds and inputs come after


def pictured(planned: Plan) -> dict[str, np.ndarray]:
    """What the page draws beyond its rows, from the first seed.

    Args:
        planned: a plan that has run.

    Returns:
        Of the training inputs of the base, where D is 2: ``"<config>/mean"`` and ``"/scale"``,
        shape (N, 2), and ``"/labels"``, shape (N,). Of every configuration:
        ``"<config>/samples/<source>"``, images, and, with the standard normal prior, of the test
        inputs ``"<config>/quantiles"``, shape (D, quantiles); where the encoder was calibrated,
        ``"<config>/sbc"``, counts of ranks of shape (D + 1, GRID). Where all seeds share their test
        inputs, of metrics that are means over these ``"<config>/crossed/<metric>"``, the numbers of
        a `vaelib.stats.crossed.CrossedMean` and how many seeds and inputs they are of.
    """
    store, base = Store(planned.folder), planned.matrix.configurations[0]
    drawn: dict[str, np.ndarray] = {}
    shared = False
    firsts = {cell.configuration.name: cell for cell in reversed(planned.cells)}
    for name, cell in firsts.items():
        arrays = store.arrays(cell.id)
        shared |= any(key.startswith("terms_") for key in arrays)
        if name == base.name and base.values["latent_dim"] == 2:
            kept = [kind for kind in ("mean", "scale", "labels") if f"train_{kind}" in arrays]
            drawn |= {f"{name}/{kind}": arrays[f"train_{kind}"] for kind in kept}
        if "test_mean" in arrays and cell.configuration.values["prior"]["name"] == "normal":
            quantiles = marginal_quantiles(arrays["test_mean"], arrays["test_scale"])
            drawn[f"{name}/quantiles"] = quantiles.astype(np.float32)
        if "sbc" in arrays:
            drawn[f"{name}/sbc"] = arrays["sbc"]
        for key, images in arrays.items():
            if key.startswith("samples_"):
                drawn[f"{name}/samples/{key.removeprefix('samples_')}"] = images
    drawn |= _crossed(planned, store) if shared else {}
    return _kept(planned, store) | drawn


def _kept(planned: Plan, store: Store) -> dict[str, np.ndarray]:
    """What was drawn before of configurations all of whose cells were measured elsewhere."""
    arrays: dict[str, list[bool]] = {}
    for cell in planned.cells:
        if record := store.read(cell.id):
            arrays.setdefault(cell.configuration.name, []).append(bool(record.arrays))
    elsewhere = {name for name, kept in arrays.items() if not any(kept)}
    if not elsewhere:
        return {}
    path = planned.folder / "arrays.npz"
    try:
        before = read_arrays(path, planned.matrix.name) or {}
    except DamagedError as error:
        warnings.warn(
            f"{str(error).rpartition(';')[0]}; what it should hold of {', '.join(elsewhere)} is "
            f"left out of the pages until that is measured again, for which remove "
            f"{path.with_name('rows.json')}",
            DamagedWarning,
            stacklevel=3,
        )
        return {}
    return {key: one for key, one in before.items() if key.partition("/")[0] in elsewhere}


def _crossed(planned: Plan, store: Store) -> dict[str, np.ndarray]:
    """Means over seeds and inputs, where two seeds or more share their inputs."""
    tables: dict[str, list[np.ndarray]] = {}
    without = set()  # configurations of which a seed was measured elsewhere
    for cell in planned.cells:
        name, terms = cell.configuration.name, False
        for key, values in store.arrays(cell.id).items():
            if key.startswith("terms_"):
                metric, terms = key.removeprefix("terms_"), True
                tables.setdefault(f"{name}/crossed/{metric}", []).append(values)
        if not terms and (record := store.read(cell.id)) and record.status == "ok":
            without.add(name)
    return {
        name: np.array([*crossed_mean(np.stack(table).astype(np.float64)), *np.shape(table)])
        for name, table in tables.items()
        if len(table) > 1 and name.partition("/")[0] not in without
    }


def write_arrays(path: Path, arrays: Mapping[str, npt.ArrayLike], matrix: str) -> None:
    """Writes the arrays atomically, under a seal; equal arrays give equal bytes.

    Args:
        path: the .npz file.
        arrays: what `pictured` returned. A name says whose they are and becomes part of a file's.
        matrix: name of the matrix that they are of.
    """
    kept = {name: np.asarray(arrays[name]) for name in sorted(arrays)}
    write_atomically(path, packed(kept, _identity(matrix), compressed=True))


def read_arrays(path: Path, matrix: str) -> dict[str, np.ndarray] | None:
    """Reads the arrays; those without a seal only where ``rows.json`` holds no checksums either.

    Args:
        path: the .npz file.
        matrix: name of the matrix that they should be of.

    Returns:
        All of them by name; None where there is no such file.

    Raises:
        DamagedError: where the file holds something else than `pictured` returned.
        OSError: where it cannot be read for a reason that is not its own.
    """
    if not os.path.lexists(path):
        return None
    try:
        whole = read_bytes(path)
        data = io.BytesIO(whole)
        if _check_size(data) or checksums(path.parent):
            verify(whole, _identity(matrix))
        with np.load(data, allow_pickle=False) as file:
            arrays = dict(file)
        for name, array in arrays.items():
            _check(name, array, arrays)
    except Exception as error:  # damaged bytes raise anything
        raise DamagedError(
            f"expected the arrays of figures in {path}, got something else ({reason(error)}); run "
            "the matrix again"
        ) from error
    return arrays


def _identity(matrix: str) -> dict[str, str]:
    return {"arrays of figures": "", "matrix": matrix}


def _check_size(data: io.BytesIO) -> bool:
    """Whether there is a seal; raises a ValueError for a small archive that expands to much."""
    with zipfile.ZipFile(data) as archive:
        size, sealed = sum(member.file_size for member in archive.infolist()), archive.comment
    if size > MOST:
        raise ValueError(f"it expands to {size:,} bytes")
    data.seek(0)
    return bool(sealed)


def _check(name: str, array: np.ndarray, arrays: Mapping[str, np.ndarray]) -> None:
    """Raises a ValueError for what no figure can be drawn of."""
    config, _, kind = name.partition("/")
    source = kind.removeprefix("samples/")
    if source != kind and "/" not in source:
        sound = array.dtype == np.uint8 and array.ndim == 4 and array.shape[1] in (1, 3)
    elif kind == "labels":
        sound = array.shape == arrays[f"{config}/mean"].shape[:1]
    elif kind in ("mean", "scale"):
        shapes = {arrays[f"{config}/{part}"].shape for part in ("mean", "scale")}
        sound = array.ndim == 2 and array.shape[1] == 2 and len(shapes) == 1 and _finite(array)
    elif kind.startswith("crossed/"):
        sound = array.shape == (_CROSSED,) and _finite(array)
    else:
        sound = kind in ("quantiles", "sbc") and array.ndim == 2 and _finite(array)
    if not config or not array.size or not sound:
        raise ValueError(f"{name} of {array.dtype}, shape {array.shape}, cannot be drawn")


def _finite(array: np.ndarray) -> bool:
    return array.dtype.kind in "fiu" and bool(np.isfinite(array).all())
