"""From a job to trained models: data, initialisation, training, or what is stored of them.

Training is most of the cost of a cell, so each trained model is kept in ``<results>/models/``,
under the hash of all that decides its training. It serves as long as the code that trains is the
same: other statistics, a new metric, other options of the measurement or a crash while measuring
need no second training.
"""

import hashlib
import io
import json
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.files import write_atomically
from bench.matrix.registry import component
from vaelib.datasets import Dataset, Splits
from vaelib.families import PointFamily
from vaelib.models import VAE
from vaelib.objectives import Objective
from vaelib.seeding import global_stream, stream
from vaelib.training import Outcome, Training, train

__all__ = ["Trained", "build_model", "build_objective", "dataset_of", "is_stored", "trained"]

Values = Mapping[str, Any]

_MEASURING = ("quality",)  # keys of a configuration that concern no training
_STATE = "state."  # before the names of a stored model's parameters and buffers


@dataclass(frozen=True)
class Trained:
    """One replicate after training.

    Attributes:
        model: in evaluation mode.
        outcome: what training did to it.
        split: its part of the data set.
        seed: its training seed.
        seconds: its share of the time that training took, whenever that was.
    """

    model: VAE
    outcome: Outcome
    split: Splits
    seed: int
    seconds: float


def _options(table: Values) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != "name"}


def dataset_of(table: Values) -> Dataset:
    """The data set of a configuration's ``dataset`` table, kept in memory once loaded."""
    return _load(table["name"], json.dumps(_options(table), sort_keys=True))


@cache
def _load(name: str, options: str) -> Dataset:
    loaded: Dataset = component("dataset", name)(**json.loads(options))
    return loaded


def build_model(values: Values, data_shape: Sequence[int], seed: int) -> VAE:
    """The untrained model of a configuration, initialised from its seed's own stream.

    Args:
        values: a resolved configuration.
        data_shape: shape of one data point.
        seed: the training seed.

    Returns:
        The model, on the CPU.
    """

    def make(family: str, *supplied: object) -> Any:  # noqa: ANN401
        table = values[family]
        return component(family, table["name"])(*supplied, **_options(table))

    size = values["latent_dim"]
    points = build_objective(values, 1, seed).deterministic
    with global_stream("initialisation", seed):
        return VAE(
            make("encoder", data_shape, 2 * size),
            make("prior", size),
            make("decoder", size, data_shape),
            make("likelihood", data_shape),
            PointFamily() if points else None,
        )


def build_objective(values: Values, points: int, seed: int) -> Objective:
    """What a configuration's model minimises, initialised from a stream of its own.

    Args:
        values: a resolved configuration.
        points: N, the training points.
        seed: the training seed.

    Returns:
        The objective, on the CPU.
    """
    table = values["objective"]
    with global_stream("objective initialisation", seed):
        made: Objective = component("objective", table["name"])(
            values["latent_dim"], points, **_options(table)
        )
    return made


def trained(job: Mapping[str, Any], data: Dataset, x: Tensor) -> dict[str, Trained]:
    """The models of the wanted cells: as they are stored, or trained together with their block.

    Args:
        job: as `bench.run.cell.run_block` takes it. Without ``trains`` nothing is read or stored.
        data: its data set.
        x: the data, shape (n, *data_shape), on the device to compute on.

    Returns:
        Cell id -> replicate, in the order of ``cells``.
    """
    stored = {cell: _stored(job, seed, data, x.device) for cell, seed in job["cells"].items()}
    known = {cell: replicate for cell, replicate in stored.items() if replicate is not None}
    if len(known) == len(stored):
        return known
    start = time.perf_counter()
    values, seeds = job["configuration"], list(job["block"])
    splits = [data.split(seed) for seed in seeds]
    models = [build_model(values, data.data_shape, seed) for seed in seeds]
    for model, split, seed in zip(models, splits, seeds, strict=True):
        model.prepare(x[split.train], stream("preparation", seed))
    outcomes = train(
        models,
        x,
        torch.stack([split.train for split in splits]),
        [
            build_objective(values, len(split.train), seed)
            for split, seed in zip(splits, seeds, strict=True)
        ],
        Training(**values["training"]),
        seeds,
    )
    for model, split, seed in zip(models, splits, seeds, strict=True):
        model.finish(x[split.train], stream("finish", seed))
    seconds = (time.perf_counter() - start) / len(seeds)
    block = {
        seed: Trained(model, outcome, split, seed, seconds)
        for model, outcome, split, seed in zip(models, outcomes, splits, seeds, strict=True)
    }
    fresh = {cell: block[seed] for cell, seed in job["cells"].items()}
    for replicate in fresh.values():
        _store(job, replicate)
    return fresh


def is_stored(job: Mapping[str, Any], seed: int) -> bool:
    """Whether a model of a job is stored and the code that trains is still the same.

    Args:
        job: as `trained` takes it.
        seed: the training seed.

    Returns:
        True where nothing needs training; damage inside the file shows when it is loaded.
    """
    if "trains" not in job:
        return False
    try:
        with _path(job, seed).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return str(arrays["trains"]) == str(job["trains"])
    except Exception:  # missing, or damaged in any way
        return False


def _store(job: Mapping[str, Any], replicate: Trained) -> None:
    """Keeps a model; one that cannot be kept is only a loss of time later."""
    if "trains" not in job or replicate.outcome.diverged_at is not None:
        return
    state = replicate.model.state_dict().items()
    buffer = io.BytesIO()
    try:
        np.savez(
            buffer,
            trains=job["trains"],
            seconds=replicate.seconds,
            losses=replicate.outcome.losses.numpy(),
            **{_STATE + name: tensor.cpu().numpy() for name, tensor in state},
        )
        write_atomically(_path(job, replicate.seed), buffer.getvalue())
    except (OSError, TypeError):  # a full disk, or numbers that numpy does not have
        with suppress(OSError):
            traceback.print_exc(file=sys.stderr)


def _stored(
    job: Mapping[str, Any], seed: int, data: Dataset, device: torch.device
) -> Trained | None:
    """A model as it was after training; None where it must be trained."""
    if not is_stored(job, seed):
        return None
    try:
        with _path(job, seed).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
        state = {
            name.removeprefix(_STATE): torch.from_numpy(array)
            for name, array in arrays.items()
            if name.startswith(_STATE)
        }
        model = build_model(job["configuration"], data.data_shape, seed)
        model.load_state_dict(state)
        outcome = Outcome(torch.from_numpy(arrays["losses"]), None)
        seconds = float(arrays["seconds"])
    except Exception:  # damaged bytes raise anything
        traceback.print_exc(file=sys.stderr)
        return None
    return Trained(model.to(device).eval(), outcome, data.split(seed), seed, seconds)


def _path(job: Mapping[str, Any], seed: int) -> Path:
    values = {k: table for k, table in job["configuration"].items() if k not in _MEASURING}
    identity = json.dumps([values, list(job["block"]), job.get("data", ""), seed], sort_keys=True)
    name = hashlib.sha256(identity.encode()).hexdigest()[:16]
    return Path(job["results"]) / "models" / f"{name}.npz"
