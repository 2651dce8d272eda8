"""The results of one matrix: read once, decided once, then only looked at.

A report takes a `Results`. What follows from its rows alone is computed when it is first asked for
and kept, so that the leaderboard, the tables, the figures and the index say the same.
"""

import os
import re
import tomllib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from bench.analysis.arrays import read_arrays
from bench.analysis.changes import Change, changes
from bench.analysis.claims import Finding, decide
from bench.analysis.comparison import rankings
from bench.analysis.costs import Cost, costs
from bench.analysis.match import Match, match_of
from bench.analysis.replicates import (
    collapses,
    failures,
    measured_keys,
    remeasured,
    saturated,
    summarise,
)
from bench.analysis.sound import damage
from bench.errors import DamagedError, DamagedWarning, MatrixError, reason, shown
from bench.matrix.files import leading_comment
from bench.matrix.kept import Kept
from bench.matrix.kept import recall as recall_expanded
from bench.matrix.language import Matrix, load
from bench.metrics.registry import METRICS, Metrics, recall
from bench.rows import read_rows
from bench.run.kept_rows import check_written, checksums
from vaelib.reading import read_bytes

__all__ = ["Results"]

_Decided = TypeVar("_Decided")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # of matrices and configurations
_COLUMN = re.compile(r"\w+(\.\w+)*")


@dataclass(frozen=True, eq=False)
class Results:
    """What there is of one matrix, or of a part of its rows.

    Attributes:
        name: Of the matrix, and of its folder.
        rows: Tidy rows, without those of configurations that have not run.
        comment: The question, cost and last result that the matrix file opens with.
        matrix: The matrix with its claims; None where there is none or it cannot be read any more.
        arrays: What figures are drawn from, see `bench.analysis.arrays`; None without a file.
        metrics: Known metrics, the matrix's own among them.
        unrun: Names of the configurations of which no seed has run, where any has.
        original: What the matrix replicates; None where it replicates nothing or that has no rows.
    """

    name: str
    rows: pd.DataFrame
    comment: str = ""
    matrix: Matrix | None = None
    arrays: Mapping[str, np.ndarray] | None = None
    metrics: Metrics = METRICS
    unrun: tuple[str, ...] = ()
    original: "Results | None" = None

    @classmethod
    def read(cls, folder: Path, *, whole: bool = True) -> "Results":
        """Read the results of a matrix.

        Nothing that a matrix names is imported: own metrics are what ``metrics.json`` keeps of
        them, configurations with own components what ``configurations.json`` does. A matrix file
        that is TOML and no matrix of this version any more only costs its claims.

        Args:
            folder: Holds ``rows.csv`` and, if a run wrote them, ``matrix.toml``, ``metrics.json``,
                ``configurations.json``, ``arrays.npz`` and ``rows.json``, whose checksums are held
                against the others.
            whole: Whether to read the arrays too, and to insist on a readable matrix and readable
                own metrics; an index of many matrices does without, with a `DamagedWarning`.

        Returns:
            The results.

        Raises:
            DamagedError: Where a file is not what a run wrote.
            OSError: Where one cannot be read for now.
        """
        if not _NAME.fullmatch(folder.name):
            raise DamagedError(
                f"expected a folder that is called as a matrix may be, with 1 to 64 letters, "
                f"digits, - and _, got {folder}; rename it"
            )
        check_written(folder, checksums(folder))
        metrics, kept = METRICS, None
        try:
            metrics = recall(folder)
            kept = Kept(metrics.own, recall_expanded(folder))
        except DamagedError as error:
            _refuse(error, whole)
        comment, matrix = _matrix(folder / "matrix.toml", metrics, kept, whole)
        rows, unrun = _begun(_rows(folder / "rows.csv"))
        of = str(rows["matrix"].iloc[0]) if len(rows) else folder.name  # a copy is called otherwise
        return cls(
            name=folder.name,
            rows=rows,
            comment=comment,
            matrix=matrix,
            arrays=read_arrays(folder / "arrays.npz", of) if whole else None,
            metrics=metrics,
            unrun=unrun,
        )

    def part(self, rows: pd.DataFrame) -> "Results":
        """The same matrix with fewer rows."""
        return replace(self, rows=rows)

    @cached_property
    def studies(self) -> dict[str, "Results"]:
        """The part of every study, in the order of the rows; all rows where there is no study.

        Where configurations have not run, a study of which one alone has is none yet.
        """
        named = self.rows["study"].map(lambda text: text.split("; "))
        names = dict.fromkeys(study for studies in named for study in studies if study)
        parts = {
            name: self.part(self.rows[[name in studies for studies in named]]) for name in names
        }
        if self.unrun:
            parts = {name: part for name, part in parts.items() if len(part.configurations) > 1}
        return parts or ({"all configurations": self} if len(self.rows) else {})

    @cached_property
    def datasets(self) -> dict[str, "Results"]:
        """The part of every data set, in the order of the rows."""
        grouped = self.rows.groupby("dataset", sort=False)
        return {str(data): self.part(rows) for data, rows in grouped}

    @cached_property
    def findings(self) -> list[Finding]:
        """What the seeds say about each claim, in the order of the matrix."""
        if self.matrix is None or not self.matrix.claims:
            return []
        base: dict[str | None, tuple[str, ...]] = {None: (self.matrix.configurations[0].name,)}
        studies = base | {study.name: study.configurations for study in self.matrix.studies}
        return decide(self.rows, self.matrix.claims, studies, self.metrics)

    @cached_property
    def models(self) -> "Results":
        """The part without what measures the models of another configuration once more."""
        return self.part(self.rows[~self.rows["config"].isin(remeasured(self.rows))])

    @cached_property
    def matches(self) -> list[Match]:
        """How many configurations match the prior, one decision for each data set."""
        return [match_of(part.rows, data) for data, part in self.models.datasets.items()]

    @cached_property
    def costs(self) -> dict[str, Cost]:
        """What sampling from the prior costs, of the configurations whose images were measured.

        Those that have collapsed are left out: their samples are all alike.
        """
        dead = self.collapses("test")["apart"]
        found = costs(self.models.rows)
        return {name: one for name, one in found.items() if not dead.get(name, False)}

    @cached_property
    def changes(self) -> list[tuple[str, Change]]:
        """What each study changes, by its name, one data set after another."""
        return [
            (study, change)
            for study, part in self.studies.items()
            for one in part.datasets.values()
            for change in changes(one.rows)
        ]

    @cached_property
    def failures(self) -> pd.DataFrame:
        """One row for each cell without a result, as `bench.analysis.replicates.failures`."""
        return failures(self.rows)

    @cached_property
    def cells(self) -> int:
        """Pairs of a configuration and a seed."""
        return len(self.rows.drop_duplicates(["config", "seed"]))

    @cached_property
    def configurations(self) -> list[str]:
        """Names in the order of the rows."""
        return [str(name) for name in self.rows["config"].unique()]

    @cached_property
    def measured_keys(self) -> set[tuple[str, str, str]]:
        """Every (metric, split, source) with a value or p-value, of the known metrics."""
        return measured_keys(self.rows, self.metrics)

    def ranking(self, metric: str, split: str, source: str = "") -> pd.DataFrame:
        """As `bench.analysis.comparison.rankings`, of a metric by its name."""
        return self._once(rankings, self.metrics.named(metric), split, source)

    def summary(self, metric: str, split: str, source: str = "") -> pd.DataFrame:
        """As `bench.analysis.replicates.summarise`."""
        return self._once(summarise, metric, split, source)

    def saturated(self, split: str) -> list[str]:
        """As `bench.analysis.replicates.saturated`."""
        return self._once(saturated, split)

    def collapses(self, split: str) -> pd.DataFrame:
        """As `bench.analysis.replicates.collapses`."""
        return self._once(collapses, split)

    @cached_property
    def _kept(self) -> dict[tuple[object, ...], Any]:
        return {}

    def _once(self, decided: Callable[..., _Decided], *arguments: object) -> _Decided:
        key = (decided, *arguments)
        if key not in self._kept:
            self._kept[key] = decided(self.rows, *arguments)
        kept: _Decided = self._kept[key]
        return kept


