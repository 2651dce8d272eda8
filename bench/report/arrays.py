"""The small arrays that figures are drawn from."""

import numpy as np

from bench.analysis.quantiles import marginal_quantiles
from bench.run.plan import Plan
from bench.run.store import Store

__all__ = ["pictured"]


def pictured(planned: Plan) -> dict[str, np.ndarray]:
    """What the page draws beyond its rows, from the first seed.

    Args:
        planned: a plan that has run.

    Returns:
        Of the training inputs of the base, where D is 2: ``"<config>/mean"`` and ``"/scale"``,
        shape (N, 2), and ``"/labels"``, shape (N,). Of every configuration:
        ``"<config>/samples/<source>"``, images, and, with the standard normal prior, of the test
        inputs ``"<config>/quantiles"``, shape (D, quantiles).
    """
    store, base = Store(planned.folder), planned.matrix.configurations[0]
    out: dict[str, np.ndarray] = {}
    firsts = {cell.configuration.name: cell for cell in reversed(planned.cells)}
    for name, cell in firsts.items():
        arrays = store.arrays(cell.id)
        if name == base.name and base.values["latent_dim"] == 2:
            parts = [part for part in ("mean", "scale", "labels") if f"train_{part}" in arrays]
            out |= {f"{name}/{part}": arrays[f"train_{part}"] for part in parts}
        if "test_mean" in arrays and cell.configuration.values["prior"]["name"] == "normal":
            found = marginal_quantiles(arrays["test_mean"], arrays["test_scale"])
            out[f"{name}/quantiles"] = found.astype(np.float32)
        for key, images in arrays.items():
            if key.startswith("samples_"):
                out[f"{name}/samples/{key.removeprefix('samples_')}"] = images
    return out
