"""Raw KL, finite-N null and excess of encoders whose population is the prior."""

import math
from typing import Any

import numpy as np

from bench.calibration.samples import matched_encoder
from bench.calibration.task import Task
from vaelib.priors import Normal
from vaelib.stats.divergences import decompose, leave_one_out_kl
from vaelib.stats.finite_sample import is_saturated, marginal_kl_floor, marginal_kl_null

__all__ = ["excess_rows", "excess_tasks"]

_SCALES = (0.9, 0.5, 0.2, 0.05)
_DIMENSIONS = (2, 8, 16)
_COUNTS = (200, 1000)
_NULLS = 10


def excess_tasks(quick: bool) -> list[Task]:
    """Encoders over D, N and scale.

    Args:
        quick: N = 200 and three encoders alone, fewer repetitions.

    Returns:
        The tasks.
    """
    if quick:
        return [Task("excess", f"{d}|200|{s:g}", 20) for d, s in ((2, 0.5), (2, 0.05), (8, 0.2))]
    return [
        Task("excess", f"{d}|{n}|{s:g}", 150 if n < 1000 else 50)
        for d in _DIMENSIONS
        for n in _COUNTS
        for s in _SCALES
    ]


def excess_rows(task: Task) -> list[dict[str, Any]]:
    """Run one task.

    Args:
        task: Of this subject.

    Returns:
        One row: means over encoders and their standard errors, nats; true is 0.
    """
    d, n, s = task.name.split("|")
    dimensions, count, scale = int(d), int(n), float(s)
    prior, generator, found = Normal(dimensions), task.generator, []
    for _ in range(task.repetitions):
        q = matched_encoder(count, dimensions, scale, generator)
        parts = decompose(q, prior, generator)
        null = marginal_kl_null(q, generator, _NULLS)
        low, _ = leave_one_out_kl(q, prior, generator, draws=1)
        found.append([parts.rate, parts.marginal_kl, null.mean, null.excess(parts)[0], low])
    means = np.mean(found, 0)
    errors = np.std(found, 0, ddof=1) / math.sqrt(len(found))
    row: dict[str, Any] = {"D": dimensions, "N": count, "scale": scale, "again": task.again}
    row |= {"repetitions": task.repetitions, "log_N": math.log(count)}
    for place, name in enumerate(("rate", "marginal_kl", "null", "excess", "loo")):
        row |= {name: float(means[place]), f"{name}_error": float(errors[place])}
    floor, flag = marginal_kl_floor(means[0], count), is_saturated(means[0], count)
    return [row | {"floor": floor, "saturated": bool(flag)}]
