"""What each study changes: in KL(q‖p) and in the images of the prior, from the base on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from bench.analysis.costs import METRIC
from bench.analysis.levels import are_ordered, levels
from bench.analysis.match import Interval
from bench.analysis.replicates import collapses, replicates
from bench.metrics.registry import METRICS

__all__ = ["Change", "Word", "changes"]

Word = Literal["closer", "further", "no change", "undecided"]
_SPLIT = "test"
_ENDS = ("certified_kl_lower", "certified_kl_upper")


@dataclass(frozen=True)
class Change:
    """What differs between two levels of a study, over their common seeds.

    Attributes:
        first: The level that is compared with.
        last: The other one.
        word: Whether the mixture of the latter lies closer to its prior: by its KL(q‖p) where the
            95 % interval of the change lies beyond the margin of the metric, "no change" where it
            lies within; "undecided" also at S ≤ 4.
        kl: The change of the gain, in nats; where the two have different latent dimensions, the
            least change that their brackets allow, with 0 where these overlap.
        bracketed: Whether it is that.
        quality: The change of the Fréchet distance of samples of the prior; None where it was not
            measured.
    """

    first: str
    last: str
    word: Word
    kl: Interval
    bracketed: bool
    quality: Interval | None


def changes(rows: pd.DataFrame) -> Iterator[Change]:
    """Compare the levels of a study.

    Args:
        rows: Tidy rows of the study, of one data set.

    Yields:
        Levels against that of the base, or the first where the base is none of them: the first and
        the last where levels have an order, else each. Nothing of levels that have collapsed or
        have no bracket.
    """
    labels, dead = levels(rows), collapses(rows, _SPLIT)["apart"]
    tables = {name: replicates(rows, name, _SPLIT) for name in ("certified_kl", *_ENDS)}
    alive = [
        config
        for config in labels
        if not dead.get(config, False) and tables[_ENDS[0]][config].notna().any()
    ]
    if len(alive) < 2:
        return
    ordered = are_ordered([labels[config] for config in alive])
    sizes = rows.groupby("config")["latent_dim"].first() if "latent_dim" in rows else None
    images = replicates(rows, METRIC, _SPLIT, "prior")
    start = "base" if "base" in alive else alive[0]
    others = [alive[0], alive[-1]] if ordered else alive
    for other in [name for name in others if name != start]:
        across = sizes is not None and sizes[start] != sizes[other]
        gain = tables["certified_kl"]
        kl = _apart(tables, start, other) if across else Interval.of(gain[other] - gain[start])
        quality = Interval.of(images[other] - images[start])
        yield Change(
            labels[start],
            labels[other],
            _word(kl, across),
            kl,
            across,
            quality if quality.seeds else None,
        )


def _apart(tables: Mapping[str, pd.DataFrame], start: str, other: str) -> Interval:
    """The least change of a KL that both brackets allow."""
    lower, upper = (tables[name] for name in _ENDS)
    rises = Interval.of(lower[other] - upper[start])
    falls = Interval.of(upper[other] - lower[start])
    if rises.mean > 0:
        return rises
    return falls if falls.mean < 0 else Interval(0.0, float("nan"), rises.seeds)


def _word(kl: Interval, across: bool) -> Word:
    within: Word = "undecided" if across else "no change"
    words: dict[str, Word] = {"above": "further", "below": "closer", "within": within}
    return words.get(kl.beside(METRICS["certified_kl"].margin or 0.0), "undecided")
