"""What ``vaebench run`` was asked for."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from bench.errors import UserError

__all__ = ["Request", "results_folder"]

_VARIABLE = "VAEBENCH_RESULTS"
_FOLDER = Path("vaebench-results")

_VALUED = ("seeds", "first_seed", "workers", "device", "executor", "timeout")
"""Options of one value."""


def results_folder(given: Path | None = None, part: str = "") -> Path:
    """Where results go.

    Args:
        given: what ``--results`` says, which wins.
        part: a folder below what is not given, for runs that are to be compared with it.

    Returns:
        The given folder; else that which ``VAEBENCH_RESULTS`` names, else ``vaebench-results``, or
        the part of it.
    """
    if given is not None:
        return given
    return Path(os.environ.get(_VARIABLE) or _FOLDER) / part


@dataclass(frozen=True)
class Request:
    """The options of ``vaebench run``.

    Attributes:
        matrix: name or path.
        results: folder of all results; that of `results_folder` where it is not given.
        seeds: instead of the matrix's own number.
        first_seed: instead of the matrix's own.
        workers: processes at once; one per core where None.
        device: auto, cpu or cuda.
        executor: ``"local"`` or the address of a scheduler, ``"dask://host:port"`` or, with the
            certificates of dask's configuration, ``"dask+tls://host:port"``.
        timeout: seconds for one job, instead of the matrix's own.
        overrides: ``"KEY=VALUE"`` texts.
        only: names of the configurations to run.
        study: names of the studies whose configurations are to run; all run where both are empty.
        allow_stale: keep what other code computed.
        dry_run: say what would run.
        yes: take on more cells, data and parameters than anybody asks for by mistake.

    Raises:
        UserError: for values that cannot be.
    """

    matrix: str
    results: Path = field(default_factory=results_folder)
    seeds: int | None = None
    first_seed: int | None = None
    workers: int | None = None
    device: str = "auto"
    executor: str = "local"
    timeout: float | None = None
    overrides: Sequence[str] = ()
    only: Sequence[str] = ()
    study: Sequence[str] = ()
    allow_stale: bool = False
    dry_run: bool = False
    yes: bool = False

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise UserError(f"--workers must be at least 1, got {self.workers}")
        if self.timeout is not None and not 0 < self.timeout <= 1e7:
            raise UserError(f"--timeout must be between 0 and 1e7 seconds, got {self.timeout:g}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise UserError(f"--device must be auto, cpu or cuda, got {self.device!r}")
        if self.executor == "local":
            return
        if not self.executor.startswith(("dask://", "dask+tls://")):
            raise UserError(
                "--executor must be local, dask://host:port or dask+tls://host:port, got "
                f"{self.executor!r}"
            )
        if self.workers is not None:
            raise UserError("--workers is for the local executor; a cluster has its own workers")

    def command(self, *more: str) -> str:
        """The command line that asks for the same, as one may paste it into a shell."""
        words = ["vaebench", "run", self.matrix]
        if self.results != _FOLDER or os.environ.get(_VARIABLE):
            words += ["--results", str(self.results)]
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name in _VALUED and value != option.default:
                words += [f"--{option.name.replace('_', '-')}", str(value)]
        for text in self.overrides:
            words += ["--set", text]
        if self.yes:
            words.append("--yes")
        return shlex.join([*words, *more])
