"""The whole path of one configuration: data, models, training, posteriors, measurements."""

import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.components import component
from vaelib.audit import Measurement, audit
from vaelib.datasets import Dataset, Splits
from vaelib.families import PointFamily
from vaelib.models import VAE
from vaelib.objectives import Objective
from vaelib.seeding import global_stream, stream
from vaelib.stats.bounds import evidence_lower_bound, point_reconstruction
from vaelib.stats.nulls import NormalNull
from vaelib.training import Outcome, Training, train

__all__ = ["build_model", "build_objective", "dataset_of", "run_block"]

Values = Mapping[str, Any]


def _options(table: Values) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != "name"}


def dataset_of(table: Values) -> Dataset:
    """The data set of a configuration's ``dataset`` table, kept in memory once loaded."""
    return _load(table["name"], tuple(sorted(_options(table).items())))


@cache
def _load(name: str, options: tuple[tuple[str, Any], ...]) -> Dataset:
    loaded: Dataset = component("dataset", name)(**dict(options))
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


def run_block(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Train a block of replicates together and measure those that are wanted.

    Args:
        job: ``configuration`` (resolved values), ``block`` (the seeds that train together),
            ``cells`` (cell id -> seed, of those whose records are wanted), ``device``,
            ``results`` (the matrix's folder; simulated nulls are kept in ``cache`` beside it).

    Returns:
        One record per wanted cell: status, message, seconds, measurements and arrays.
    """
    start = time.perf_counter()
    values, seeds, device = job["configuration"], list(job["block"]), torch.device(job["device"])
    data = dataset_of(values["dataset"])
    splits = [data.split(seed) for seed in seeds]
    models = [build_model(values, data.data_shape, seed) for seed in seeds]
    x = data.x.to(device)
    for model, split, seed in zip(models, splits, seeds, strict=True):
        model.prepare(data.x[split.train], stream("preparation", seed))
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
    null = NormalNull(folder=Path(job["results"]).parent / "cache" / "nulls")
    shared = (time.perf_counter() - start) / len(seeds)
    records = []
    for cell, seed in job["cells"].items():
        place = seeds.index(seed)
        start = time.perf_counter()
        record = _measure(models[place], outcomes[place], data, x, splits[place], seed, null)
        record |= {"cell": cell, "seconds": shared + time.perf_counter() - start}
        records.append(record)
    return records


def _measure(
    model: VAE,
    outcome: Outcome,
    data: Dataset,
    x: Tensor,
    split: Splits,
    seed: int,
    null: NormalNull,
) -> dict[str, Any]:
    if outcome.diverged_at is not None:
        message = f"the loss was not finite at step {outcome.diverged_at}"
        return {"status": "diverged", "message": message, "measurements": []}
    parts = {"train": split.train, "test": split.test}
    model.finish(x[split.train], stream("finish", seed))
    posteriors = {}
    for name, index in parts.items():
        mean, scale = model.posterior(x[index])
        posteriors[name] = mean.cpu(), scale.cpu()
    mean, scale = posteriors["train"]
    with torch.no_grad():
        prior = model.resolved_prior()
    rows = audit(mean, scale, prior, posteriors["test"], seed=seed, null=null)
    for name, index in parts.items():
        rows += _bounds(model, x[index], name, seed)
    arrays = {
        f"{name}_{part}": tensor.numpy()
        for name, pair in posteriors.items()
        for part, tensor in zip(("mean", "scale"), pair, strict=True)
    }
    if data.labels is not None:
        arrays |= {f"{name}_labels": data.labels[index].numpy() for name, index in parts.items()}
    return {
        "status": "ok",
        "message": "",
        "measurements": [row.__dict__ for row in rows],
        "arrays": arrays,
    }


def _bounds(model: VAE, x: Tensor, split: str, seed: int) -> list[Measurement]:
    if model.family == PointFamily():
        undefined = "not defined: a deterministic encoder has no evidence lower bound"
        return [
            Measurement(split, "elbo", None, message=undefined),
            Measurement(split, "reconstruction", point_reconstruction(model, x)),
        ]
    bound = evidence_lower_bound(model, x, stream(f"elbo {split}", seed))
    return [
        Measurement(split, "elbo", bound.elbo, bound.standard_error),
        Measurement(split, "reconstruction", bound.reconstruction, bound.reconstruction_error),
    ]
