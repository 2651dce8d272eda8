"""The tasks of the calibration: which experiment, how often, and from which random stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Generic, TypeVar

import torch

from bench.calibration.experiments import EXPERIMENTS, Experiment
from vaelib.seeding import stream

__all__ = ["Result", "Rows", "Task"]

Rows = list[dict[str, Any]]
"""Rows of one of the tables of raw numbers."""

AnyExperiment = TypeVar("AnyExperiment", bound=Experiment, covariant=True)


@dataclass(frozen=True)
class Task(Generic[AnyExperiment]):
    """A number of repetitions of one experiment, to be run somewhere.

    Attributes:
        experiment: Which.
        repetitions: How many.
        part: Parts of one experiment draw from streams of their own.
        again: 0; 1 where the experiment is repeated because its first run fell out of its band.
    """

    experiment: AnyExperiment
    repetitions: int
    part: int = 0
    again: int = 0

    @property
    def generator(self) -> torch.Generator:
        """The stream of this task, at its start."""
        experiment = self.experiment
        return stream(f"validate {experiment.subject} {experiment.name} {self.part}", self.again)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; ``kind`` names the experiment's class."""
        return asdict(self) | {"kind": type(self.experiment).__name__}

    @staticmethod
    def from_dict(entries: Mapping[str, Any]) -> Task[Experiment]:
        """The task that `to_dict` wrote.

        Args:
            entries: What it wrote, no key more and none less.

        Returns:
            The task.

        Raises:
            ValueError: where keys are unknown or missing, or the experiment is.

        Example:
            >>> from bench.calibration.experiments import Excess
            >>> task = Task(Excess(dimensions=2, inputs=200, scale=0.5), repetitions=20)
            >>> Task.from_dict(task.to_dict()) == task
            True
        """
        settings = dict(entries)
        kind = settings.pop("kind", None)
        if kind not in EXPERIMENTS:
            raise ValueError(f"expected a kind of {sorted(EXPERIMENTS)}, got {kind!r}")
        _check_keys(Task, settings)
        _check_keys(EXPERIMENTS[kind], settings["experiment"])
        return Task(**settings | {"experiment": EXPERIMENTS[kind](**settings["experiment"])})


Result = tuple[Task[Experiment], Rows]
"""A task and what it found."""


def _check_keys(kind: type, settings: Mapping[str, Any]) -> None:
    expected = sorted(field.name for field in fields(kind))
    if sorted(settings) != expected:
        raise ValueError(f"{kind.__name__}: expected the keys {expected}, got {sorted(settings)}")
