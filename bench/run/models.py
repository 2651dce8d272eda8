"""From a configuration to trained models: data, initialisation, training.

Nothing but what decides a trained model is imported here: the hash of this module and its imports
says whether a stored model is still what training would give (`bench.run.code_roots`).
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from bench.matrix.registry import component
from vaelib.datasets import Dataset, Splits
from vaelib.families import PointFamily
from vaelib.models import VAE
from vaelib.objectives import Objective
from vaelib.seeding import global_stream, stream
from vaelib.training import Training, TrainingOutcome, train

__all__ = [
    "Replicate",
    "build_model",
    "build_objective",
    "dataset_of",
    "forget_datasets",
    "train_block",
]

Values = Mapping[str, Any]

_HELD = 4  # data sets in memory


@dataclass(frozen=True)
class Replicate:
    """One replicate after training.

    Attributes:
        model: in evaluation mode.
        outcome: what training did to it.
        split: its part of the data set.
        seed: its training seed.
        seconds: its share of the time that training took, whenever that was.
    """

    model: VAE
    outcome: TrainingOutcome
    split: Splits
    seed: int
    seconds: float


def _options(table: Values) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != "name"}


def dataset_of(table: Values) -> Dataset:
    """The data set of a configuration's ``dataset`` table, kept in memory once loaded."""
    return _load(table["name"], json.dumps(_options(table), sort_keys=True))


def forget_datasets() -> None:
    """Loads every data set anew when it is asked for again: its files may have changed."""
    _load.cache_clear()


@lru_cache(_HELD)
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


def train_block(
    values: Values, seeds: Sequence[int], data: Dataset, x: Tensor
) -> dict[int, Replicate]:
    """Trains a block of replicates together.

    Args:
        values: a resolved configuration.
        seeds: the training seeds of the block.
        data: its data set.
        x: the data, shape (n, *data_shape), on the device to compute on.

    Returns:
        Seed -> replicate.
    """
    start = time.perf_counter()
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
        list(seeds),
    )
    for model, split, seed in zip(models, splits, seeds, strict=True):
        model.finish(x[split.train], stream("finish", seed))
    seconds = (time.perf_counter() - start) / len(seeds)
    return {
        seed: Replicate(model, outcome, split, seed, seconds)
        for model, outcome, split, seed in zip(models, outcomes, splits, seeds, strict=True)
    }
