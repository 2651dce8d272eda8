"""From a matrix to its jobs: what there is to run, and under which hash of the code."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from bench.errors import MatrixError
from bench.matrix.configurations import canonical
from bench.matrix.language import Cell, Configuration, Matrix
from bench.run.code_roots import MEASURES, TRAINS, plugins
from bench.run.job import Job
from bench.run.models import build_model, build_objective, dataset_of
from vaelib.code_hash import code_digests, code_hash
from vaelib.models import VAE
from vaelib.samples.options import Quality
from vaelib.samples.quality import check
from vaelib.seeding import stream

__all__ = ["Plan", "plan"]

_KNOWN = 4096  # configurations whose models need not be built a second time


@dataclass(frozen=True)
class Plan:
    """What a matrix asks for.

    Attributes:
        matrix: the matrix.
        folder: where its results go.
        cells: every configuration with every seed.
        jobs: one per configuration and block of seeds.
        codes: hash of the code of a job -> file -> its own hash.
    """

    matrix: Matrix
    folder: Path
    cells: list[Cell]
    jobs: list[Job]
    codes: dict[str, Mapping[str, str]]


def plan(matrix: Matrix, results: Path, device: str = "cpu", timeout: float | None = None) -> Plan:
    """Load the data, build every model once and lay out the jobs; nothing is written.

    Args:
        matrix: a loaded matrix.
        results: the folder of all results; the matrix's own lies in it.
        device: where to train; ``"auto"`` leaves it to the worker.
        timeout: limit for one job in seconds, instead of the matrix's own.

    Returns:
        The plan.

    Raises:
        MatrixError: for a data set that cannot be read or parts that do not fit.
    """
    folder = results / matrix.name
    shared = {c.name: _shared(c, matrix.metric_paths) for c in matrix.configurations}
    cells = matrix.cells(lambda table: dataset_of(table).fingerprint)
    blocks: dict[tuple[str, int], dict[str, int]] = {}
    for cell in cells:
        key = (cell.configuration.name, cell.seed // matrix.block)
        blocks.setdefault(key, {})[cell.id] = cell.seed
    jobs = [
        Job(
            function="bench.run.cell:run_block",
            name=name,
            block=tuple(range(number * matrix.block, (number + 1) * matrix.block)),
            cells=wanted,
            device=device,
            metrics=matrix.metric_paths,
            results=folder,
            place=str(Path.cwd()),
            timeout=matrix.timeout if timeout is None else timeout,
            **shared[name],
        )
        for (name, number), wanted in blocks.items()
    ]
    codes = {
        shared[c.name]["code"]: code_digests(MEASURES, _own(c, matrix.metric_paths))
        for c in matrix.configurations
    }
    return Plan(matrix, folder, cells, jobs, codes)


def _own(configuration: Configuration, measured: Sequence[str]) -> tuple[str, ...]:
    """What of a user's own decides the records of a configuration."""
    return (*plugins(configuration.values), *measured)


def _shared(configuration: Configuration, measured: Sequence[str]) -> dict[str, Any]:
    """What all jobs of a configuration have in common."""
    values = configuration.values
    try:
        parameters = _parameters(canonical(values | {"training": None}))
    except (ValueError, TypeError, RuntimeError) as error:
        raise MatrixError(f"{configuration.name}: {error}") from error
    return {
        "configuration": values,
        "code": code_hash(MEASURES, _own(configuration, measured)),
        "trains": code_hash(TRAINS, plugins(values)),
        "data": dataset_of(values["dataset"]).fingerprint,
        "cost": float(values["training"]["steps"] * parameters),
    }


@lru_cache(_KNOWN)
def _parameters(text: str) -> int:
    """Number of parameters of a configuration's model, which proves that it can be built."""
    values = json.loads(text)
    data = dataset_of(values["dataset"])
    check(data, Quality(**values["quality"]))
    train = data.split(0).train
    model = build_model(values, data.data_shape, 0)
    build_objective(values, len(train), 0).check(model)
    _check_shapes(model, data.data_shape)
    model.prepare(data.x[train], stream("preparation", 0))
    return sum(p.numel() for p in model.parameters())


@torch.no_grad()
def _check_shapes(model: VAE, data_shape: tuple[int, ...]) -> None:
    """Raises a ValueError where the networks do not fit the data."""
    mean, _ = model.encode(torch.zeros(2, *data_shape))
    images = model.decode(torch.zeros(2, model.latent_dim))
    for name, output, wanted in (
        ("encoder must return a mean", mean, (model.latent_dim,)),
        ("decoder must return data", images, data_shape),
    ):
        if tuple(output.shape[1:]) != wanted:
            raise ValueError(f"the {name} of shape {wanted}, got {tuple(output.shape[1:])}")
