"""From a matrix to its results folder: plan the jobs, run them, write rows and provenance."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

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
from vaelib.seeding import stream

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
        train = data.split(0).train
        model = build_model(values, data.data_shape, 0)
        build_objective(values, len(train), 0).check(model)
        model.prepare(data.x[train], stream("preparation", 0))
        return sum(p.numel() for p in model.parameters())
    except (ValueError, TypeError, RuntimeError) as error:
        raise MatrixError(f"{name}: {error}") from error


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
    """The posteriors that the page draws: those of the base's first seed, where D is 2.

    Args:
        planned: a plan that has run.

    Returns:
        ``"<config>/mean"`` and ``"/scale"``, shape (N, 2), and ``"/labels"``, shape (N,), of the
        training inputs; nothing where there is nothing to draw.
    """
    base = planned.matrix.configurations[0]
    if base.values["latent_dim"] != 2:
        return {}
    first = next(cell for cell in planned.cells if cell.configuration.name == base.name)
    arrays = Store(planned.folder).arrays(first.id)
    return {
        f"{base.name}/{part}": arrays[f"train_{part}"]
        for part in ("mean", "scale", "labels")
        if f"train_{part}" in arrays
    }
