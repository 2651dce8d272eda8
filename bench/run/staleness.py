"""What the store holds of a plan: which cells are done, stale or missing, and why."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.run.record import DONE
from bench.run.store import Store
from bench.run.worker import Job

__all__ = ["Known", "Outcome", "changed", "inspect"]

Outcome = tuple[str, str]
"""Status and message of a cell."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one cell before a run.

    Attributes:
        name: of its configuration.
        state: cached, stale, failed or missing; a corrupt record is missing.
        outcome: what its record says; empty where there is none.
        seconds: what its record says; nan where there is none.
        spent: seconds of it that a second measurement of the stored model would take.
        reason: what changed since, ``"code"`` or ``"data"``.
    """

    name: str
    state: str
    outcome: Outcome = ("missing", "")
    seconds: float = float("nan")
    spent: float = float("nan")
    reason: str = ""


def inspect(jobs: Iterable[Job], store: Store) -> dict[str, Known]:
    """Reads the records of jobs.

    Args:
        jobs: as `bench.run.worker` describes them.
        store: where the records are; corrupt ones are set aside with a warning.

    Returns:
        Cell id -> what is known of it.
    """
    known: dict[str, Known] = {}
    missing: dict[str, tuple[str, int, str]] = {}
    for job in jobs:
        name = job["name"]
        for cell, seed in job["cells"].items():
            record = store.read(cell)
            if record is None:
                known[cell] = Known(name, "missing")
                missing[cell] = name, seed, job.get("data", "")
                continue
            state = "cached" if record.code == job["code"] else "stale"
            if record.status not in DONE:
                state = "failed"
            outcome = record.status, record.message
            spent = sum(s for stage, s in record.stages.items() if stage != "training")
            reason = "code" if state == "stale" else ""
            known[cell] = Known(name, state, outcome, record.seconds, spent, reason)
    for cell in _of_other_data(missing, store, known):
        known[cell] = Known(known[cell].name, "missing", reason="data")
    return known


def _of_other_data(
    missing: Mapping[str, tuple[str, int, str]], store: Store, known: Iterable[str]
) -> list[str]:
    """Those of the missing cells that stand there under their name and seed with other data."""
    others: dict[tuple[str, int | None], set[str]] = defaultdict(set)
    for cell in store.names() - set(known) if missing else ():
        if (record := store.read(cell)) is not None:
            others[record.name, record.seed].add(record.data)
    return [
        cell
        for cell, (name, seed, data) in missing.items()
        if data and others.get((name, seed), set()) - {data, ""}
    ]


def changed(known: Mapping[str, Known]) -> list[str]:
    """Names what is stale.

    Args:
        known: what `inspect` returned.

    Returns:
        A line for each reason: how many cells, and of which configurations.
    """
    lines = []
    for reason in ("code", "data"):
        names = [found.name for found in known.values() if found.reason == reason]
        if names:
            cells = f"{len(names)} {'cell is' if len(names) == 1 else 'cells are'}"
            of = ", ".join(dict.fromkeys(names))
            lines.append(f"{cells} stale, the {reason} changed: {of}")
    return lines
