"""Levels and power of every test: how often it rejects what is true, and what is not."""

from collections.abc import Callable

import torch
from torch import Tensor

from bench.calibration.experiments import Level, Power
from bench.calibration.samples import ALTERNATIVES, matched_encoder, normal
from bench.calibration.task import Rows, Task
from vaelib.priors import Normal
from vaelib.stats.classifier import classifier_prior_test
from vaelib.stats.divergences import decompose
from vaelib.stats.finite_sample import marginal_kl_null
from vaelib.stats.goodness_of_fit import GOODNESS_OF_FIT_TESTS
from vaelib.stats.nulls import NormalNull, SignificanceResult
from vaelib.stats.prior_tests import PRIOR_TESTS
from vaelib.stats.sbc import calibration

__all__ = ["LEVELS", "TESTS", "level_rows", "level_tasks", "power_rows", "power_tasks"]

LEVELS = (0.05, 0.01)
"""Nominal levels that are checked."""

_DRAWS = 999
_FRESH = 1_000_000  # seeds of null draws from here on are not the shipped one
_POINTS = ((100, 2), (500, 2), (500, 8), (500, 16))
_CAPPED = (2500, 8)  # more rows than the null of a statistic of cost O(n²) is drawn with
_ENCODERS = ((100, 2), (300, 8))
_POWER = ((100, 2), (500, 2), (100, 8), (500, 8), (500, 16))

Runner = Callable[[Tensor, NormalNull, torch.Generator], SignificanceResult]


def _permuted(name: str) -> Runner:
    test = PRIOR_TESTS[name]
    return lambda z, _, generator: test(z, Normal(z.shape[1]).sample, generator)


def _classifier(z: Tensor, _: NormalNull, generator: torch.Generator) -> SignificanceResult:
    return classifier_prior_test(z, Normal(z.shape[1]).sample, generator=generator)


def _of_points(name: str) -> Runner:
    test = GOODNESS_OF_FIT_TESTS[name]
    return lambda z, null, _: test(z, null)


def _encoder_test(z: Tensor, _: NormalNull, generator: torch.Generator) -> SignificanceResult:
    """The exact null test of the marginal KL, of an encoder made anew; of z only the shape."""
    q = matched_encoder(len(z), z.shape[1], 0.5, generator)
    null = marginal_kl_null(q, generator, 99)
    observed = decompose(q, Normal(q.latent_dim), generator)
    return SignificanceResult(observed.marginal_kl, null.p_value(observed), 99)


_CLASSIFIER, _ENCODER = "c2st_test", "marginal_kl_null_test"
_RANKS: dict[str, Runner] = {
    "sbc_test": lambda z, *_: calibration(z).test,  # of scores, which are N(0, I) where it is true
    "sbc_joint_test": lambda z, *_: calibration(z).joint,
}
_PERMUTED = {f"{name}, permuted": _permuted(name) for name in PRIOR_TESTS}

TESTS: dict[str, Runner] = {
    **{name: _of_points(name) for name in GOODNESS_OF_FIT_TESTS},
    _CLASSIFIER: _classifier,
    _ENCODER: _encoder_test,
    **_RANKS,
    **_PERMUTED,
}
"""All tests by the names of their metrics; those of two samples are marked."""


def level_tasks(quick: bool) -> list[Task[Level]]:
    """Repetitions under the null.

    The null draws of the one-sample tests are fixed where they are shipped, and fresh here in each
    part, since a p-value keeps its level over the draws and not given them. The shipped ones are
    looked at too.

    Args:
        quick: n = 100 and D = 2 alone, fewer repetitions.

    Returns:
        The tasks.
    """
    if quick:
        return [
            Task(Level(name, 100, 2, 199), repetitions, part)
            for name in TESTS
            for repetitions, parts in [(200, 2) if name in GOODNESS_OF_FIT_TESTS else (30, 1)]
            for part in range(parts)
        ]
    tasks = []
    for n, d in _POINTS:
        for name in GOODNESS_OF_FIT_TESTS:
            tasks += _in_parts(Level(name, n, d, _DRAWS), 375, 4)
            tasks.append(Task(Level(name, n, d, None), 1500))
        for name in (_CLASSIFIER, *_PERMUTED):
            parts = 6 if n < 500 or name.startswith("energy") else 2
            tasks += _in_parts(Level(name, n, d, 0), 250, parts)
        for name in _RANKS:
            tasks += _in_parts(Level(name, n, d, 0), 375, 4)
    for name in GOODNESS_OF_FIT_TESTS:
        tasks += _in_parts(Level(name, *_CAPPED, _DRAWS), 250, 4)
    for n, d in _ENCODERS:
        tasks += _in_parts(Level(_ENCODER, n, d, 0), 125, 4)
    return tasks


def _in_parts(level: Level, repetitions: int, parts: int) -> list[Task[Level]]:
    return [Task(level, repetitions, part) for part in range(parts)]


def level_rows(task: Task[Level]) -> Rows:
    """Run one task.

    Args:
        task: Of this subject.

    Returns:
        One row per level: the rejections of this part. ``draws`` are the null draws that all
        repetitions of the part share, 0 where there are none.
    """
    setting, generator = task.experiment, task.generator
    test, n, d = TESTS[setting.test], setting.points, setting.dimensions
    if setting.null_draws is None:
        kind, draws, null = "shipped", _DRAWS, NormalNull()
    else:
        kind, draws = "fresh", max(setting.null_draws, 19)
        null = NormalNull(draws=draws, seed=_FRESH * (1 + task.again) + task.part)
    outcomes = [test(normal(n, d, generator), null, generator) for _ in range(task.repetitions)]
    shared = setting.test in GOODNESS_OF_FIT_TESTS and outcomes[0].draws
    return [
        {
            "test": setting.test,
            "n": n,
            "D": d,
            "null": kind,
            "level": level,
            "again": task.again,
            "part": task.part,
            "draws": draws if shared else 0,
            "repetitions": len(outcomes),
            "rejections": sum(outcome.p_value <= level for outcome in outcomes),
        }
        for level in LEVELS
    ]


def power_tasks(quick: bool) -> list[Task[Power]]:
    """Repetitions under the alternatives, at level .05.

    Args:
        quick: n = 100 and D = 2 alone, fewer repetitions.

    Returns:
        The tasks, one per test, n and D.
    """
    settings = ((100, 2),) if quick else _POWER
    tasks = []
    for n, d in settings:
        for name in (name for name in TESTS if name != _ENCODER):
            cheap = name in GOODNESS_OF_FIT_TESTS
            repetitions = 200 if cheap else 100 if n < 500 else 40
            repetitions = (20 if cheap else 5) if quick else repetitions
            tasks.append(Task(Power(name, n, d), repetitions))
    return tasks


def power_rows(task: Task[Power]) -> Rows:
    """Run one task.

    Args:
        task: Of this subject.

    Returns:
        One row per alternative; the ring is one in D = 2 alone.
    """
    setting, rows = task.experiment, []
    test, n, d = TESTS[setting.test], setting.points, setting.dimensions
    for alternative, draw in ALTERNATIVES.items():
        if alternative == "ring" and d > 2:
            continue
        generator = task.generator
        rejections = sum(
            test(draw(n, d, generator), NormalNull(), generator).p_value <= 0.05
            for _ in range(task.repetitions)
        )
        rows.append(
            {
                "test": setting.test,
                "n": n,
                "D": d,
                "alternative": alternative,
                "repetitions": task.repetitions,
                "rejections": rejections,
            }
        )
    return rows
