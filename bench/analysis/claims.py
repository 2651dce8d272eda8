"""Claims to verdicts, over the training seeds; `bench.analysis.words` says what the words mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.analysis.comparison import paired_t
from bench.analysis.replicates import LEVEL, replicates, saturated
from bench.analysis.words import Judgement, Sides, Verdict, judge, sides, sides_of_equivalence
from bench.matrix.claims import BRACKET, Claim
from bench.metrics.metric import Metric
from bench.metrics.registry import METRICS, Metrics
from bench.run.progress import counted
from vaelib.numerics.arrays import Floats

__all__ = ["LEAST_SEEDS", "Finding", "decide"]

LEAST_SEEDS = 8
"""Common seeds below which no claim is decided: Holm's first steps ask for that many."""

_FALLING = ("decreasing", "less")  # effects that are claimed to lie below 0


@dataclass(frozen=True)
class Finding:
    """What the seeds say about one claim.

    Attributes:
        claim: The claim.
        metric: What it concerns.
        verdict: Where its effect lies, see `bench.analysis.words`.
        present: Whether the effect is shown to have the claimed direction.
        configurations: Those that were compared, in the order of the study.
        decisive: The configuration whose effect decides: the weakest, or, where the claim does not
            hold, the one that shows it best; empty where the whole study is one effect.
        effect: Change along the study, difference to the first configuration, or, where there is
            a reference, the value itself; in the metric's unit, NaN where nothing was measured. Of
            brackets, what the one that is claimed to match worse exceeds the other by at least; of
            a lower estimate, the estimate; of an upper one, what bounds it from below.
        half_width: Half the width of its 95 % t interval.
        at_most: Of brackets, what it exceeds the other by at most, of a lower estimate what bounds
            it from above, NaN where there is no limit; the effect for all others.
        at_most_half_width: Half the width of its interval.
        used: The common seeds that decide.
        p_value: Of what the verdict rests on; NaN where nothing was tested.
        p_holm: The same, corrected over the claims.
        reason: Why it was not tested, else empty.
    """

    claim: Claim
    metric: Metric
    verdict: Verdict
    present: bool
    configurations: tuple[str, ...]
    decisive: str
    effect: float
    half_width: float
    at_most: float
    at_most_half_width: float
    used: tuple[int, ...]
    p_value: float
    p_holm: float
    reason: str = ""

    @property
    def seeds(self) -> int:
        """S, how many common seeds decide."""
        return len(self.used)

    @property
    def candidates(self) -> int:
        """How many configurations have an effect of their own, of which one decides."""
        if self.claim.expect in ("increasing", "decreasing"):
            return 1
        return len(self.configurations) - self.claim.compares

    @property
    def bounded(self) -> bool:
        """Whether the effect is known from its two sides, or from one alone."""
        least, most = (self.effect, self.half_width), (self.at_most, self.at_most_half_width)
        return not np.array_equal(least, most, equal_nan=True)

    @property
    def deciding(self) -> tuple[tuple[float, float], ...]:
        """What the word rests on: what the effect is at least, at most, or both; one where equal.

        Each with its half width. What lies beyond the margin in the claimed direction is decided by
        the end on this side, what falls short of it by the other; where the effect is shown to lie
        between two bounds, or nothing is shown, both ends are told.
        """
        least, most = (self.effect, self.half_width), (self.at_most, self.at_most_half_width)
        if not self.bounded or np.isnan(most[0]):
            return (least,)
        if np.isnan(least[0]):
            return (most,)
        larger = self.verdict == "larger than the margin"
        if self.claim.expect == "equivalent":
            origin = 0.0 if self.claim.compares else self.claim.reference or 0.0
            return ((least if least[0] > origin else most),) if larger else (least, most)
        near, far = (most, least) if self.claim.expect in _FALLING else (least, most)
        if larger:
            return (near,)
        short = self.verdict == "opposite"
        short |= self.verdict == "smaller than the margin" and not self.present
        return (far,) if short else (least, most)


@dataclass(frozen=True)
class _Effects:
    """What a claim is about, for each common seed: at least and at most, one where it is known."""

    least: Floats  # (S, K)
    most: Floats
    seeds: tuple[int, ...]


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
    frames = [_from_seed(frame, claim) for claim in claims]
    effects = [_effects(*one) for one in zip(frames, claims, measured, names, strict=True)]
    reasons = [
        _undecidable(*one) for one in zip(frames, claims, measured, names, effects, strict=True)
    ]
    tests = [
        _sides(claim, effect, _floor(claim, metric)) if effect.seeds else None
        for claim, metric, effect in zip(claims, measured, effects, strict=True)
    ]
    tested = [i for i, test in enumerate(tests) if test is not None and not reasons[i]]
    family = [test for i in tested if (test := tests[i]) is not None]
    equivalent = [claims[i].expect == "equivalent" for i in tested]
    judged = dict(zip(tested, judge(family, equivalent, 1 - level), strict=True))
    return [
        _finding(claim, measured[i], names[i], effects[i], tests[i], judged.get(i), reasons[i])
        for i, claim in enumerate(claims)
    ]


def _from_seed(frame: pd.DataFrame, claim: Claim) -> pd.DataFrame:
    """The rows that may decide a claim."""
    return frame if claim.from_seed is None else frame[frame["seed"] >= claim.from_seed]


