"""Raw KL, finite-N null and excess of encoders whose population is the prior."""

import math

import numpy as np

from bench.calibration.experiments import Excess
from bench.calibration.samples import matched_encoder
from bench.calibration.task import Rows, Task
from vaelib.priors import Normal
from vaelib.stats.divergences import decompose, leave_one_out_kl
from vaelib.stats.finite_sample import is_saturated, marginal_kl_floor, marginal_kl_null

__all__ = ["excess_rows", "excess_tasks"]

_SCALES = (0.9, 0.5, 0.2, 0.05)
_DIMENSIONS = (2, 8, 16)
_COUNTS = (200, 1000)
_NULLS = 10
_ESTIMATES = ("rate", "marginal_kl", "null", "excess", "loo")


def excess_tasks(quick: bool) -> list[Task[Excess]]:
    """Encoders over D, N and scale.

    Args:
        quick: N = 200 and three encoders alone, fewer repetitions.

    Returns:
        The tasks.
    """
    if quick:
        return [Task(Excess(d, 200, s), 20) for d, s in ((2, 0.5), (2, 0.05), (8, 0.2))]
    return [
        Task(Excess(d, n, s), 150 if n < 1000 else 50)
        for d in _DIMENSIONS
        for n in _COUNTS
        for s in _SCALES
    ]


def excess_rows(task: Task[Excess]) -> Rows:
    """Run one task.

    Args:
        task: Of this subject.

    Returns:
        One row: means over encoders and their standard errors, nats; true is 0.
    """
    setting, generator, estimates = task.experiment, task.generator, []
    prior = Normal(setting.dimensions)
    for _ in range(task.repetitions):
        q = matched_encoder(setting.inputs, setting.dimensions, setting.scale, generator)
        kl = decompose(q, prior, generator)
        null = marginal_kl_null(q, generator, _NULLS)
        low, _ = leave_one_out_kl(q, prior, generator, draws=1)
        estimates.append([kl.rate, kl.marginal_kl, null.mean, null.excess(kl)[0], low])
    means = np.mean(estimates, 0)
    errors = np.std(estimates, 0, ddof=1) / math.sqrt(len(estimates))
    row = {
        "D": setting.dimensions,
        "N": setting.inputs,
        "scale": setting.scale,
        "again": task.again,
        "repetitions": task.repetitions,
        "log_N": math.log(setting.inputs),
    }
    for name, mean, error in zip(_ESTIMATES, means, errors, strict=True):
        row |= {name: float(mean), f"{name}_error": float(error)}
    rate = means[0]
    row |= {
        "floor": marginal_kl_floor(rate, setting.inputs),
        "saturated": bool(is_saturated(rate, setting.inputs)),
    }
    return [row]
