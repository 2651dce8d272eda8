"""What more steps of training change, where configurations differ in nothing but their steps."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from bench.analysis.match import Interval
from bench.analysis.replicates import collapses, replicates
from bench.metrics.registry import METRICS
from bench.rows import COLUMNS

__all__ = ["METRIC", "Longer", "longer", "untrained"]

Word = Literal["rises", "falls", "stays", "open"]
METRIC = "elbo"
_STEPS = "training.steps"


@dataclass(frozen=True)
class Longer:
    """The two configurations of most steps among those that differ in their steps alone.

    Attributes:
        first: the one with fewer steps.
        last: the one with more.
        before: steps of the first.
        after: steps of the last.
        gain: what the ELBO wins from the first to the last, paired, in nats per input.
        word: "rises" or "falls" where the 95 % interval of the gain lies beyond the margin of the
            metric, "stays" where it lies within, "open" otherwise and at S ≤ 4.
    """

    first: str
    last: str
    before: int
    after: int
    gain: Interval
    word: Word


def untrained(frame: pd.DataFrame, split: str) -> dict[str, str]:
    """Find what has collapsed only because its training was too short.

    Args:
        frame: Tidy rows.
        split: The split whose inputs were encoded.

    Returns:
        Collapsed configuration -> the one that differs from it in nothing but more steps, and has
        not collapsed; of several that with the fewest steps.
    """
    dead = collapses(frame, split)
    alive = {config for config in dead.index if not dead["apart"][config] and dead["S"][config]}
    found = {}
    for names in _twins(frame):
        for place, name in enumerate(names):
            waking = [other for other in names[place + 1 :] if other in alive]
            if waking and dead["apart"][name]:
                found[name] = waking[0]
    return found


def longer(frame: pd.DataFrame, split: str) -> Iterator[Longer]:
    """Ask whether training was long enough: by the ELBO, as the losses are in no row.

    Args:
        frame: Tidy rows.
        split: The split that decides.

    Yields:
        What the most steps win over the next fewer, for every set of configurations that differ in
        their steps alone; nothing of those that have collapsed or have no ELBO.
    """
    dead, table = collapses(frame, split)["apart"], replicates(frame, METRIC, split)
    for names in _twins(frame):
        kept = [name for name in names if not dead[name] and table[name].notna().any()]
        if len(kept) < 2:
            continue
        first, last = kept[-2:]
        steps = frame.drop_duplicates("config").set_index("config")[_STEPS]
        gain = Interval.of(table[last] - table[first])
        yield Longer(first, last, int(steps[first]), int(steps[last]), gain, _word(gain))


def _word(gain: Interval) -> Word:
    words: dict[str, Word] = {"above": "rises", "below": "falls", "within": "stays"}
    return words.get(gain.beside(METRICS[METRIC].margin or 0.0), "open")


def _twins(frame: pd.DataFrame) -> Iterator[list[str]]:
    """Configurations that differ in their steps alone, fewest steps first."""
    if _STEPS not in frame:
        return
    first = frame.drop_duplicates("config")
    first = first.assign(**{_STEPS: pd.to_numeric(first[_STEPS], errors="coerce")})
    first = first[first[_STEPS].notna()]
    others = [key for key in frame if key == "dataset" or key not in (*COLUMNS, _STEPS)]
    for _, part in first.groupby(others, sort=False, dropna=False):
        if len(part) > 1:
            yield list(map(str, part.sort_values(_STEPS, kind="stable")["config"]))
