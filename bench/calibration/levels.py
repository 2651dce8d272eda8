"""Levels and power of every test: how often it rejects what is true, and what is not."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bench.calibration.samples import ALTERNATIVES, matched_encoder, normal
from bench.calibration.task import Task
from vaelib.priors import Normal
from vaelib.stats.classifier import classifier_prior_test
from vaelib.stats.divergences import decompose
from vaelib.stats.finite_sample import marginal_kl_null
from vaelib.stats.goodness_of_fit import GOODNESS_OF_FIT_TESTS
from vaelib.stats.nulls import NormalNull, Outcome
from vaelib.stats.prior_tests import PRIOR_TESTS

__all__ = [
    "LEVELS",
    "TESTS",
    "level_rows",
    "level_tasks",
    "power_rows",
    "power_tasks",
]

LEVELS = (0.05, 0.01)
"""Nominal levels that are checked."""

_DRAWS = 999
_FRESH = 1_000_000  # seeds of null draws from here on are not the shipped one
_POINTS = ((100, 2), (500, 2), (500, 8), (500, 16))
_CAPPED = (2500, 8)  # more rows than the null of a statistic of cost O(n²) is drawn with
_ENCODERS = ((100, 2), (300, 8))
_POWER = ((100, 2), (500, 2), (100, 8), (500, 8), (500, 16))

Runner = Callable[[Tensor, NormalNull, torch.Generator], Outcome]


def _permuted(name: str) -> Runner:
    test = PRIOR_TESTS[name]
    return lambda z, _, generator: test(z, Normal(z.shape[1]).sample, generator)


def _classifier(z: Tensor, _: NormalNull, generator: torch.Generator) -> Outcome:
    return classifier_prior_test(z, Normal(z.shape[1]).sample, generator=generator)


def _of_points(name: str) -> Runner:
    test = GOODNESS_OF_FIT_TESTS[name]
    return lambda z, null, _: test(z, null)


def _encoder_test(z: Tensor, _: NormalNull, generator: torch.Generator) -> Outcome:
    """The exact null test of the marginal KL, of an encoder made anew; of z only the shape."""
    q = matched_encoder(len(z), z.shape[1], 0.5, generator)
    null = marginal_kl_null(q, generator, 99)
    observed = decompose(q, Normal(q.latent_dim), generator)
    return Outcome(observed.marginal_kl, null.p_value(observed), 99)


_CLASSIFIER, _ENCODER = "c2st_test", "marginal_kl_null_test"
_PERMUTED = {f"{name}, permuted": _permuted(name) for name in PRIOR_TESTS}

TESTS: dict[str, Runner] = {
    **{name: _of_points(name) for name in GOODNESS_OF_FIT_TESTS},
    _CLASSIFIER: _classifier,
    _ENCODER: _encoder_test,
    **_PERMUTED,
}
"""All tests by the names of their metrics; those of two samples are marked."""


def level_tasks(quick: bool) -> list[Task]:
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
            Task("levels", f"{name}|100|2|199", repetitions, part)
            for name in TESTS
            for repetitions, parts in [(200, 2) if name in GOODNESS_OF_FIT_TESTS else (30, 1)]
            for part in range(parts)
        ]
    found = []
    for n, d in _POINTS:
        for name in GOODNESS_OF_FIT_TESTS:
            found += [Task("levels", f"{name}|{n}|{d}|{_DRAWS}", 375, part) for part in range(4)]
            found.append(Task("levels", f"{name}|{n}|{d}|shipped", 1500))
        for name in (_CLASSIFIER, *_PERMUTED):
            parts = 6 if n < 500 or name.startswith("energy") else 2
            found += [Task("levels", f"{name}|{n}|{d}|0", 250, part) for part in range(parts)]
    for name in GOODNESS_OF_FIT_TESTS:
        n, d = _CAPPED
        found += [Task("levels", f"{name}|{n}|{d}|{_DRAWS}", 250, part) for part in range(4)]
    for n, d in _ENCODERS:
        found += [Task("levels", f"{_ENCODER}|{n}|{d}|0", 125, part) for part in range(4)]
    return found


def level_rows(task: Task) -> list[dict[str, Any]]:
    """Run one task.

    Args:
        task: Of this subject.

    Returns:
        One row per level: the rejections of this part. ``draws`` are the null draws that all
        repetitions of the part share, 0 where there are none.
    """
    name, n, d, kind = task.name.split("|")
    draws = _DRAWS if kind == "shipped" else max(int(kind), 19)
    seed = _FRESH * (1 + task.again) + task.part
    null = NormalNull() if kind == "shipped" else NormalNull(draws=draws, seed=seed)
    generator, test = task.generator, TESTS[name]
    found = [
        test(normal(int(n), int(d), generator), null, generator) for _ in range(task.repetitions)
    ]
    shared = draws if name in GOODNESS_OF_FIT_TESTS and found[0].draws else 0
    return [
        {
            "test": name,
            "n": int(n),
            "D": int(d),
            "null": "shipped" if kind == "shipped" else "fresh",
            "level": level,
            "again": task.again,
            "part": task.part,
            "draws": shared,
            "repetitions": len(found),
            "rejections": sum(outcome.p_value <= level for outcome in found),
        }
        for level in LEVELS
    ]


def power_tasks(quick: bool) -> list[Task]:
    """Repetitions under the alternatives, at level .05.

    Args:
        quick: n = 100 and D = 2 alone, fewer repetitions.

    Returns:
        The tasks, one per test, n and D.
    """
    settings = ((100, 2),) if quick else _POWER
    found = []
    for n, d in settings:
        for name in (name for name in TESTS if name != _ENCODER):
            cheap = name in GOODNESS_OF_FIT_TESTS
            repetitions = 200 if cheap else 100 if n < 500 else 40
            repetitions = (20 if cheap else 5) if quick else repetitions
            found.append(Task("power", f"{name}|{n}|{d}", repetitions))
    return found


def power_rows(task: Task) -> list[dict[str, Any]]:
    """Run one task.

    Args:
        task: Of this subject.

    Returns:
        One row per alternative; the ring is one in D = 2 alone.
    """
    name, n, d = task.name.split("|")
    rows = []
    for alternative, draw in ALTERNATIVES.items():
        if alternative == "ring" and int(d) > 2:
            continue
        generator, test = task.generator, TESTS[name]
        rejections = sum(
            test(draw(int(n), int(d), generator), NormalNull(), generator).p_value <= 0.05
            for _ in range(task.repetitions)
        )
        rows.append(
            {
                "test": name,
                "n": int(n),
                "D": int(d),
                "alternative": alternative,
                "repetitions": task.repetitions,
                "rejections": rejections,
            }
        )
    return rows
