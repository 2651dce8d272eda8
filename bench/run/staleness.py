"""What the store holds of a plan: which cells are done, stale or missing, and why."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.run.job import Job
from bench.run.record import DONE
from bench.run.store import Store

__all__ = ["CellState", "inspect", "reasons"]

_NAMED = 3  # changed modules that a line names
_CONFIGURATIONS = 6  # that it names


@dataclass(frozen=True, slots=True)
class CellState:
    """What is known of one cell before a run.

    Attributes:
        name: of its configuration.
        state: cached, stale, failed or missing; a corrupt record is missing.
        status: what its record says; missing where there is none.
        message: what its record says; empty where there is none.
        seconds: what its record or its rows say; nan where there are none.
        spent: seconds of it that a second measurement of the stored model would take.
        reason: what changed since, in words; empty where nothing did.
    """

    name: str
    state: str
    status: str = "missing"
    message: str = ""
    seconds: float = float("nan")
    spent: float = float("nan")
    reason: str = ""


def inspect(
    jobs: Iterable[Job], store: Store, codes: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, CellState]:
    """Reads the records of jobs.

    Args:
        jobs: all of them, with all their cells.
        store: where the records are; corrupt ones are set aside with a warning.
        codes: hash of the code of a job -> file -> its own hash; what the store knows by default.

    Returns:
        Cell id -> what is known of it.
    """
    states: dict[str, CellState] = {}
    missing: dict[str, tuple[str, int, str]] = {}
    changes: dict[tuple[str, str], str] = {}
    for job in jobs:
        for cell, seed in job.cells.items():
            record = store.read(cell)
            if record is None:
                states[cell] = CellState(job.name, "missing")
                missing[cell] = job.name, seed, job.data
                continue
            state, reason = "cached", ""
            if record.code != job.code:
                pair = record.code, job.code
                if pair not in changes:
                    now = (codes or {}).get(job.code) or store.code(job.code)
                    changes[pair] = _changed(store.code(record.code), now)
                state, reason = "stale", changes[pair]
            if record.status not in DONE:
                state, reason = "failed", ""
            states[cell] = CellState(
                job.name,
                state,
                record.status,
                record.message,
                record.seconds,
                sum(s for stage, s in record.stages.items() if stage != "training"),
                reason,
            )
    for cell in _of_other_data(missing, store, states):
        states[cell] = CellState(states[cell].name, "missing", reason="the data changed")
    return states


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Which modules two hashes of the code differ in, in words."""
    names = sorted(name for name in before.keys() | now if before.get(name) != now.get(name))
    if not before or not now or not names:
        return "the code changed"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more} changed"


def _of_other_data(
    missing: Mapping[str, tuple[str, int, str]], store: Store, states: Iterable[str]
) -> list[str]:
    """Those of the missing cells that stand there under their name and seed with other data."""
    others: dict[tuple[str, int | None], set[str]] = defaultdict(set)
    for cell in store.names() - set(states) if missing else ():
        if (record := store.read(cell)) is not None:
            others[record.name, record.seed].add(record.data)
    return [
        cell
        for cell, (name, seed, data) in missing.items()
        if data and others.get((name, seed), set()) - {data, ""}
    ]


def reasons(states: Mapping[str, CellState]) -> list[str]:
    """Says what is stale, and why.

    Args:
        states: what `inspect` returned.

    Returns:
        A line for each reason: how many cells, what changed, and of which configurations.
    """
    names: dict[str, list[str]] = defaultdict(list)
    for cell in sorted(states.values(), key=lambda cell: cell.state != "stale"):  # code, then data
        if cell.reason:
            names[cell.reason].append(cell.name)
    return [
        f"{len(cells)} {'cell is' if len(cells) == 1 else 'cells are'} stale, {reason}: "
        f"{_first(list(dict.fromkeys(cells)))}"
        for reason, cells in names.items()
    ]


def _first(names: Sequence[str]) -> str:
    """Names of configurations, not more than a line takes."""
    more = len(names) - _CONFIGURATIONS
    if more < 2:
        return ", ".join(names)
    return f"{', '.join(names[:_CONFIGURATIONS])} and {more} more configurations"
