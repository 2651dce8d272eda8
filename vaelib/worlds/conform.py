"""Runs an estimator or a bound of KL(q‖N(0, I)) on worlds whose KL is known, and judges it.

For authors of other suites: hand over a function, read a word for each world.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vaelib.arguments.plain import as_count, check_callable, shown
from vaelib.worlds.expected import band
from vaelib.worlds.given import FITTED, HELD_OUT, as_number, calling, draws
from vaelib.worlds.named import world, worlds
from vaelib.worlds.words import FAULTS, KINDS, Kind, word_for
from vaelib.worlds.world import World

__all__ = ["SEEDS", "Conformance", "Found", "conform"]

SEEDS = 5
"""Draws of each world."""

_MOST = 1000  # seeds
_LONGEST = 160  # characters of what a function says


@dataclass(frozen=True)
class Found:
    """What a function returned in one world, and the word for it.

    Attributes:
        world: its name.
        dimensions: D.
        kl: KL(q‖p) in nats.
        low: what must not be gone below, in nats: the end of the band, or the KL; None where there
            is no such end.
        high: what must not be exceeded.
        values: in nats, one for each seed that was answered.
        word: one of `FAULTS`, or "right" of an estimate, "holds" of a bound, "refuses" where fewer
            than two seeds were answered, "no posteriors" where the function wants what the world
            has none of.
        note: what the function said where it first refused; empty where it did not.
    """

    world: str
    dimensions: int
    kl: float
    low: float | None
    high: float | None
    values: tuple[float, ...]
    word: str
    note: str = ""

    @property
    def mean(self) -> float:
        """Of the values, in nats; nan where there is none."""
        return float(np.mean(self.values)) if self.values else math.nan

    @property
    def spread(self) -> float:
        """Their standard deviation, in nats; nan of fewer than two."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else math.nan