def _effects(frame: pd.DataFrame, claim: Claim, metric: Metric, names: Sequence[str]) -> _Effects:
    """What a claim is about, on the common seeds of its configurations."""
    if claim.brackets:
        return _bracket_effects(frame, claim, names)
    table = _table(frame, claim.metric, claim.split, claim.source, names)
    if claim.against is not None:
        other = _table(frame, claim.metric, claim.split, claim.against, names)
        table = (table - other).dropna()
    effects = _changes(claim, table.to_numpy(float))
    least = most = effects
    if not claim.compares:
        if metric.at_least:
            least = _bound(frame, metric.at_least, claim, table)
        if metric.at_most:
            most = _bound(frame, metric.at_most, claim, table)
    return _Effects(least, most, tuple(map(int, table.index)))


def _bound(frame: pd.DataFrame, metric: str, claim: Claim, table: pd.DataFrame) -> Floats:
    """What another metric of the same cells says of their effects, (S, K)."""
    values = replicates(frame, metric, claim.split, claim.source)
    values = values.reindex(index=table.index, columns=table.columns)
    return _limits(_changes(claim, values.to_numpy(float)))


def _bracket_effects(frame: pd.DataFrame, claim: Claim, names: Sequence[str]) -> _Effects:
    """What the side that is claimed to match worse exceeds the other by, at least and at most.

    Returns:
        Both, on the common seeds. An upper end may be absent, as of encoders without scales; where
        that of the side is absent which is claimed to match worse, there is no most.
    """
    ends = [replicates(frame, name, claim.split).reindex(columns=list(names)) for name in BRACKET]
    low, high = (end.to_numpy(float) for end in ends)
    if claim.worse == "first":
        least, most = low[:, :1] - high[:, 1:], high[:, :1] - low[:, 1:]
    else:
        least, most = low[:, 1:] - high[:, :1], high[:, 1:] - low[:, :1]
    common = np.isfinite(least).all(axis=1)
    seeds = tuple(int(seed) for seed in ends[0].index[common])
    return _Effects(least[common], _limits(most[common]), seeds)


def _limits(most: Floats) -> Floats:
    """What bounds effects, (S, K); where a seed has no limit, the effect has none."""
    limits: Floats = np.where(np.isfinite(most).all(axis=0), most, np.nan)
    return limits


def _table(
    frame: pd.DataFrame, metric: str, split: str, source: str, names: Sequence[str]
) -> pd.DataFrame:
    """Replicates of the study's configurations on their common seeds, (S, K)."""
    return replicates(frame, metric, split, source).reindex(columns=list(names)).dropna()


def _changes(claim: Claim, values: Floats) -> Floats:
    """The effects in values of shape (S, configurations)."""
    if claim.expect in ("increasing", "decreasing"):
        place = np.arange(values.shape[1]) - (values.shape[1] - 1) / 2
        slope = place / (place**2).sum() * (values.shape[1] - 1)
        changes: Floats = (values @ slope)[:, None]
        return changes
    if claim.compares:
        return values[:, 1:] - values[:, :1]
    return values - (claim.reference or 0.0)


def _undecidable(
    frame: pd.DataFrame, claim: Claim, metric: Metric, names: Sequence[str], effects: _Effects
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
    since = "" if claim.from_seed is None else f" from seed {claim.from_seed} on"
    if not effects.seeds:
        return f"not measured on common seeds{since}"
    if len(effects.seeds) < LEAST_SEEDS:
        seeds = counted(len(effects.seeds), "common seed")
        return f"{seeds}{since}, and a claim needs {LEAST_SEEDS}"
    return ""


def _sides(claim: Claim, effects: _Effects, floor: float) -> Sides:
    """Where the effect of a claim lies."""
    if claim.expect == "equivalent":
        return sides_of_equivalence(effects.least, effects.most, claim.margin, floor)
    if claim.expect in _FALLING:
        return sides(-effects.most, -effects.least, claim.margin, floor)
    return sides(effects.least, effects.most, claim.margin, floor)


def _finding(
    claim: Claim,
    metric: Metric,
    names: tuple[str, ...],
    effects: _Effects,
    test: Sides | None,
    judged: Judgement | None,
    reason: str,
) -> Finding:
    judged = judged or Judgement("inconclusive", False, np.nan, np.nan)
    least = most = (np.nan, np.nan)
    decisive = ""
    if test is not None:
        place = test.contrary if _fails(claim, judged.verdict) else test.weakest
        least, most = (_mean(one[:, place], claim, metric) for one in (effects.least, effects.most))
        if claim.expect not in ("increasing", "decreasing"):
            decisive = (names[1:] if claim.compares else names)[place]
    return Finding(
        claim=claim,
        metric=metric,
        verdict=judged.verdict,
        present=judged.present,
        configurations=names,
        decisive=decisive,
        effect=least[0],
        half_width=least[1],
        at_most=most[0],
        at_most_half_width=most[1],
        used=effects.seeds,
        p_value=judged.p_value,
        p_holm=judged.p_holm,
        reason=reason,
    )


def _fails(claim: Claim, verdict: Verdict) -> bool:
    """Whether a word says that a claim does not hold as it was made."""
    holds: Verdict = (
        "absent within the margin" if claim.expect == "equivalent" else "larger than the margin"
    )
    return verdict not in (holds, "inconclusive")


def _mean(effects: Floats, claim: Claim, metric: Metric) -> tuple[float, float]:
    """Mean of an effect, or the value itself where there is a reference, and its half width."""
    mean, half, _ = paired_t(effects, _floor(claim, metric))
    return float(mean) + (0.0 if claim.compares else claim.reference or 0.0), float(half)


def _floor(claim: Claim, metric: Metric) -> float:
    return metric.margin or claim.margin or 1e-9
