"""What the printed intervals, rankings and gates do: coverage and familywise error."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from bench.calibration.audited import AUDITED, audited
from bench.calibration.experiments import AuditedEncoder, Statement
from bench.calibration.statements import INTERVALS, Held
from bench.calibration.task import Rows, Task

__all__ = ["APPROXIMATE", "interval_rows", "interval_tasks"]

APPROXIMATE = 0.05
"""How far an interval that is approximate may stay below its nominal coverage."""


def interval_tasks(quick: bool) -> Sequence[Task[Statement | AuditedEncoder]]:
    """One task per statement, and one per audited encoder.

    Args:
        quick: Fewer repetitions.

    Returns:
        The tasks.
    """
    statements = [
        Task(statement, interval.quick_repetitions if quick else interval.repetitions)
        for statement, interval in INTERVALS.items()
    ]
    encoders = AUDITED[:1] if quick else AUDITED
    return [*statements, *(Task(encoder, 12 if quick else 200) for encoder in encoders)]


def interval_rows(task: Task[Statement | AuditedEncoder]) -> Rows:
    """Run one task.

    Args:
        task: Of this subject.

    Returns:
        One row per statement: how often it held.
    """
    return [
        {
            "what": held.what,
            "setting": held.setting,
            "nominal": held.nominal,
            "promise": held.promise,
            "again": task.again,
            "repetitions": held.repetitions,
            "held": held.times,
        }
        for held in _held(task.experiment, task.repetitions, task.generator)
    ]


def _held(
    experiment: Statement | AuditedEncoder, repetitions: int, generator: torch.Generator
) -> Iterable[Held]:
    if isinstance(experiment, AuditedEncoder):
        return audited(experiment, repetitions, generator)
    seed = int(torch.randint(2**62, (), generator=generator))
    return [INTERVALS[experiment].held(np.random.default_rng(seed), repetitions)]