@dataclass(frozen=True)
class Conformance:
    """What a function returned in every world. Prints as a table.

    Attributes:
        kind: what it was said to be.
        seeds: draws of each world.
        rows: one for each world, in their order.
    """

    kind: Kind
    seeds: int
    rows: tuple[Found, ...]

    @property
    def deviates(self) -> tuple[Found, ...]:
        """The worlds whose word is one of `FAULTS`."""
        return tuple(row for row in self.rows if row.word in FAULTS)

    @property
    def ok(self) -> bool | None:
        """Whether nothing deviates; None where nothing was answered."""
        if not any(row.values for row in self.rows):
            return None
        return not self.deviates

    @property
    def sentence(self) -> str:
        """How many worlds deviate, and how."""
        counts = {word: sum(row.word == word for row in self.rows) for word in self._words()}
        told = ", ".join(f"{word} in {count}" for word, count in counts.items())
        count = len(self.rows)
        return f"Of {count} world{'s' if count > 1 else ''}: {told}."

    def _words(self) -> list[str]:
        return list(dict.fromkeys(row.word for row in self.rows))

    def __str__(self) -> str:
        heads = ("world", "D", "KL", "mean", "sd", "word")
        lines = [heads, *(self.cells(row) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        texts = [
            "  ".join(
                cell.ljust(width) if place in (0, 5) else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([*texts, self.sentence])

    def cells(self, row: Found) -> tuple[str, str, str, str, str, str]:
        """A row as people read it.

        Args:
            row: one of them.

        Returns:
            The world, D, its KL, the mean and the standard deviation of the values, the word.
        """
        numbers = (row.kl, row.mean, row.spread)
        kl, mean, spread = ("–" if math.isnan(one) else f"{one:.4g}" for one in numbers)
        return row.world, str(row.dimensions), kl, mean, spread, row.word

    def document(self) -> dict[str, Any]:
        """For programs.

        Returns:
            An object under a schema with a version; what is not known is None.
        """
        return {
            "schema": {"name": "vaebench.conform", "version": 1},
            "kind": self.kind,
            "seeds": self.seeds,
            "n": HELD_OUT,
            "N": FITTED,
            "ok": self.ok,
            "sentence": self.sentence,
            "rows": [
                {
                    "world": row.world,
                    "D": row.dimensions,
                    "kl": row.kl,
                    "low": row.low,
                    "high": row.high,
                    "values": list(row.values),
                    "mean": None if math.isnan(row.mean) else row.mean,
                    "sd": None if math.isnan(row.spread) else row.spread,
                    "word": row.word,
                    "note": row.note,
                }
                for row in self.rows
            ],
        }


def conform(
    function: Callable[..., Any],
    kind: Kind = "estimate",
    names: Sequence[str] | None = None,
    seeds: int = SEEDS,
    tell: Callable[[str], object] | None = None,
) -> Conformance:
    """Run a function on worlds whose KL is known.

    Args:
        function: returns KL(q‖N(0, I)) in nats, or a bound of it. It is called by the names of its
            parameters, of which `vaelib.worlds.given.NAMES` lists what there is: ``z`` of shape
            (n, D), its posteriors ``mean`` and ``scale``, ``train_z`` and the like of other inputs
            to fit to, ``seed``, ``generator``; one that takes a single argument gets z. What it
            raises, or what is not finite, counts as a refusal.
        kind: "estimate", whose mean over seeds must lie in the band of the world; "lower" or
            "upper", a bound of level .975, which may lie beyond the KL as often as its level says.
        names: of the worlds; all where None.
        seeds: draws of each world, from 2 to 1,000.
        tell: is given the name of each world before it begins.

    Returns:
        A row for each world.

    Raises:
        ValueError: for arguments that cannot be, or a function that wants others than there are.
        TypeError: for what is no function, or one that returns what is no number.

    Example:
        >>> from vaelib.worlds.conform import conform
        >>> def moments(z):  # the KL of the Gaussian of that mean and covariance
        ...     c = z.T.cov()
        ...     return 0.5 * (c.trace() + z.mean(0).square().sum() - len(c) - c.logdet())
        >>> print(conform(moments, names=["N(0, 2 I), D = 2", "banana"]))
        world             D      KL     mean        sd  word
        N(0, 2 I), D = 2  2  0.3069   0.3338   0.02582  right
        banana            6  0.2027  0.01463  0.003915  biased low
        Of 2 worlds: right in 1, biased low in 1.
    """
    check_callable(function, "function")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {shown(kind)}")
    count = as_count(seeds, "seeds", 2)
    if count > _MOST:
        raise ValueError(f"seeds must be at most {_MOST:,}, got {count:,}")
    chosen = _chosen(names)
    call, rows = calling(function), []
    for one in chosen:
        if tell is not None:
            tell(one.name)
        values, note, lacks = [], "", False
        for seed in range(count):
            given = draws(one, seed)
            lacks = call.lacks(given)
            if lacks:
                break
            try:
                out = call(given)
            except (Exception, SystemExit) as error:
                note = note or _said(error)
                continue
            value = as_number(out)
            if math.isfinite(value):
                values.append(value)
            else:
                note = note or f"returned {value}"
        rows.append(_judged(one, kind, tuple(values), "no posteriors" if lacks else "", note))
    return Conformance(kind, count, tuple(rows))


def _chosen(names: Iterable[str] | None) -> list[World]:
    if names is None:
        return list(worlds())
    if isinstance(names, str) or not isinstance(names, Sequence) or not names:
        raise ValueError(f"names must be a list of names of worlds, got {shown(names)}")
    return [world(name) for name in dict.fromkeys(names)]


def _said(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = ""
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _judged(world: World, kind: Kind, values: tuple[float, ...], word: str, note: str) -> Found:
    low, high = band(world.kl) if kind == "estimate" else (None, None)
    low = world.kl if kind == "upper" else low
    high = world.kl if kind == "lower" else high
    word = word or word_for(kind, world.kl, values)
    return Found(world.name, world.dimensions, world.kl, low, high, values, word, note)
