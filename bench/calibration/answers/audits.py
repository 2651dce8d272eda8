"""The answers of audits where the KL is known: one row for each audit."""

import functools
import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pandas as pd
import torch

from bench.calibration.answers.kinds import MOST_FITTED, Audited, Draw, Family, held_out
from bench.calibration.answers.matches import MATCHES
from bench.calibration.answers.mismatches import MISMATCHES
from bench.calibration.experiments import Answer
from bench.calibration.task import Rows, Task
from vaelib.audits.alarms import FLAGS
from vaelib.audits.certified import bracket
from vaelib.audits.settings import AuditSettings
from vaelib.audits.verdict import MARGIN, Bracket, verdict
from vaelib.code_hash import code_hash
from vaelib.priors import Normal
from vaelib.stats.divergences import decompose
from vaelib.stats.finite_sample import is_saturated, marginal_kl_null
from vaelib.stats.goodness_of_fit import GOODNESS_OF_FIT_TESTS
from vaelib.stats.nulls import NormalNull
from vaelib.worlds.specified import WORLDS
from vaelib.worlds.untuned import OWN_WORLDS
from vaelib.worlds.world import World

__all__ = [
    "KLS",
    "PANEL",
    "answer_rows",
    "answer_tasks",
    "answers_code",
    "kept_answers",
    "known_answers",
]

KLS = (0.0, 0.04, MARGIN, 0.06, 0.2)
"""KL in nats: a match, just inside the margin, at it, just beyond, and far."""

PANEL = ("mmd_test", "likelihood_ratio_test", "ks_test")
"""Tests of q = p that are looked at beside the answer."""


_KINDS, _WORLDS = [*MATCHES, *MISMATCHES], [*WORLDS, *OWN_WORLDS]
_POINTS = (50, 300, 1000, 5000)  # 300: from there on “yes” is possible
_DIMENSIONS = (1, 2, 8, 32, 128)
_TOGETHER = 3  # audits of one task
_PARTS = {
    "match": {0.0: 3},
    "gaussian": {MARGIN: 3, 0.06: 2},
    "other": {MARGIN: 2, 0.06: 2},
    "rare": {MARGIN: 3, 0.06: 2},
}
_WORLD = "world: {}"
_FITTED, _PLAYED = 3000, 1500  # inputs of a world, as SCIENCE.md has them
_EARLIER_ROWS = 1500  # inputs up to which the null of the marginal KL is drawn beside
_EARLIER_DRAWS = 19
_PANEL_ROWS = 500  # of an audit
_PANEL_NULL = NormalNull(draws=199)


def answer_tasks(quick: bool) -> list[Task[Answer]]:
    """Audits of every kind over n, D and KL, first a few of each, so that a part of them is fair.

    Args:
        quick: n = 50, one D and 2 of each kind at 0 or the margin, and one world.

    Returns:
        The tasks, in parts of three audits.
    """
    if quick:
        small = [
            Answer(kind.name, 50, max(2, kind.least), kl)
            for kind in _KINDS
            for kl in (KLS[:1] if kind.family == "match" else (MARGIN,))
        ]
        return [Task(answer, 2) for answer in [*small, _of_world(WORLDS[0])]]
    tasks = [
        Task(Answer(kind.name, n, d, kl), _TOGETHER, part)
        for kind in _KINDS
        for n in _POINTS
        for d in _DIMENSIONS
        if d >= kind.least
        for kl in (KLS[:1] if kind.family == "match" else KLS[1:])
        for part in range(_PARTS.get(kind.family, {}).get(kl, 1))
    ]
    tasks += [Task(_of_world(world), _TOGETHER) for world in _WORLDS]
    return sorted(tasks, key=lambda task: (task.part, task.experiment.points))


def _of_world(world: World) -> Answer:
    return Answer(_WORLD.format(world.name), _PLAYED, world.dimensions, None)


def answer_rows(task: Task[Answer]) -> Rows:
    """Audit as a user would, but for what does not decide.

    Args:
        task: Of this subject.

    Returns:
        One row per audit: what it was given, both ends, the answer, and what the diagnostics
        that decided before would have said.
    """
    setting, generator = task.experiment, task.generator
    draw, family, kl = _law(setting)
    fitted = _FITTED if family == "world" else min(2 * setting.points, MOST_FITTED)
    rows = []
    for _ in range(task.repetitions):
        seed = int(torch.randint(2**31, (), generator=generator))
        given = draw(setting.points, fitted, generator)
        row: dict[str, Any] = {
            "kind": setting.kind,
            "family": family,
            "n": setting.points,
            "N": 0 if given.fitted is None else fitted,
            "D": setting.dimensions,
            "part": task.part,
            "seed": seed,
            "kl": kl,
            "code": answers_code(),
        }
        rows.append(row | _answered(given, seed) | _earlier(given, task, generator))
    return rows


