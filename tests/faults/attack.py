"""The standing attack: hostile cases of every kind, each of which must end as it may.

``python -m tests.faults.attack archives 2000`` tries as many, goes on where a former call stopped,
and prints a table; without a number it tries as many as the suite asks of itself.
"""

import importlib
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.outcomes import Outcome

__all__ = ["COUNTS", "attack", "main", "summary"]

COUNTS = {
    "matrices": 2000,
    "archives": 2000,
    "baselines": 500,
    "states": 500,
    "kills": 200,
    "plugins": 100,
}
"""How many cases there are of each subject."""

FOLDER = Path("build/attack")
MINUTES = 55.0  # after which a call stops; the next one goes on
Line = dict[str, Any]


def attack(subject: str, count: int, folder: Path = FOLDER, minutes: float = MINUTES) -> bool:
    """Try cases of one subject, go on where a former call stopped, and print a table.

    Args:
        subject: one of `COUNTS`; the module of that name makes its cases.
        count: seeds 0 to count - 1.
        folder: of a line of JSON for each that was tried.
        minutes: after which no more are begun.

    Returns:
        Whether all were tried, and each ended as it may.
    """
    module = importlib.import_module(f"tests.faults.{subject}")
    try_case: Callable[[int, Path], Outcome] = module.try_case
    folder.mkdir(parents=True, exist_ok=True)
    log, end = folder / f"{subject}.jsonl", time.monotonic() + 60 * minutes
    tried = {line["seed"] for line in _lines(log)}
    with tempfile.TemporaryDirectory() as name, log.open("a") as file:
        for seed in range(count):
            if seed not in tried and time.monotonic() < end:  # why: the next call goes on
                line = {"seed": seed, **try_case(seed, Path(name)).__dict__}
                print(json.dumps(line), file=file, flush=True)
    mine = [line for line in _lines(log) if line["seed"] < count]
    print("\n".join(_table(subject, list(module.KINDS), mine)))
    for line in mine:
        if not _outcome(line).sound:
            print(f"{subject} {line['seed']}: {line['word']} {line['text']}")
    return len(mine) == count and all(_outcome(line).sound for line in mine)


def summary(folder: Path = FOLDER) -> str:
    """What was tried so far, over all subjects.

    Args:
        folder: of the logs.

    Returns:
        A table, a line for each subject and one that adds them up.
    """
    lines = ["subject | tried | ended as they may"]
    every: list[Line] = []
    for subject in COUNTS:
        mine = _lines(folder / f"{subject}.jsonl")
        every += mine
        lines.append(_sum(subject, mine))
    return "\n".join([*lines, _sum("all", every)])


def _sum(name: str, lines: list[Line]) -> str:
    return f"{name} | {len(lines)} | {sum(_outcome(line).sound for line in lines)}"


def _lines(log: Path) -> list[Line]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def _outcome(line: Line) -> Outcome:
    return Outcome(line["kind"], line["word"], line["text"])


def _table(subject: str, kinds: list[str], lines: list[Line]) -> list[str]:
    counts = Counter((line["kind"], line["word"]) for line in lines)
    words = sorted({word for _, word in counts})
    table = [" | ".join([subject, "tried", *words])]
    for kind in kinds:
        cells = [counts[kind, word] for word in words]
        table.append(" | ".join([kind, str(sum(cells)), *map(str, cells)]))
    return table


def main(arguments: list[str]) -> int:
    """Attack, as the command line asks.

    Args:
        arguments: a subject and a number of cases; all subjects where there is none.

    Returns:
        The exit code: 0 where each case ended as it may, 2 otherwise.
    """
    subjects = arguments[:1] or list(COUNTS)
    if not set(subjects) <= COUNTS.keys() or not all(text.isdecimal() for text in arguments[1:2]):
        print(f"expected one of {', '.join(COUNTS)} and a number, got {' '.join(arguments)}")
        return 64
    counts = [int(arguments[1]) if arguments[1:] else COUNTS[name] for name in subjects]
    sound = [attack(*one) for one in zip(subjects, counts, strict=True)]
    print(summary())
    return 0 if all(sound) else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
