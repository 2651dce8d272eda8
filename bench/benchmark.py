"""From a matrix to its results folder: plan the jobs, run them, write rows and provenance."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.cell import build_model, build_objective, dataset_of
from bench.components import MatrixError
from bench.executors import Executor, Job
from bench.matrix import Cell, Matrix
from bench.metrics import METRICS
from bench.progress import Progress
from bench.provenance import provenance
from bench.rows import csv_bytes, rows
from bench.runner import Summary, run
from bench.store import Store, write_atomically
from vaelib.models import VAE
from vaelib.quality import Quality, check

__all__ = ["Plan", "benchmark", "pictured", "plan"]


@dataclass(frozen=True)
class Plan:
    """What a matrix asks for.

    Attributes:
        matrix: the matrix.
        folder: where its results go.
        cells: every configuration with every seed.
        jobs: one per configuration and block of seeds.
    """

    matrix: Matrix
    folder: Path
    cells: list[Cell]
    jobs: list[Job]


def plan(matrix: Matrix, results: Path, device: str = "cpu") -> Plan:
    """Load the data, build every model once and lay out the jobs; nothing is written.

    Args:
        matrix: a loaded matrix.
        results: the folder of all results; the matrix's own lies in it.
        device: where to train.

    Returns:
        The plan.

    Raises:
        MatrixError: for a data set that cannot be read or parts that do not fit.
    """
    folder = results / matrix.name
    weights = {c.name: _parameters(c.name, c.values) for c in matrix.configurations}
    cells = matrix.cells(lambda table: dataset_of(table).fingerprint)
    blocks: dict[tuple[str, int], dict[str, int]] = {}
    for cell in cells:
        key = (cell.configuration.name, cell.seed // matrix.block)
        blocks.setdefault(key, {})[cell.id] = cell.seed
    values = {c.name: c.values for c in matrix.configurations}
    jobs: list[Job] = [
        {
            "function": "bench.cell:run_block",
            "name": name,
            "configuration": values[name],
            "block": list(range(number * matrix.block, (number + 1) * matrix.block)),
            "cells": wanted,
            "device": device,
            "results": str(folder),
            "timeout": matrix.timeout,
            "cost": float(values[name]["training"]["steps"] * weights[name]),
        }
        for (name, number), wanted in blocks.items()
    ]
    return Plan(matrix, folder, cells, jobs)


def _parameters(name: str, values: dict[str, Any]) -> int:
    """Number of parameters of the configuration's model, which proves that it can be built."""
    try:
        data = dataset_of(values["dataset"])
        check(data, Quality(**values["quality"]))
        build_objective(values, len(data.split(0).train), 0)
        model = build_model(values, data.data_shape, 0)
        _check_shapes(model, data.data_shape)
        return sum(p.numel() for p in model.parameters())
    except (ValueError, TypeError, RuntimeError) as error:
        raise MatrixError(f"{name}: {error}") from error


@torch.no_grad()
def _check_shapes(model: VAE, data_shape: tuple[int, ...]) -> None:
    """Raises a ValueError where the networks do not fit the data."""
    mean, _ = model.encode(torch.zeros(2, *data_shape))
    images = model.decode(torch.zeros(2, model.latent_dim))
    for name, found, wanted in (
        ("encoder must return a mean", mean, (model.latent_dim,)),
        ("decoder must return data", images, data_shape),
    ):
        if tuple(found.shape[1:]) != wanted:
            raise ValueError(f"the {name} of shape {wanted}, got {tuple(found.shape[1:])}")


def benchmark(planned: Plan, executor: Executor, progress: Progress, workers: int) -> Summary:
    """Run what a plan lacks, then write ``rows.csv``, ``matrix.toml``, ``provenance.json``.

    Args:
        planned: the plan.
        executor: where to run.
        progress: told what happens.
        workers: processes that run at once, for the provenance.

    Returns:
        What became of every cell.
    """
    start = datetime.now(UTC)
    store = Store(planned.folder)
    with store.lock():
        summary = run(planned.jobs, store, executor, progress)
        units = {name: metric.unit for name, metric in METRICS.items()}
        frame = rows(planned.matrix.name, planned.cells, store, units)
        _update(planned.folder / "rows.csv", csv_bytes(frame))
        _update(planned.folder / "matrix.toml", planned.matrix.text.encode())
        if set(summary.statuses) != summary.cached:
            device = planned.jobs[0]["device"]
            record = provenance(start, workers=workers, device=device)
            text = json.dumps(record, indent=2) + "\n"
            write_atomically(planned.folder / "provenance.json", text.encode())
    return summary


def _update(path: Path, data: bytes) -> None:
    """Write a file unless it holds the same already, so that its age says when it changed."""
    if not path.is_file() or path.read_bytes() != data:
        write_atomically(path, data)


def pictured(planned: Plan) -> dict[str, np.ndarray]:
    """What the page draws, of the first seed: the base's posterior where D is 2, and all samples.

    Args:
        planned: a plan that has run.

    Returns:
        ``"<config>/mean"`` and ``"/scale"``, shape (N, 2), and ``"/labels"``, shape (N,), of the
        training inputs; ``"<config>/samples/<source>"``, images; nothing where there is nothing to
        draw.
    """
    base, store = planned.matrix.configurations[0], Store(planned.folder)
    drawn: dict[str, np.ndarray] = {}
    for cell in planned.cells:
        if cell.seed:
            continue
        name, arrays = cell.configuration.name, store.arrays(cell.id)
        if name == base.name and base.values["latent_dim"] == 2:
            parts = [part for part in ("mean", "scale", "labels") if f"train_{part}" in arrays]
            drawn |= {f"{name}/{part}": arrays[f"train_{part}"] for part in parts}
        for key, images in arrays.items():
            if key.startswith("samples_"):
                drawn[f"{name}/samples/{key.removeprefix('samples_')}"] = images
    return drawn
