"""How far a mixture is from its prior, by densities: the split of the rate, its null, its shape."""

import math
from collections.abc import Iterator

from vaelib.audits.measurement import Measurement, Progress, joined, ticks
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal, Prior
from vaelib.seeding import stream
from vaelib.stats import divergences, finite_sample, marginals, moments

__all__ = ["match", "points_of"]

_PAIRS = 1 << 25  # (point, component) pairs up to which every component is evaluated at its z


def points_of(q: AggregatePosterior, share: float = 1.0) -> int | None:
    """Components of a mixture to draw z from, where its density at all z would cost too much.

    Args:
        q: the mixture.
        share: how many times as many as for one draw of the null.

    Returns:
        How many, at random; None for all.
    """
    if q.components**2 <= _PAIRS:
        return None
    return min(q.components, round(share * max(200, _PAIRS // 4 // q.components)))


def match(
    q: AggregatePosterior,
    prior: Prior,
    split: str,
    seed: int,
    null_draws: int,
    progress: Progress,
) -> Iterator[Measurement]:
    """Measure how far the mixture of one split is from the prior.

    Args:
        q: the mixture.
        prior: the prior.
        split: named in the measurements.
        seed: of the streams that the estimates draw from.
        null_draws: simulated draws of the null of the marginal KL.
        progress: told how far each stage is.

    Yields:
        Measurements, in nats unless dimensionless.
    """
    stage = f"density of {split}"
    progress(stage, 0, 2)
    parts, note = _observed(q, prior, split, seed)
    progress(stage, 1, 2)
    error = parts.standard_error
    floor = finite_sample.marginal_kl_floor(parts.rate, q.components)
    saturated = finite_sample.is_saturated(parts.rate, q.components)
    yield Measurement(split, "rate", parts.rate, parts.rate_error or None)
    information = parts.mutual_information, parts.information_error
    yield Measurement(split, "mutual_information", *information, message=note)
    yield Measurement(split, "marginal_kl", parts.marginal_kl, error, message=note)
    yield Measurement(split, "marginal_kl_floor", floor)
    yield Measurement(split, "saturated", float(saturated))
    if q.components > 1:
        few = points_of(q, 16)
        low = divergences.leave_one_out_kl(
            q, prior, stream(f"z {split}", seed), 2 if few is None else 1, few
        )
        if math.isfinite(low[0]):
            yield Measurement(split, "marginal_kl_loo", *low, message=note)
        else:
            apart = "some posteriors overlap with no other: the density left is 0"
            yield Measurement(split, "marginal_kl_loo", None, message=apart)
    progress(stage, 2, 2)
    if isinstance(prior, Normal):
        yield from _against_null(q, prior, parts, split, seed, null_draws, progress)
        yield from _against_normal(q, parts, split, note)
        yield from _gauge_fixed(q, prior, split, seed, null_draws, progress)
    else:
        undefined = "defined for the standard normal prior only"
        for metric in ("marginal_kl_null", "marginal_kl_excess"):
            yield Measurement(split, metric, None, message=undefined)
    yield Measurement(split, "active_units", float(moments.active_units(q)))


def _observed(
    q: AggregatePosterior, prior: Prior, split: str, seed: int
) -> tuple[divergences.Decomposition, str]:
    """The rate and its parts, and at how many inputs where that is not all of them."""
    few = points_of(q, 16)
    draws = 4 if few is None else 1
    parts = divergences.decompose(q, prior, stream(f"z {split}", seed), draws, few)
    return parts, _seen(q, few)


def _seen(q: AggregatePosterior, few: int | None) -> str:
    """At z of how many inputs a density was taken, where that is not all of them."""
    if few is None or few >= q.components:
        return ""
    return f"density at z of {few:,} random inputs"


def _against_null(
    q: AggregatePosterior,
    prior: Prior,
    observed: divergences.Decomposition,
    split: str,
    seed: int,
    draws: int,
    progress: Progress,
) -> Iterator[Measurement]:
    """The excess over the finite-N null, and its test."""
    tick = ticks(progress, f"null of {split}", draws)
    null = finite_sample.marginal_kl_null(
        q, stream(f"null {split}", seed), draws, points_of(q), tick
    )
    excess, error = null.excess(observed)
    note = "" if null.exact else "some scales exceed 1: the null is approximate"
    again, few = stream(f"null z {split}", seed), points_of(q)
    exchangeable = divergences.decompose(q, prior, again, points=few)
    seen = joined(note, _seen(q, points_of(q, 16)))
    note = joined(note, _seen(q, few))
    yield Measurement(split, "marginal_kl_null", null.mean, null.standard_error, message=note)
    yield Measurement(split, "marginal_kl_excess", excess, error, message=seen)
    value, p_value = exchangeable.marginal_kl, null.p_value(exchangeable)
    yield Measurement(split, "marginal_kl_null_test", value, p_value=p_value, message=note)


def _against_normal(
    q: AggregatePosterior, parts: divergences.Decomposition, split: str, note: str
) -> Iterator[Measurement]:
    """Where the mismatch lies: in the moments, the shape, the margins, the dependence."""
    error = parts.standard_error
    moment = moments.moment_kl(q)
    dimensions, wrong = marginals.kl_per_dimension(q)
    total = marginals.total_correlation(parts.marginal_kl, dimensions)
    yield Measurement(split, "kl_per_dimension", float(dimensions.mean()), float(wrong.max()))
    yield Measurement(split, "total_correlation", total, error, message=note)
    yield Measurement(split, "moment_kl", moment)
    yield Measurement(split, "negentropy", parts.marginal_kl - moment, error, message=note)
    yield Measurement(split, "second_moment", moments.second_moment(q))
    yield Measurement(split, "excess_kurtosis", float(marginals.excess_kurtosis(q).mean()))
    yield Measurement(split, "variance_law", moments.variance_law(q))


def _gauge_fixed(
    q: AggregatePosterior, prior: Prior, split: str, seed: int, draws: int, progress: Progress
) -> Iterator[Measurement]:
    """The match after every dimension was shifted and rescaled to mean 0 and variance 1."""
    fixed, draws = marginals.gauge_fix(q), max(2, draws // 4)
    parts, seen = _observed(fixed, prior, split, seed)
    tick = ticks(progress, f"rescaled null of {split}", draws)
    null = finite_sample.marginal_kl_null(
        fixed, stream(f"null {split}", seed), draws, points_of(fixed), tick
    )
    note = "" if null.exact else "some scales exceed 1: the null is approximate"
    error, excess = parts.standard_error, null.excess(parts)
    source = "gauge_fixed"
    yield Measurement(split, "rate", parts.rate, source=source)
    yield Measurement(split, "marginal_kl", parts.marginal_kl, error, source=source, message=seen)
    note = joined(note, seen)
    yield Measurement(split, "marginal_kl_excess", *excess, source=source, message=note)
