"""The small arrays that figures are drawn from: written from the store, read by the report."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.analysis.quantiles import marginal_quantiles
from bench.run.plan import Plan
from bench.run.store import Store
from vaelib.files import write_atomically
from vaelib.stats.crossed import crossed_mean

__all__ = ["pictured", "read_arrays", "write_arrays"]


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
    return drawn | _crossed(planned, store) if shared else drawn


def _crossed(planned: Plan, store: Store) -> dict[str, np.ndarray]:
    """Means over seeds and inputs, where two seeds or more share their inputs."""
    tables: dict[str, list[np.ndarray]] = {}
    for cell in planned.cells:
        for key, values in store.arrays(cell.id).items():
            if key.startswith("terms_"):
                metric = key.removeprefix("terms_")
                tables.setdefault(f"{cell.configuration.name}/crossed/{metric}", []).append(values)
    return {
        name: np.array([*crossed_mean(np.stack(table).astype(np.float64)), *np.shape(table)])
        for name, table in tables.items()
        if len(table) > 1
    }


def write_arrays(path: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    """Writes the arrays atomically; equal arrays give equal bytes.

    Args:
        path: the .npz file.
        arrays: what `pictured` returned. A name says whose they are and becomes part of a file's.
    """
    buffer = io.BytesIO()
    kept = {name: np.asarray(arrays[name]) for name in sorted(arrays)}
    np.savez_compressed(buffer, allow_pickle=False, **kept)
    write_atomically(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """Reads the arrays.

    Args:
        path: the .npz file.

    Returns:
        All of them by name; None where there is no such file.
    """
    if not path.exists():
        return None
    with np.load(path) as arrays:
        return dict(arrays)
