"""From a matrix to its jobs: what there is to run, and under which hash of the code."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import ForeignError, MatrixError, foreign, shown
from bench.matrix.configurations import canonical
from bench.matrix.language import Cell, Configuration, Matrix
from bench.run.code_roots import MEASURES, TRAINS, plugins
from bench.run.job import Job
from bench.run.models import forget_datasets
from bench.run.tryout import UnfitError, fingerprint, parameters
from vaelib.code_hash import code_digests, code_hash

__all__ = ["Plan", "fingerprints", "plan"]


@dataclass(frozen=True)
class Plan:
    """What a matrix asks for.

    Attributes:
        matrix: the matrix.
        folder: where its results go.
        cells: every configuration with every seed.
        jobs: one per configuration and block of seeds.
        codes: hash of the code of a job -> file -> its own hash.
    """

    matrix: Matrix
    folder: Path
    cells: list[Cell]
    jobs: list[Job]
    codes: dict[str, Mapping[str, str]]


def plan(
    matrix: Matrix,
    results: Path,
    device: str = "cpu",
    timeout: float | None = None,
    *,
    large: bool = False,
) -> Plan:
    """Load the data, build every model once and lay out the jobs; nothing is written.

    Args:
        matrix: a loaded matrix.
        results: the folder of all results; the matrix's own lies in it.
        device: where to train; ``"auto"`` leaves it to the worker.
        timeout: limit for one job in seconds, instead of the matrix's own.
        large: whether data and models of more than 2²⁸ numbers are meant.

    Returns:
        The plan.

    Raises:
        MatrixError: for a data set that cannot be read or parts that do not fit.
    """
    folder = results / matrix.name
    data = fingerprints(matrix, large=large)
    shared = {c.name: _shared(matrix, c, data, large) for c in matrix.configurations}
    cells = matrix.cells(lambda table: data[canonical(table)])
    blocks: dict[tuple[str, int], dict[str, int]] = {}
    for cell in cells:
        key = (cell.configuration.name, cell.seed // matrix.block)
        blocks.setdefault(key, {})[cell.id] = cell.seed
    jobs = [
        Job(
            function="bench.run.cell:run_block",
            name=name,
            block=tuple(range(number * matrix.block, (number + 1) * matrix.block)),
            cells=wanted,
            device=device,
            metrics=matrix.metric_paths,
            results=folder,
            place=str(Path.cwd()),
            timeout=matrix.timeout if timeout is None else timeout,
            **shared[name],
        )
        for (name, number), wanted in blocks.items()
    ]
    codes = {
        shared[c.name]["code"]: code_digests(MEASURES, _own(c, matrix.metric_paths))
        for c in matrix.configurations
    }
    return Plan(matrix, folder, cells, jobs, codes)


def _own(configuration: Configuration, measured: Sequence[str]) -> tuple[str, ...]:
    """What of a user's own decides the records of a configuration."""
    return (*plugins(configuration.values), *measured)


def fingerprints(matrix: Matrix, *, own: bool = True, large: bool = False) -> dict[str, str]:
    """The hash of each data set of a matrix, as it is now; each is read once.

    Those of the suite come first: no code of a user's own has run then but what an import runs.

    Args:
        matrix: a loaded matrix.
        own: whether data sets that are a user's own code count.
        large: whether data of more than 2²⁸ numbers are meant.

    Returns:
        ``dataset`` table as JSON -> fingerprint.

    Raises:
        MatrixError: for a data set that cannot be read.
    """
    found: dict[str, str] = {}
    if any("path" in c.values["dataset"] or _is_own(c) for c in matrix.configurations):
        forget_datasets()
    tables = {c.name: canonical(c.values["dataset"]) for c in matrix.configurations}
    for theirs in (False, True) if own else (False,):
        for configuration in matrix.configurations:
            table = tables[configuration.name]
            if table not in found and _is_own(configuration) == theirs:
                with _named(matrix, configuration):
                    found[table] = fingerprint(table, large=large)
    return found


def _is_own(configuration: Configuration) -> bool:
    """Whether a data set is a user's own code."""
    return ":" in configuration.values["dataset"]["name"]


def _shared(
    matrix: Matrix, configuration: Configuration, data: Mapping[str, str], large: bool
) -> dict[str, Any]:
    """What all jobs of a configuration have in common."""
    values = configuration.values
    with _named(matrix, configuration):
        count = parameters(canonical(values | {"training": None}), large=large)
    with foreign(f"{_key(matrix, configuration)}: cannot read the code of its components"):
        code = code_hash(MEASURES, _own(configuration, matrix.metric_paths))
        trains = code_hash(TRAINS, plugins(values))
    return {
        "configuration": values,
        "code": code,
        "trains": trains,
        "data": data[canonical(values["dataset"])],
        "cost": float(values["training"]["steps"] * count),
    }


@contextmanager
def _named(matrix: Matrix, configuration: Configuration) -> Iterator[None]:
    """Within the block an unfit part is an error that begins with its key in the file."""
    try:
        yield
    except UnfitError as error:
        kind = ForeignError if error.foreign else MatrixError
        key = _key(matrix, configuration, error.part)
        raise kind(f"{key}: {error.reason}") from error.__cause__


def _key(matrix: Matrix, configuration: Configuration, part: str = "") -> str:
    """Where a file says what a configuration is: its base, or a study that varies it."""
    if configuration.name == matrix.configurations[0].name or not configuration.studies:
        return f"base.{part}" if part else "base"
    study = next(one for one in matrix.studies if one.name == configuration.studies[0])
    varied = [key for key in study.keys if key.partition(".")[0] == part]
    at = f"study {shown(study.name)}, configuration {configuration.name}"
    return f"{at}: {' and '.join(varied) or part}" if part else at
