"""Every estimator against its oracle: one task per case."""

import functools
import math

import numpy as np

from bench.calibration.cases.case import Case
from bench.calibration.cases.distances import distance_cases
from bench.calibration.cases.divergences import divergence_cases
from bench.calibration.cases.exact import exact_cases
from bench.calibration.experiments import Estimation
from bench.calibration.task import Rows, Task

__all__ = ["EXACT", "estimator_cases", "estimator_row", "estimator_tasks"]

EXACT = 1e-6
"""Largest error of an exact estimator."""


@functools.cache
def estimator_cases() -> dict[Estimation, Case]:
    """All cases by their experiments."""
    cases = [*divergence_cases(), *exact_cases(), *distance_cases()]
    return {Estimation(case.estimator, case.setting): case for case in cases}


def estimator_tasks(quick: bool) -> list[Task[Estimation]]:
    """One task per case.

    Args:
        quick: A tenth of the repetitions.

    Returns:
        The tasks.
    """
    share = 10 if quick else 1
    return [
        Task(estimation, case.repetitions // share)
        for estimation, case in estimator_cases().items()
    ]


def estimator_row(task: Task[Estimation]) -> Rows:
    """Run one task.

    Args:
        task: Of this subject.

    Returns:
        One row: mean and standard error of the estimates, largest error, and how many of the
        printed standard errors (``printed`` of them) cover the oracle at 1.96.
    """
    case, generator = estimator_cases()[task.experiment], task.generator
    estimates = np.array([case.estimate(generator) for _ in range(task.repetitions)])
    oracle, (values, errors) = case.oracle(), estimates.T
    covered = np.abs(values - oracle) < 1.96 * errors
    return [
        {
            "estimator": case.estimator,
            "setting": case.setting,
            "promise": case.promise,
            "oracle": oracle,
            "source": case.origin,
            "again": task.again,
            "repetitions": len(values),
            "mean": float(values.mean()),
            "error": float(values.std(ddof=1)) / math.sqrt(len(values)),
            "largest": float(np.abs(values - oracle).max()),
            "printed": int(np.isfinite(errors).sum()),
            "covered": int(covered.sum()),
        }
    ]