def _begun(rows: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows of configurations of which a seed has run, all where none has; and the others."""
    ran = rows["status"].ne("missing").groupby(rows["config"], sort=False).any()
    if ran.all() or not ran.any():
        return rows, ()
    begun = rows[rows["config"].isin(ran.index[ran])].reset_index(drop=True)
    return begun, tuple(map(str, ran.index[~ran]))


def _rows(path: Path) -> pd.DataFrame:
    """Rows that a run wrote, all of them."""
    try:
        rows = read_rows(path)
        if what := damage(rows, str(path)):
            raise ValueError(f"expected {what}; write it anew")
        names = [str(name) for name in rows["config"].unique() if not _NAME.fullmatch(str(name))]
        names += [str(name) for name in rows.columns if not _COLUMN.fullmatch(str(name))]
        if names:
            raise ValueError(
                f"expected names that a matrix can have in {path}, got {shown(names[0])}; "
                "write it anew"
            )
        seeds = rows.groupby("config", sort=False)["seed"].agg(set)
        if len(few := seeds[seeds.map(len) < seeds.map(len).max()]):
            most = seeds.map(len).max()
            raise ValueError(
                f"expected {most} seeds of every configuration in {path}, got "
                f"{len(few.iloc[0])} of {few.index[0]}; write it anew"
            )
    except (OSError, ValueError) as error:
        why = reason(error)
        raise DamagedError(why if str(path) in why else f"{path}: {why}") from error
    return rows


def _matrix(
    file: Path, metrics: Metrics, kept: Kept | None, whole: bool
) -> tuple[str, Matrix | None]:
    """The comment of a matrix file, and the matrix, as far as they can be read."""
    if not os.path.lexists(file):
        return "", None
    try:
        text = read_bytes(file).decode("utf-8-sig")
        document = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        sentence = f"expected the matrix in {file}, got something else ({reason(error)})"
        _refuse(DamagedError(f"{sentence}; run the matrix again"), whole)
        return "", None
    if kept is None:  # damaged, which has been said
        return leading_comment(text), None
    try:
        return leading_comment(text), load(file, metrics=metrics, kept=kept, large=True)
    except MatrixError as error:
        if document:
            _warn(f"{file} is no matrix of this version, so its claims are left out: {error}")
        return leading_comment(text), None


def _refuse(error: DamagedError, whole: bool) -> None:
    if whole:
        raise error
    _warn(str(error))


def _warn(text: str) -> None:
    warnings.warn(text, DamagedWarning, stacklevel=3)
