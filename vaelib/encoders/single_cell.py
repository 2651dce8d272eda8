"""Models in the manner of scvi-tools, with their AnnData, and their modules with minibatches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from vaelib.arguments.plain import kind_of
from vaelib.encoders.batches import is_anndata
from vaelib.encoders.modes import unwrapped
from vaelib.encoders.seen import seen

__all__ = ["as_scvi", "of_scvi", "of_scvi_module"]

_METHOD = "get_latent_representation"


def as_scvi(model: Any) -> Any:  # noqa: ANN401
    """The model in the manner of scvi-tools that something is.

    Args:
        model: any; also the method ``get_latent_representation`` of such a model.

    Returns:
        The model, or None.
    """
    if getattr(model, "__name__", "") == _METHOD:
        model = getattr(model, "__self__", None)
    has = callable(getattr(model, _METHOD, None)) and not isinstance(model, type)
    return model if has else None


def of_scvi(model: Any, data: Any, batch_size: int) -> tuple[Any, str, str]:  # noqa: ANN401
    """Posteriors of cells, as such a model gives them.

    Args:
        model: of :func:`as_scvi`.
        data: AnnData, a DataLoader of the model's own minibatches, or None for what the model was
            trained on.
        batch_size: cells at once.

    Returns:
        What the model returned; what its second part is, ``"variance"`` or ``"z"``; and a sentence
        for whoever reads the result.

    Raises:
        TypeError: for data of another kind.
        ValueError: for a model that gives means alone.
    """
    method = getattr(model, _METHOD)
    options = inspect.signature(method).parameters
    given: dict[str, Any] = {"batch_size": batch_size} if "batch_size" in options else {}
    if isinstance(data, DataLoader) and "dataloader" in options:
        given = {"dataloader": data}
    elif data is None or is_anndata(data) or type(data).__name__ == "MuData":
        given |= {"adata": data} if "adata" in options else {}
    else:
        raise TypeError(
            f"data of {kind_of(model)} must be its AnnData, or None for what it was trained on, "
            f"got {seen(data)}; encode(model, adata)"
        )
    if "return_dist" in options:
        return method(**given, return_dist=True), "variance", ""
    if "give_mean" not in options:
        raise ValueError(
            f"{_METHOD} of {kind_of(model)} must have return_dist or give_mean, got "
            f"{', '.join(options) or 'neither'}: means alone are no z; hand over model.module with "
            "a DataLoader of its minibatches"
        )
    given["give_mean"] = False
    note = (
        f"{_METHOD} of {kind_of(model)} has no return_dist, so one z of each cell was taken, and "
        "the scales are 0: the answer can be a no, never a yes"
    )
    return np.asarray(method(**given)), "z", note


def of_scvi_module(model: Any) -> Callable[[Any], Any] | None:  # noqa: ANN401
    """How the module of such a model encodes the minibatches of its loaders.

    Args:
        model: any.

    Returns:
        A function of a minibatch, which is a dictionary; None where the model is no such module.
    """
    module = unwrapped(model)
    prepare, infer = (getattr(module, name, None) for name in ("_get_inference_input", "inference"))
    if not (callable(prepare) and callable(infer)):
        return None

    def call(batch: Any) -> Any:  # noqa: ANN401
        if not isinstance(batch, Mapping):
            raise TypeError("its loader gives dictionaries; or encode(model, adata)")
        return infer(**prepare(batch))

    return call
