"""A job: one configuration and the seeds that train together, as it travels to a worker."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bench.run.code_roots import plugins

__all__ = ["Job"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker needs to know; processes exchange it as a plain dictionary.

    Attributes:
        function: import path of what runs it: job -> one `bench.run.record.CellResult` per wanted
            cell.
        name: of the configuration.
        configuration: its values.
        block: the seeds that train together.
        cells: cell id -> seed, of those whose records are wanted.
        code: hash of the code that decides the records.
        trains: hash of the code that trains; models that were stored under it are not trained
            again. Without one nothing is read or stored.
        results: the matrix's folder, of records, models and logs. Nulls and feature nets are kept
            in ``cache`` beside it, or where ``VAEBENCH_CACHE`` says.
        timeout: limit in seconds.
        device: where to compute; ``"auto"``: on what the worker's machine has.
        data: fingerprint of the data set.
        metrics: import paths of a user's own metrics.
        place: the folder from which relative paths in the configuration begin; where empty, that
            in which the worker runs.
        cost: an estimate; only its order matters.
    """

    function: str
    name: str
    configuration: Mapping[str, Any]
    block: tuple[int, ...]
    cells: Mapping[str, int]
    code: str
    results: Path
    timeout: float
    trains: str = ""
    device: str = "cpu"
    data: str = ""
    metrics: tuple[str, ...] = ()
    place: str = ""
    cost: float = 0.0

    @property
    def has_own_code(self) -> bool:
        """Whether code of a user's own runs in it: a component of its configuration, a metric."""
        return bool(self.metrics or plugins(self.configuration))

    @property
    def log(self) -> Path:
        """Where its output goes: ``<results>/logs/<name>-<first seed>.log``."""
        return self.results / "logs" / f"{self.name}-{min(self.block)}.log"

    def without(self, done: Collection[str]) -> "Job | None":
        """The same job for the cells that are left.

        Args:
            done: ids of cells that are not wanted any more.

        Returns:
            The job; None where no cell is left.
        """
        left = {cell: seed for cell, seed in self.cells.items() if cell not in done}
        return replace(self, cells=left) if left else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data: texts, numbers, lists and dictionaries; paths do not depend on a folder."""
        return asdict(self) | {
            "block": list(self.block),
            "metrics": list(self.metrics),
            "results": str(self.results.absolute()),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Job":
        """The job that `to_dict` wrote.

        Args:
            values: plain data.

        Returns:
            The job.

        Raises:
            ValueError: for keys that no job has or that are absent, and values of other types.
        """
        names = {field.name for field in fields(cls)}
        if odd := sorted(set(values) ^ names):
            raise ValueError(
                f"a job must have the keys {', '.join(sorted(names))}, got other or absent ones: "
                f"{', '.join(odd)}; is the worker of another version?"
            )
        job: Job = TypeAdapter(cls).validate_python(dict(values))
        return job