@functools.cache
def _law(setting: Answer) -> tuple[Draw, Family, float]:
    """How latents are drawn, what they count with, and their KL in nats."""
    if setting.kl is None:
        world = next(w for w in _WORLDS if _WORLD.format(w.name) == setting.kind)
        return held_out(world), "world", world.kl
    kind = next(kind for kind in _KINDS if kind.name == setting.kind)
    return kind.of(setting.dimensions, setting.kl), kind.family, setting.kl


def _answered(given: Audited, seed: int) -> dict[str, Any]:
    """Both ends of the bracket, and the word for them."""
    settings, saturated = AuditSettings(seed), _saturated(given)
    measured = bracket(given.prior, "test", given.played, settings, given.fitted)
    found = {row.metric: row for row in measured}
    value = {metric: math.nan if row.value is None else row.value for metric, row in found.items()}
    ends = Bracket(
        value["certified_kl_lower"],
        value.get("certified_kl_upper", math.nan),
        0 if math.isnan(count := value["certified_inputs"]) else int(count),
        saturated,
        found["certified_kl_lower"].message in FLAGS,
    )
    return {
        "lower": ends.lower,
        "upper": ends.upper,
        "gain": value["certified_kl"],
        "se": found["certified_kl"].standard_error,
        "p": found["certified_kl_test"].p_value,
        "inputs": ends.inputs,
        "saturated": int(saturated),
        "verdict": verdict(ends),
    }


def _saturated(given: Audited) -> bool:
    q = given.played.posterior
    if q is None:
        return False
    rate = given.prior.rate(q.mean, q.scale, given.played.z).mean()
    return is_saturated(float(rate), q.components)


def _earlier(given: Audited, task: Task[Answer], generator: torch.Generator) -> dict[str, Any]:
    """The excess given scale and the panel, of the first part; empty where it costs too much."""
    q, z = given.played.posterior, given.played.z
    row: dict[str, Any] = dict.fromkeys(("excess", "excess_se", "excess_p", *PANEL), math.nan)
    if task.part or type(given.prior) is not Normal or given.played.groups is not None:
        return row
    if len(z) <= _EARLIER_ROWS:
        for test in PANEL:
            with suppress(ValueError):  # fewer rows than dimensions
                row[test] = GOODNESS_OF_FIT_TESTS[test](z[:_PANEL_ROWS], _PANEL_NULL).p_value
        with suppress(ValueError):  # a scale of an active dimension exceeds 1
            if q is not None:
                observed = decompose(q, given.prior, generator)
                null = marginal_kl_null(q, generator, _EARLIER_DRAWS)
                row["excess"], row["excess_se"] = null.excess(observed)
                row["excess_p"] = null.p_value(observed)
    return row


def known_answers(table: pd.DataFrame) -> Iterator[tuple[Task[Answer], Rows]]:
    """Tasks whose rows a table holds, so that days and machines may share the work.

    Args:
        table: as `answer_rows` wrote it, with the hash of the code in the column ``code``.

    Yields:
        Tasks and rows that were made by the present code.
    """
    yield from kept_answers(table[table["code"] == answers_code()])


def kept_answers(table: pd.DataFrame) -> Iterator[tuple[Task[Answer], Rows]]:
    """Tasks whose rows a table holds, by whatever code.

    Args:
        table: as `answer_rows` wrote it.

    Yields:
        Tasks and rows.
    """
    for _, rows in table.groupby(["kind", "n", "D", "kl", "part"], sort=False):
        kept: Rows = [{str(name): v for name, v in row.items()} for row in rows.to_dict("records")]
        first = kept[0]
        kl = None if first["family"] == "world" else first["kl"]
        setting = Answer(first["kind"], first["n"], first["D"], kl)
        yield Task(setting, len(kept), first["part"]), kept


def answers_code() -> str:
    """Hash of the code that decides the rows."""
    return code_hash("bench.calibration.answers.audits")[:12]
