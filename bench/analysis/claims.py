"""Claims to verdicts: supported, refuted or inconclusive, over the training seeds.

A claim is fixed in the matrix before the run. Each gives one pair of one-sided tests, of the effect
beyond the margin and of the effect short of it; Holm's correction runs over the claims of a matrix.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from bench.analysis.comparison import paired_t
from bench.analysis.replicates import LEVEL, replicates, saturated
from bench.matrix.claims import Claim
from bench.metrics.metric import Metric
from bench.metrics.registry import METRICS, Metrics
from vaelib.numerics.arrays import Floats
from vaelib.stats.multiple_testing import holm

__all__ = ["LEAST_SEEDS", "Finding", "Verdict", "decide"]

Verdict = Literal["supported", "refuted", "inconclusive"]

LEAST_SEEDS = 8
"""Common seeds below which no claim is decided: Holm's first steps ask for that many."""


@dataclass(frozen=True)
class Finding:
    """What the seeds say about one claim.

    Attributes:
        claim: The claim.
        metric: What it concerns.
        verdict: Supported, refuted or inconclusive.
        configurations: Those that were compared, in the order of the study.
        decisive: The configuration that comes closest to overturning a supported claim, or the one
            that refutes it; empty where the whole study is one effect.
        effect: Change along the study, difference to the first configuration, or, where there is
            a reference, the value itself; in the metric's unit, NaN where nothing was measured.
        half_width: Half the width of its 95 % t interval.
        seeds: S, the common seeds.
        p_value: Of the better decided of both hypotheses; NaN where none was tested.
        p_holm: The same, corrected over the claims.
        reason: Why it was not tested, else empty.
    """

    claim: Claim
    metric: Metric
    verdict: Verdict
    configurations: tuple[str, ...]
    decisive: str
    effect: float
    half_width: float
    seeds: int
    p_value: float
    p_holm: float
    reason: str = ""


@dataclass(frozen=True)
class _Test:
    effects: Floats  # (S, K)
    support: float
    refute: float
    decisive: int | None


def decide(
    frame: pd.DataFrame,
    claims: Sequence[Claim],
    studies: Mapping[str | None, Sequence[str]],
    metrics: Metrics = METRICS,
    level: float = LEVEL,
) -> list[Finding]:
    """Decide the claims of one matrix.

    Args:
        frame: Tidy rows of the matrix.
        claims: In any order.
        studies: Configurations of each study in the order of its values; under None, the base.
        metrics: Known metrics, those of the claims among them.
        level: One minus the familywise error over all claims.

    Returns:
        One finding per claim, in their order.
    """
    measured = [metrics.named(claim.metric) for claim in claims]
    names = [tuple(studies[claim.study]) for claim in claims]
    tables = [_values(frame, claim, part) for claim, part in zip(claims, names, strict=True)]
    reasons = [
        _undecidable(frame, *one) for one in zip(claims, measured, names, tables, strict=True)
    ]
    tests = [
        _test(table.to_numpy(float), claim, _floor(claim, metric)) if len(table) else None
        for claim, metric, table in zip(claims, measured, tables, strict=True)
    ]
    smallest = [
        min(test.support, test.refute) if test and not reason else np.nan
        for test, reason in zip(tests, reasons, strict=True)
    ]
    tested = np.isfinite(smallest)
    adjusted = np.full(len(claims), np.nan)
    adjusted[tested] = holm(np.array(smallest)[tested])
    return [
        _finding(
            claim, measured[i], names[i], tests[i], smallest[i], adjusted[i], reasons[i], 1 - level
        )
        for i, claim in enumerate(claims)
    ]


def _values(frame: pd.DataFrame, claim: Claim, names: Sequence[str]) -> pd.DataFrame:
    """Replicates of the study's configurations on their common seeds, (S, K).

    Returns:
        Where the claim sets one latent source against another, their difference within each model.
    """
    table = replicates(frame, claim.metric, claim.split, claim.source)
    if claim.against is not None:
        table = table - replicates(frame, claim.metric, claim.split, claim.against)
    return table.reindex(columns=list(names)).dropna()


def _undecidable(
    frame: pd.DataFrame, claim: Claim, metric: Metric, names: Sequence[str], table: pd.DataFrame
) -> str:
    """Why the rows cannot decide a claim; empty where they can."""
    if metric.needs_unsaturated:
        flagged = set(saturated(frame, claim.split)) & set(names)
        if flagged:
            listed = ", ".join(f"`{name}`" for name in names if name in flagged)
            return (
                f"saturated (R > log N - 1 in {listed}): with so few inputs the finite-N floor "
                "forbids an answer"
            )
    if not len(table):
        return "not measured on common seeds"
    if len(table) < LEAST_SEEDS:
        return f"{len(table)} common seeds, and a claim needs {LEAST_SEEDS}"
    return ""


def _test(values: Floats, claim: Claim, floor: float) -> _Test:
    """Both one-sided tests of a claim on values of shape (S, K)."""
    if claim.expect in ("increasing", "decreasing"):
        place = np.arange(values.shape[1]) - (values.shape[1] - 1) / 2
        slope = place / (place**2).sum() * (values.shape[1] - 1)
        effects = (values @ slope)[:, None]
    elif claim.compares:
        effects = values[:, 1:] - values[:, :1]
    else:
        effects = values - (claim.reference or 0.0)
    above, below = _tails(effects, claim.margin, floor)
    over, under = _tails(effects, -claim.margin, floor)
    count = effects.shape[1]
    if claim.expect == "equivalent":
        inside, outside = np.maximum(below, over), np.minimum(above, under)
        return _Test(effects, inside.max(), min(1, 2 * count * outside.min()), _worst(inside))
    if claim.expect in ("increasing", "greater"):
        hold, fail = above, below
    else:
        hold, fail = under, over
    support, refute = min(1, 2 * hold.max()), min(1, 2 * count * fail.min())
    single = claim.expect in ("increasing", "decreasing")
    return _Test(effects, support, refute, None if single else _worst(hold))


def _worst(p_values: Floats) -> int:
    return int(p_values.argmax())


def _tails(effects: Floats, boundary: float, floor: float) -> tuple[Floats, Floats]:
    """One-sided p-values that the mean effect lies above, and below, a boundary; shape (K,)."""
    shifted = effects - boundary
    mean, _, p_value = paired_t(shifted, floor)
    upper = np.where(mean > 0, p_value / 2, 1 - p_value / 2)
    return upper, 1 - upper


def _finding(
    claim: Claim,
    metric: Metric,
    names: tuple[str, ...],
    test: _Test | None,
    p_value: float,
    p_holm: float,
    reason: str,
    alpha: float,
) -> Finding:
    if test is None:
        numbers = (np.nan, np.nan, 0, p_value, p_holm)
        return Finding(claim, metric, "inconclusive", names, "", *numbers, reason)
    mean, half, _ = paired_t(test.effects, _floor(claim, metric))
    place = test.decisive or 0
    compared = names[1:] if claim.compares and test.decisive is not None else names
    verdict: Verdict = "inconclusive"
    if p_holm <= alpha:
        verdict = "supported" if test.support < test.refute else "refuted"
    return Finding(
        claim=claim,
        metric=metric,
        verdict=verdict,
        configurations=names,
        decisive="" if test.decisive is None else compared[place],
        effect=float(mean[place]) + (0.0 if claim.compares else claim.reference or 0.0),
        half_width=float(half[place]),
        seeds=len(test.effects),
        p_value=p_value,
        p_holm=p_holm,
        reason=reason,
    )


def _floor(claim: Claim, metric: Metric) -> float:
    return metric.margin or claim.margin or 1e-9
