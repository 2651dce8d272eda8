"""The leaderboard as a tidy table: one line for each configuration, metric and latent source."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import pandas as pd

from bench.analysis.costs import METRIC
from bench.analysis.match import Interval, Matched
from bench.analysis.results import Results
from bench.errors import UserError
from bench.metrics.metric import Metric
from bench.report.leaderboard import NOTHING_RANKED, Board, board

__all__ = ["COLUMNS", "Line", "as_csv", "ranked", "tidy"]


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes:
        matrix: Its name.
        dataset: The data set.
        configuration: Its name.
        place: In the order of the leaderboard, from 1; None of what has collapsed.
        match: The answer: yes, no, undecided, flagged or collapsed; empty where there is none.
        metric: As `vaebench list metrics` names it.
        source: Where latents came from, for the quality of samples; "prior - aggregate" is the
            paired difference of two of them.
        split: test or train.
        unit: Of the mean and of all that follows it in that unit.
        better: lower, higher or real; empty of what has no direction.
        mean: Over the seeds that have a value.
        half_width: Half the width of its 95 % Student t interval; none of one seed.
        low: Its lower end.
        high: Its upper end.
        S: Seeds that have a value.
        failures: Cells of the configuration without a result; None of what does not count them.
        rank_low: The best rank that the seeds leave open; None where nothing is ranked.
        rank_high: The worst.
        tie: Whether nothing is significantly better; None where nothing is ranked.
        note: Such as that the seeds are too few for a claim.
    """

    matrix: str
    dataset: str
    configuration: str
    place: int | None
    match: str
    metric: str
    source: str
    split: str
    unit: str
    better: str
    mean: float
    half_width: float
    low: float
    high: float
    S: int
    failures: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    tie: bool | None = None
    note: str = ""


COLUMNS = tuple(field.name for field in fields(Line))
_ENDS = ("certified_kl_lower", "certified_kl_upper")


def ranked(results: Results) -> Board:
    """Decide the leaderboard of a matrix.

    Args:
        results: Of one matrix.

    Returns:
        What its page shows.

    Raises:
        UserError: Where there is nothing to show.
    """
    found = board(results.models)
    if found is None:
        reason = NOTHING_RANKED.rstrip(".").lower()
        raise UserError(f"{results.name} has no leaderboard: {reason}; run the matrix again")
    return found


def tidy(results: Results) -> list[Line]:
    """List the headlines of every configuration, the ends of its KL, and its cost.

    Args:
        results: Of one matrix.

    Returns:
        Lines in the order of the leaderboard; what has collapsed comes last.

    Raises:
        UserError: Where there is nothing to show.
    """
    found, models = ranked(results), results.models
    dead = models.collapses(found.split)["apart"]
    apart = [config for config in models.configurations if dead.get(config, False)]
    matched = {one.config: one for match in results.matches for one in match.configurations}
    splits = {one.config: match.split for match in results.matches for one in match.configurations}
    data = models.rows.groupby("config", sort=False)["dataset"].first()
    lines: list[Line] = []
    for place, config in enumerate([*found.order, *apart], 1):
        one = matched.get(config)
        known = {
            "matrix": results.name,
            "dataset": str(data[config]),
            "configuration": config,
            "place": place if place <= len(found.order) else None,
            "match": _answer(one, collapsed=config in apart),
        }
        lines += _headlines(models, found, config, known)
        if one is not None:
            for name, interval in zip(_ENDS, (one.lower, one.upper), strict=True):
                lines += _line(results.metrics[name], "", splits[config], interval, known)
        if config in results.costs:
            cost, metric = results.costs[config], results.metrics[METRIC]
            lines += _line(metric, "prior - aggregate", "test", cost.cost, known)
            if cost.won is not None:
                lines += _line(metric, f"prior - {cost.fitted}", "test", cost.won, known)
    return lines


def as_csv(results: Results) -> str:
    """Write the table.

    Args:
        results: Of one matrix.

    Returns:
        CSV with one line of headings; what is not known is empty.
    """
    frame = pd.DataFrame([asdict(line) for line in tidy(results)], columns=list(COLUMNS))
    whole = {name: "Int64" for name in ("place", "failures", "rank_low", "rank_high")}
    text: str = frame.astype(whole).to_csv(index=False, lineterminator="\n")
    return text


def _answer(one: Matched | None, *, collapsed: bool) -> str:
    if collapsed or (one is not None and one.collapsed):
        return "collapsed"
    return "" if one is None else one.verdict


def _headlines(
    results: Results, found: Board, config: str, known: Mapping[str, Any]
) -> Iterator[Line]:
    """What the leaderboard is made of."""
    for name, source in found.headlines:
        summary = results.summary(name, found.split, source)
        ranking = results.ranking(name, found.split, source)
        mean, half, seeds = (summary[column][config] for column in ("mean", "half_width", "S"))
        more: dict[str, Any] = {
            "failures": int(summary["failures"][config]),
            "note": str(summary["note"][config]),
        }
        if config in ranking.index:
            more |= {name: int(ranking[name][config]) for name in ("rank_low", "rank_high")}
            more["tie"] = bool(ranking["tie"][config])
        interval = Interval(float(mean), float(half), int(seeds))
        yield from _line(results.metrics[name], source, found.split, interval, {**known, **more})


def _line(
    metric: Metric, source: str, split: str, interval: Interval, known: Mapping[str, Any]
) -> Iterator[Line]:
    """One line; none of what was not measured."""
    if math.isnan(interval.mean):
        return
    yield Line(
        metric=metric.name,
        source=source,
        split=split,
        unit=metric.unit,
        better="" if " - " in source else metric.better or "",
        mean=interval.mean,
        half_width=interval.half_width,
        low=interval.low,
        high=interval.high,
        S=interval.seeds,
        **known,
    )
