"""How long a run will take: from what the same folder has recorded, else from the model's size."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from bench.run.job import Job
from bench.run.model_store import is_stored
from bench.run.staleness import CellState

__all__ = ["estimate"]

_START = 4.0  # seconds until the workers have imported torch
_PER_CELL, _PER_COST = 1.0, 1.5e-8  # seconds, and seconds per unit of a job's cost, on one core
_MEASURING = 0.3  # of a cell's time, where nothing is known


def estimate(jobs: Sequence[Job], states: Mapping[str, CellState], workers: int) -> float:
    """Estimates the wall time of the cells that are to run.

    Args:
        jobs: what is left to run, with the wanted cells alone.
        states: cell id -> what is recorded, of all cells of the matrix.
        workers: jobs at once.

    Returns:
        Seconds; 0 where nothing is left.
    """
    if not jobs:
        return 0.0
    totals, measuring = _means(states.values(), "seconds"), _means(states.values(), "spent")
    sizes = {job.name: job.cost for job in jobs}
    seen = [(totals[name], _guess(cost)) for name, cost in sizes.items() if name in totals]
    pace = sum(took for took, _ in seen) / sum(guess for _, guess in seen) if seen else 1.0
    seconds = []
    for job in jobs:
        name, wanted = job.name, len(job.cells)
        total = totals.get(name, pace * _guess(job.cost))
        measure = min(total, measuring.get(name, _MEASURING * total))
        if all(is_stored(job, seed) for seed in job.cells.values()):
            seconds.append(wanted * measure)
        else:  # the whole block trains, whoever is wanted
            seconds.append(len(job.block) * (total - measure) + wanted * measure)
    return _START + max(max(seconds), sum(seconds) / workers)


def _guess(cost: float) -> float:
    return _PER_CELL + _PER_COST * cost


def _means(cells: Iterable[CellState], field: str) -> dict[str, float]:
    """Mean of a field by configuration, where it is known and more than zero."""
    values: dict[str, list[float]] = defaultdict(list)
    for cell in cells:
        value = getattr(cell, field)
        if cell.state != "failed" and math.isfinite(value) and value > 0:
            values[cell.name].append(value)
    return {name: sum(seconds) / len(seconds) for name, seconds in values.items()}
