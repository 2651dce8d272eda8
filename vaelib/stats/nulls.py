"""Null laws under N(0, I), simulated once, and the result of a test.

The prior is known, so a test of it needs no permutations: its statistic is computed on B samples
of N(0, I), and the observed value is ranked among them. That takes longer than the test, depends
on nothing but n and D, and is therefore kept.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vaelib.arguments.plain import as_count, as_integer, as_seed, check_flag, check_kind
from vaelib.arguments.tensors import as_number, as_tensor
from vaelib.code_hash import code_hash
from vaelib.sealed import keep, recall
from vaelib.stats.checks import check_positive

__all__ = ["NormalNull", "NullStatistic", "SignificanceResult", "largest_standardized", "p_value"]

_BATCH = 1 << 16  # pairs of rows in the draws that are computed together
_HELD = 256  # null distributions in memory
_Key = tuple[object, ...]
_MEMORY: dict[_Key, Tensor] = {}


@dataclass(frozen=True)
class SignificanceResult:
    """What a test says.

    Attributes:
        statistic: The test statistic: the larger, the further from the null.
        p_value: Its p-value, in (0, 1].
        draws: Null draws or permutations behind the p-value; 0 where the law is known.
        per_dimension: Holm-adjusted p-value of each dimension, where a test has them.
    """

    statistic: float
    p_value: float
    draws: int
    per_dimension: tuple[float, ...] = ()


class NullStatistic(NamedTuple):
    """A statistic of n points of N(0, I) in D dimensions, whose null law is wanted.

    Attributes:
        name: Its name; with the other fields but the function it identifies the draws.
        function: Maps samples of shape (b, n, D), or what is shared of them, to values of shape
            (b, K).
        rows: n, the rows of each sample.
        dimensions: D.
        parameters: Whatever else it depends on, such as bandwidths.
    """

    name: str
    function: Callable[[Any], Tensor]
    rows: int
    dimensions: int
    parameters: tuple[float, ...] = ()


@dataclass(frozen=True)
class NormalNull:
    """Draws of a statistic under N(0, I), cached.

    The draws come from a fixed seed and nothing else, so that a p-value is the same whenever and
    wherever it is computed. Kept in memory for the life of the process, and in ``folder`` if given.

    Attributes:
        draws: B, the number of draws; the smallest p-value is 1 / (1 + B). Over the draws a test
            has its level exactly; given them its level is itself a draw, at .05 of B = 999 with
            standard deviation .007, at .01 with .003, and the same for all who share n and D.
        seed: Seed of the draws.
        folder: Where to keep them between processes; None keeps them in memory alone.
        keeps: Whether what is simulated is kept in the folder, too; else it is only read.
    """

    draws: int = 999
    seed: int = 2018
    folder: Path | None = None
    keeps: bool = True

    def __post_init__(self) -> None:
        """Check the number of draws.

        Raises:
            TypeError: If it is no integer, nor the seed, the folder no path, or `keeps` no truth.
            ValueError: If there are too few of them.
        """
        as_seed(self.seed)
        folder: object = self.folder
        if folder is not None and not isinstance(folder, str):
            check_kind(folder, Path, "folder")
        check_flag(self.keeps, "keeps")
        if as_integer(self.draws, "draws") < 19:
            raise ValueError(f"draws must be at least 19 (p = .05 at best), got {self.draws}")

    def of(
        self,
        name: str,
        statistic: Callable[[Tensor], Tensor],
        rows: int,
        dimensions: int,
        parameters: tuple[float, ...] = (),
    ) -> Tensor:
        """Draw a statistic under N(0, I), or read it back.

        Args:
            name: The fields of a `NullStatistic`, one after another.
            statistic: Its function.
            rows: n.
            dimensions: D.
            parameters: Of the statistic.

        Returns:
            The draws, shape (B, K), float64. Do not edit them.
        """
        wanted = NullStatistic(name, statistic, rows, dimensions, parameters)
        return self.together([wanted])[0]

    def together(
        self, wanted: Iterable[NullStatistic], *, shared: Callable[[Tensor], object] | None = None
    ) -> list[Tensor]:
        """Draw several statistics, those of as many rows and dimensions of the same samples.

        Each gets the draws that it gets alone; the samples, which can cost as much as a statistic
        of them, are made once.

        Args:
            wanted: The statistics.
            shared: What all get of samples of shape (b, n, D), to compute once what they have in
                common; they themselves without.

        Returns:
            Their draws, each of shape (B, K), float64. Do not edit them.
        """
        statistics = list(wanted)
        found: dict[_Key, Tensor] = {}
        missing: dict[tuple[int, int], dict[_Key, NullStatistic]] = {}
        for one in statistics:
            if (known := self._known(one)) is not None:
                found[self._key(one)] = known
            else:
                missing.setdefault((one.rows, one.dimensions), {})[self._key(one)] = one
        for (rows, dimensions), group in missing.items():
            functions = [one.function for one in group.values()]
            drawn = self._simulate(functions, rows, dimensions, shared)
            for (key, one), draws in zip(group.items(), drawn, strict=True):
                found[key] = draws
                path, identity = self._place(one)
                if path and self.keeps:
                    keep(path, {"draws": draws.numpy()}, identity)
        for key in found.keys() - _MEMORY.keys():
            while len(_MEMORY) >= _HELD:
                del _MEMORY[next(iter(_MEMORY))]
            _MEMORY[key] = found[key]
        return [found[self._key(one)] for one in statistics]

    def _known(self, one: NullStatistic) -> Tensor | None:
        """Draws in memory, then kept in the folder too, or in the folder."""
        (path, identity), known = self._place(one), _MEMORY.get(self._key(one))
        if path and known is None:
            kept = recall(path, identity)
            return None if kept is None else _draws(kept, self.draws)
        if path and known is not None and self.keeps and not os.path.exists(path):
            keep(path, {"draws": known.numpy()}, identity)
        return known

    def _key(self, one: NullStatistic) -> _Key:
        return (one.name, one.rows, one.dimensions, one.parameters, self.draws, self.seed)

    def _place(self, one: NullStatistic) -> tuple[Path | None, dict[str, str]]:
        """Where draws are kept, and what their file says that they are."""
        if self.folder is None:  # the hash of the code takes seconds in a new process
            return None, {}
        key = self._key(one)
        code = code_hash(getattr(one.function, "__module__", ""))
        identity = {"null": repr(key), "code": code}
        return Path(self.folder) / _file_name(key, identity), identity

    def _simulate(
        self,
        statistics: Sequence[Callable[[Any], Tensor]],
        rows: int,
        dimensions: int,
        shared: Callable[[Tensor], object] | None,
    ) -> list[Tensor]:
        """Draw statistics in batches small enough to stay in the processor's cache."""
        generator = torch.Generator().manual_seed(self.seed)
        size, values = max(1, _BATCH // rows**2), []
        for start in range(0, self.draws, size):
            shape = (min(size, self.draws - start), rows, dimensions)
            z = torch.randn(shape, generator=generator, dtype=torch.float64)
            sample = z if shared is None else shared(z)
            values.append([statistic(sample) for statistic in statistics])
        return [torch.cat(drawn) for drawn in zip(*values, strict=True)]


def p_value(statistic: float, null: Tensor, *, tolerance: float = 0.0) -> float:
    """Rank a statistic among draws of its null law.

    Args:
        statistic: The observed value; infinity is above every draw.
        null: Draws under the null, shape (B,).
        tolerance: Draws so little below the observed value count as ties with it, for statistics
            whose equal values differ by rounding.

    Returns:
        (1 + #{null >= statistic}) / (1 + B): ties are counted, and it is never 0.

    Raises:
        ValueError: If the statistic is NaN, which no draw would reach, or there are no draws.
    """
    statistic, tolerance = as_number(statistic, "statistic"), as_number(tolerance, "tolerance")
    null = as_tensor(null, "null")
    if null.dim() != 1:
        raise ValueError(f"null must have shape (B,), got {tuple(null.shape)}")
    as_count(len(null), "draws of the null", 1)
    if math.isnan(statistic):
        raise ValueError("statistic must be a number, got NaN")
    return (1 + int((null >= statistic - tolerance).sum())) / (1 + len(null))


def largest_standardized(
    observed: Tensor, null: Tensor, *, floor: float = 1e-300
) -> tuple[float, Tensor]:
    """Combine K statistics into one by the largest, with the same done to every null draw.

    Each is standardised by the mean and standard deviation of its null draws. Choosing the largest
    on the data alone would reject too often; done inside each draw it costs nothing.

    Args:
        observed: Observed statistics, shape (K,).
        null: Their draws under the null, shape (B, K).
        floor: The least standard deviation to divide by.

    Returns:
        The largest of the observed, and that of each draw, shape (B,), in standard deviations.

    Raises:
        ValueError: If there are fewer than 2 draws.
    """
    observed, null = as_tensor(observed, "observed", "K"), as_tensor(null, "null")
    if null.dim() != 2 or null.shape[1] != len(observed):
        wanted = f"(B, {len(observed)})"
        raise ValueError(f"null must have shape {wanted}, got {tuple(null.shape)}")
    as_count(len(null), "draws of the null", 2)
    floor = check_positive(floor, "floor")
    mean, deviation = null.mean(0), null.std(0).clamp(min=floor)
    largest = ((observed - mean) / deviation).max()
    return float(largest), ((null - mean) / deviation).amax(-1)


def _file_name(key: _Key, identity: Mapping[str, str]) -> str:
    """A readable file name that no two keys share, and no two versions of the statistic's code."""
    name, rows, dimensions = key[:3]
    digest = hashlib.sha256(repr(sorted(identity.items())).encode()).hexdigest()[:16]
    return f"{name}-n{rows}-D{dimensions}-{digest}.npz"


def _draws(kept: Mapping[str, np.ndarray], count: int) -> Tensor | None:
    """Draws as a file keeps them; None where they can be no draws of a statistic."""
    values = kept.get("draws", np.empty(0))
    if values.ndim != 2 or len(values) != count or values.dtype != np.float64:
        return None
    return torch.from_numpy(values) if np.isfinite(values).all() else None
