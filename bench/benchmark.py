"""From a matrix to its results folder: plan the jobs, run them, write rows and provenance."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.configurations import canonical
from bench.errors import MatrixError
from bench.executors import Executor
from bench.files import write_atomically
from bench.matrix import Cell, Configuration, Matrix
from bench.metrics import METRICS
from bench.own_metrics import register, remember
from bench.progress import Progress
from bench.provenance import provenance
from bench.quantile_figure import marginal_quantiles
from bench.rows import csv_bytes, rows
from bench.runner import run
from bench.sources import MEASURES, TRAINS, plugins
from bench.store import Store
from bench.summary import Summary
from bench.trained import build_model, build_objective, dataset_of
from bench.worker import Job
from vaelib.models import VAE
from vaelib.quality import check
from vaelib.quality_options import Quality
from vaelib.seeding import stream
from vaelib.sources import code_hash

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
    shared = {c.name: _shared(c, matrix.metrics) for c in matrix.configurations}
    cells = matrix.cells(lambda table: dataset_of(table).fingerprint)
    blocks: dict[tuple[str, int], dict[str, int]] = {}
    for cell in cells:
        key = (cell.configuration.name, cell.seed // matrix.block)
        blocks.setdefault(key, {})[cell.id] = cell.seed
    jobs: list[Job] = [
        {
            "function": "bench.cell:run_block",
            "name": name,
            "block": list(range(number * matrix.block, (number + 1) * matrix.block)),
            "cells": wanted,
            "device": device,
            "metrics": list(matrix.metrics),
            "results": str(folder),
            "timeout": matrix.timeout if timeout is None else timeout,
            **shared[name],
        }
        for (name, number), wanted in blocks.items()
    ]
    return Plan(matrix, folder, cells, jobs)


def _shared(configuration: Configuration, measured: Sequence[str]) -> dict[str, Any]:
    """What all jobs of a configuration have in common."""
    values = configuration.values
    try:
        parameters = _parameters(canonical(values | {"training": None}))
    except (ValueError, TypeError, RuntimeError) as error:
        raise MatrixError(f"{configuration.name}: {error}") from error
    own = plugins(values)
    return {
        "configuration": values,
        "code": code_hash(MEASURES, (*own, *measured)),
        "trains": code_hash(TRAINS, own),
        "data": dataset_of(values["dataset"]).fingerprint,
        "cost": float(values["training"]["steps"] * parameters),
    }


@cache
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
    for name, found, wanted in (
        ("encoder must return a mean", mean, (model.latent_dim,)),
        ("decoder must return data", images, data_shape),
    ):
        if tuple(found.shape[1:]) != wanted:
            raise ValueError(f"the {name} of shape {wanted}, got {tuple(found.shape[1:])}")


def benchmark(
    planned: Plan,
    executor: Executor,
    progress: Progress,
    *,
    only: Collection[str] = (),
    keep_stale: bool = False,
) -> Summary:
    """Run what a plan lacks, then write ``rows.csv``, ``matrix.toml``, ``provenance.json``.

    Args:
        planned: the plan.
        executor: where to run.
        progress: told what happens.
        only: names of the configurations to run, what diverged of them too; all by default. The
            rows are those of the whole plan in any case.
        keep_stale: take the results of other code as they are.

    Returns:
        What became of every cell that was to run.
    """
    start = datetime.now(UTC)
    store = Store(planned.folder)
    jobs = [job for job in planned.jobs if not only or job["name"] in only]
    with store.lock():
        summary = run(jobs, store, executor, progress, keep_stale=keep_stale, again=bool(only))
        units = {name: metric.unit for name, metric in METRICS.items()}
        codes = {cell: job["code"] for job in planned.jobs for cell in job["cells"]}
        frame = rows(planned.matrix.name, planned.cells, store, units, codes)
        _update(planned.folder / "rows.csv", csv_bytes(frame))
        _update(planned.folder / "matrix.toml", planned.matrix.text.encode())
        remember(planned.folder, [m.name for m in register(planned.matrix.metrics)])
        if set(summary.statuses) != summary.cached:
            device = planned.jobs[0]["device"]
            record = provenance(start, workers=executor.workers, device=device)
            text = json.dumps(record, indent=2) + "\n"
            write_atomically(planned.folder / "provenance.json", text.encode())
    return summary


def _update(path: Path, data: bytes) -> None:
    """Write a file unless it holds the same already, so that its age says when it changed."""
    if not path.is_file() or path.read_bytes() != data:
        write_atomically(path, data)


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
