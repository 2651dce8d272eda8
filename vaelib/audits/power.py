"""What the stack sees of planted departures, counted: a table of it, shipped and made anew."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib import resources

import torch

from vaelib.audits.departures import DEPARTURES, Departure
from vaelib.audits.measurement import Progress, silent
from vaelib.audits.verdict import MARGIN
from vaelib.seeding import stream
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.certify import LEAST, Certified, certify, certify_in_sequence

__all__ = ["MOST_FITTED", "Counted", "Setting", "count", "read", "shipped", "written"]

MOST_FITTED = 20_000
"""z that the candidates are fitted to at most; below, three times as many as are held out."""

_ALPHA = 0.025


@dataclass(frozen=True, order=True)
class Setting:
    """One departure, and what an audit has to see it with.

    Attributes:
        n: held-out z.
        dimensions: D.
        departure: name of its kind.
        placed: "axes" or "rotated".
        kl: in nats.
    """

    n: int
    dimensions: int
    departure: str
    placed: str
    kl: float

    @property
    def turned(self) -> Setting:
        """The same in random directions."""
        return Setting(self.n, self.dimensions, self.departure, "rotated", self.kl)

    @property
    def possible(self) -> bool:
        """Whether there is such a law, and whether it is another one than on axes."""
        kind = DEPARTURES[self.departure]
        turns = kind.turns and self.dimensions > 1
        return self.dimensions >= kind.least and (turns or self.placed == "axes")


@dataclass(frozen=True)
class Counted(Setting):
    """How often it was seen.

    Attributes:
        repeats: with draws and fits of their own.
        seen: in how many the e-value rejects N(0, I), at .025 if nothing else is said.
        proved: in how many the lower end of KL(q‖p) exceeds 0.
        halved: in how many it exceeds half the KL: "no" at that margin.
        decided: in how many it exceeds .05: "no" at the default margin.
        code: hash of the code that counted.
    """

    repeats: int = 0
    seen: int = 0
    proved: int = 0
    halved: int = 0
    decided: int = 0
    code: str = ""

    @property
    def setting(self) -> Setting:
        """What was counted."""
        return Setting(self.n, self.dimensions, self.departure, self.placed, self.kl)

    def with_one(self, found: Certified, alpha: float) -> Counted:
        """One repeat more."""
        values = asdict(self)
        values["repeats"] += 1
        values["seen"] += found.p_value <= alpha
        for name, least in (("proved", 0.0), ("halved", self.kl / 2), ("decided", MARGIN)):
            values[name] += found.lower > least
        return Counted(**values)


def count(
    before: Counted,
    repeats: int,
    *,
    seed: int = 0,
    fitted: int | None = None,
    alpha: float = _ALPHA,
    progress: Progress = silent,
) -> Counted:
    """Plant a departure and look for it, until there are so many repeats.

    Every repeat has draws, directions and fits of its own, from a stream named by the setting and
    the number of the repeat, so that more repeats continue what fewer began.

    Args:
        before: the setting, with what was counted before.
        repeats: how many are wanted.
        seed: of the streams.
        fitted: z that candidates are fitted to, of more than 20,000 so many; 0 for the held-out
            z themselves, in sequence; None for three times as many as are held out.
        alpha: one-sided level.
        progress: told of every repeat.

    Returns:
        The counts of all repeats.

    Raises:
        ValueError: for fewer than 20 held-out z, or a departure that there is none of.
    """
    if before.n < LEAST:
        raise ValueError(f"at least {LEAST} held-out z are needed, got {before.n}")
    kind = DEPARTURES[before.departure]
    training = min(3 * before.n, MOST_FITTED) if fitted is None else min(fitted, MOST_FITTED)
    for repeat in range(before.repeats, repeats):
        before = before.with_one(_look(kind, before, training, seed, repeat, alpha), alpha)
        progress(f"planting {before.departure}", repeat + 1, repeats)
    return before


def _look(
    kind: Departure, at: Setting, training: int, seed: int, repeat: int, alpha: float
) -> Certified:
    name = f"power {at.n} {at.dimensions} {at.departure} {at.placed} {at.kl:g} {repeat}"
    generator, rotated = stream(name, seed), at.placed == "rotated"
    z = kind.draw(at.n + training, at.dimensions, at.kl, generator, rotated=rotated)
    points = z[at.n :] if training else z
    data = Posteriors(points, torch.zeros_like(points))
    if not training:
        return certify_in_sequence(data, z, generator, alpha=alpha)
    return certify(data, z[: at.n], generator, alpha=alpha)


def read(text: str) -> list[Counted]:
    """The rows of a table.

    Args:
        text: of :func:`written`.

    Returns:
        The rows.
    """
    return [_counted(row) for row in csv.DictReader(io.StringIO(text))]


def _counted(row: dict[str, str]) -> Counted:
    return Counted(
        n=int(row["n"]),
        dimensions=int(row["dimensions"]),
        departure=row["departure"],
        placed=row["placed"],
        kl=float(row["kl"]),
        repeats=int(row["repeats"]),
        seen=int(row["seen"]),
        proved=int(row["proved"]),
        halved=int(row["halved"]),
        decided=int(row["decided"]),
        code=row["code"],
    )


def written(rows: Iterable[Counted]) -> str:
    """A table as CSV, sorted.

    Args:
        rows: each setting once.

    Returns:
        The text.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(Counted)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(_cells(rows))
    return out.getvalue()


def _cells(rows: Iterable[Counted]) -> Iterator[dict[str, object]]:
    for row in sorted(rows):
        yield asdict(row) | {"kl": f"{row.kl:g}"}


@cache
def shipped() -> tuple[Counted, ...]:
    """The rows of the table that comes with the package."""
    return tuple(read(resources.files("vaelib.audits").joinpath("power.csv").read_text("utf-8")))
