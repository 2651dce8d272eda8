"""The matrix language: a TOML file becomes validated configurations and cells.

A matrix has a base configuration, studies that vary one or more of its keys, and claims about
them. Everything is checked before anything runs; every mistake is a ``MatrixError`` of one line.

Example:
    >>> matrix = load("digits", overrides=["training.steps=10"], seeds=2)
    >>> matrix.studies[0].configurations
    ('base', 'latent_dim-4', 'latent_dim-8', 'latent_dim-16')
    >>> matrix.base["training"]["steps"]
    10
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from bench.errors import MatrixError, shown, unknown
from bench.matrix.claims import Claim, claims_of
from bench.matrix.components import MatrixName, Text, arguments
from bench.matrix.configurations import (
    DEFAULTS,
    Configuration,
    Study,
    alter,
    canonical,
    digest,
    expand,
    identity,
    resolve_all,
    sizes,
)
from bench.matrix.document import overridden, parsed
from bench.matrix.files import read
from bench.matrix.kept import KEPT, Kept, names_code, said
from bench.metrics.registry import METRICS, Metrics, own_metrics

__all__ = [
    "Cell",
    "Configuration",
    "Matrix",
    "MatrixError",
    "Study",
    "load",
    "parsed",
]

_MANY = 100_000  # cells of a matrix that nobody asks for by mistake
_MOST = 1_000_000  # cells of any matrix


@dataclass(frozen=True)
class Cell:
    """One configuration and one training seed.

    Attributes:
        id: hash of everything that decides the result, 16 hexadecimal digits.
        configuration: what is trained.
        seed: the training seed.
    """

    id: str
    configuration: Configuration
    seed: int


@dataclass(frozen=True)
class Matrix:
    """A matrix file, validated.

    Attributes:
        name: what its results are filed under.
        text: the file itself.
        seeds: replicates per configuration, seeds first_seed to first_seed + seeds - 1.
        block: replicates that train together; part of a cell's identity.
        timeout: limit for one job, in seconds.
        metric_paths: import paths of the user's own metrics.
        metrics: the suite's and those.
        base: the values of the base configuration.
        studies: in the order of the file.
        claims: in the order of the file.
        configurations: the base, then those of the studies, each once.
        order: name of the metric that orders the leaderboard; None for the suite's own order.
        first_seed: the first replicate. A seed trains in the block that it belongs to, whichever
            others are asked for, so that its results do not depend on where the seeds begin.
        replicates: the matrix whose claims it repeats elsewhere; None where it stands alone.
    """

    name: str
    text: str
    seeds: int
    block: int
    timeout: float
    metric_paths: tuple[str, ...]
    metrics: Metrics
    base: dict[str, Any]
    studies: tuple[Study, ...]
    claims: tuple[Claim, ...]
    configurations: tuple[Configuration, ...]
    order: str | None = None
    first_seed: int = 0
    replicates: str | None = None

    def cells(self, fingerprint: Callable[[dict[str, Any]], str]) -> list[Cell]:
        """Every configuration with every seed.

        Args:
            fingerprint: hash of the data behind a dataset table; called once per distinct table.

        Returns:
            The cells, by configuration, then seed. A cell's id hashes the canonical JSON of
            ``{values, block, data, seed}``.
        """
        prints: dict[str, str] = {}
        planned = []
        for configuration in self.configurations:
            values = configuration.values
            dataset = canonical(values["dataset"])
            if dataset not in prints:
                prints[dataset] = fingerprint(values["dataset"])
            head = f'{{"block":{self.block},"data":{canonical(prints[dataset])},"seed":'
            tail = f',"values":{identity(values)}}}'
            for seed in range(self.first_seed, self.first_seed + self.seeds):
                planned.append(Cell(digest(f"{head}{seed}{tail}")[:16], configuration, seed))
        return planned


@dataclass(frozen=True)
class _Header:
    name: MatrixName
    seeds: Annotated[int, Field(ge=1, le=10_000)] = 10
    first_seed: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    block: Annotated[int, Field(ge=1, le=10_000)] = 5
    timeout: Annotated[float, Field(gt=0, le=1e7)] = 3600.0
    metrics: tuple[str, ...] = ()
    order: Text | None = None
    replicates: MatrixName | None = None


_FIXED = re.compile(r"^[ \t]*fixed[ \t]*=.*\n?", re.MULTILINE)
"""Of a claim: the commit that fixed it."""


def load(
    matrix: str | Path,
    *,
    overrides: Sequence[str] = (),
    seeds: int | None = None,
    first_seed: int | None = None,
    metrics: Collection[str] | None = None,
    kept: Kept | None = None,
    large: bool = False,
) -> Matrix:
    """Read, validate and expand a matrix.

    Args:
        matrix: name of a shipped matrix, or the path of a TOML file.
        overrides: ``"KEY=VALUE"`` texts, VALUE in TOML; they change ``[base]``, or ``[matrix]``
            where KEY begins with ``"matrix."``. Where a study varies the same key, the study
            wins. A new ``prior.name`` keeps those options of the base that the new prior takes.
        seeds: instead of the matrix's own number of seeds.
        first_seed: instead of the matrix's own first seed.
        metrics: the known metrics, which claims are checked against; None accepts any name.
        kept: what stands in the place of a user's code; None imports what the matrix names.
        large: whether more than 100,000 cells are meant.

    Returns:
        The matrix.

    Raises:
        MatrixError: for every mistake in the file or the overrides.
    """
    header, changes = overridden(overrides)
    text = _changed(read(matrix), overrides) if changes else read(matrix)
    document = parsed(text, str(matrix))
    header = _table(document, "matrix") | header
    if seeds is not None:
        header["seeds"] = seeds
    if first_seed is not None:
        header["first_seed"] = first_seed
    settings = arguments("matrix.", header, _Header)
    if settings["replicates"] == settings["name"]:
        raise MatrixError(f"matrix.replicates: expected another matrix, got {settings['name']}")
    settings["metric_paths"] = tuple(settings.pop("metrics"))
    own = own_metrics(settings["metric_paths"]) if kept is None else kept.own
    names = None if metrics is None else {*metrics, *(metric.name for metric in own)}

    _check_count(_blocks(document, "study"), settings["seeds"], large)
    if kept is not None and names_code(document):
        studies, configurations = _kept(document, kept, str(matrix))
    else:
        studies, configurations = _expanded(document, changes)
    _check_order(settings["order"], METRICS.with_own(own), configurations)
    known = METRICS.with_own(own)
    claims = claims_of(
        _blocks(document, "claim"),
        studies,
        configurations,
        known,
        names,
        altered=bool(changes) or kept is not None,
    )
    return Matrix(
        **settings,
        text=text,
        metrics=known,
        base=configurations[0].values,
        studies=studies,
        claims=tuple(claims),
        configurations=configurations,
    )


def _changed(text: str, overrides: Sequence[str]) -> str:
    """The file of a matrix whose base was changed, which says so; no claim of it was fixed."""
    told = [f"# Changed by --set: {' '.join(one.split())}" for one in overrides]
    told += [
        "# What the file says of its own settings, below, need not hold; no claim was fixed.",
        "#",
    ]
    return "\n".join([*told, _FIXED.sub("", text)])


def _expanded(
    document: Mapping[str, Any], changes: Mapping[str, Any]
) -> tuple[tuple[Study, ...], tuple[Configuration, ...]]:
    """The studies and configurations of a matrix, by the signatures of its components."""
    given = _table(document, "base")
    tables = DEFAULTS | alter(DEFAULTS, given, "base.")
    base = resolve_all(tables, "base.")
    altered = alter(tables, changes, "--set ")
    base |= resolve_all(altered, "--set ")
    return expand(tables | altered, base, _blocks(document, "study"))


def _kept(
    document: Mapping[str, Any], kept: Kept, at: str
) -> tuple[tuple[Study, ...], tuple[Configuration, ...]]:
    """The same as a run kept them, where components would have to be imported."""
    if kept.expanded is None or kept.expanded.of != said(document):
        got = "none" if kept.expanded is None else "that of another matrix"
        raise MatrixError(
            f"{at}: expected {KEPT} of a run beside a matrix that names code, got {got}; run it"
        )
    return kept.expanded.studies, kept.expanded.configurations


def _check_count(blocks: Sequence[object], seeds: int, large: bool) -> None:
    """Counts the cells before any is made; those that two studies share count twice."""
    counts = sizes(blocks)
    configurations = sum(size for size, _ in counts)
    total = configurations * seeds
    if total <= (_MOST if large else _MANY):
        return
    at = "matrix.seeds" if seeds > configurations else max(counts)[1]
    got = f"{configurations:,} configurations with {seeds:,} seeds"
    if total > _MOST:
        raise MatrixError(f"{at}: expected at most {_MOST:,} cells in all, got {got}")
    raise MatrixError(
        f"{at}: expected at most {_MANY:,} cells in all, got {got}; --yes takes them on"
    )


def _check_order(
    order: str | None, metrics: Metrics, configurations: Iterable[Configuration]
) -> None:
    if order is None:
        return
    directed = sorted(name for name, metric in metrics.items() if metric.better)
    if order not in metrics:
        raise MatrixError(unknown("matrix.order", f"metric {shown(order)}", order, directed))
    if order not in directed:
        raise MatrixError(
            f"matrix.order: expected a metric with a direction, got {shown(order)}; "
            f"use one of {', '.join(directed)}"
        )
    sizes = {configuration.values["latent_dim"] for configuration in configurations}
    if len(sizes) > 1 and not metrics[order].across_dimensions:
        raise MatrixError(
            "matrix.order: expected a metric that can be compared across latent dimensions, got "
            f"{shown(order)} in a matrix of {len(sizes)} of them"
        )


def _table(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = document.get(key, {})
    if not isinstance(table, dict):
        raise MatrixError(f"{key}: expected a table [{key}], got {shown(table)}")
    return table


def _blocks(document: Mapping[str, Any], key: str) -> list[object]:
    blocks = document.get(key, [])
    if not isinstance(blocks, list):
        raise MatrixError(f"{key}: expected tables [[{key}]], got {shown(blocks)}")
    return blocks
