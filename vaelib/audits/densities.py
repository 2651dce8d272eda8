"""How far a mixture is from its prior, by densities: the split of the rate, its null, its shape."""

import math
from collections.abc import Iterator

from vaelib.audits.lacking import NO_RATE, has_rate
from vaelib.audits.measurement import Measurement, joined, ticks
from vaelib.audits.settings import AuditSettings
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal, Prior
from vaelib.seeding import stream
from vaelib.stats import divergences, finite_sample, marginals, moments

__all__ = ["SHARE", "match", "points_of"]

SHARE = 8
"""Points at which a mixture of very many inputs is evaluated, for each of one draw of the null."""

_PAIRS = 1 << 25  # (point, component) pairs up to which every component is evaluated at its z
_PLANE = 2  # D up to which most components are pruned at most z, and a dense one costs little
_PRUNED = 100_000  # of its components, up to which all are evaluated for what is measured once
_PLACED = 3.0  # standard errors from 0 at which the scale is said to depend on the place
_INACCURATE = 0.01  # nats: a quadrature that errs by more than this has no value
_NULL_METRICS = ("marginal_kl_null", "marginal_kl_excess", "marginal_kl_null_test")
_RATED = (
    "rate",
    "mutual_information",
    "marginal_kl",
    "marginal_kl_floor",
    "saturated",
    "marginal_kl_loo",
    "marginal_kl_null",
    "marginal_kl_excess",
)
_NO_ACTIVE = "not defined: no dimension is active"
_BY_PLACE = "the scale depends on the place, which its null assumes it does not"
_SATURATED = "saturated: never evidence of a match"
_LEFT_OUT = "saturated, where it says nothing, and left out, as of so many inputs it costs most"


def points_of(q: AggregatePosterior, share: float = 1.0) -> int | None:
    """Components of a mixture to draw z from, where its density at all z would cost too much.

    Args:
        q: the mixture.
        share: how many times as many as for one draw of the null.

    Returns:
        How many, at random; None for all: where there are few pairs, and of what is measured once,
        so of a share above 1, of up to 100,000 components in up to two dimensions.
    """
    exact = share > 1 and q.latent_dim <= _PLANE and q.components <= _PRUNED
    if exact or _cheap(q):
        return None
    return min(q.components, round(share * max(200, _PAIRS // 4 // q.components)))


def _cheap(q: AggregatePosterior) -> bool:
    """Whether several z of each component cost nothing."""
    return q.components**2 <= _PAIRS


def match(
    q: AggregatePosterior, prior: Prior, split: str, settings: AuditSettings
) -> Iterator[Measurement]:
    """Measure how far the mixture of one split is from the prior.

    Args:
        q: the mixture.
        prior: the prior.
        split: named in the measurements.
        settings: of the audit.

    Yields:
        Measurements, in nats unless dimensionless.
    """
    if not has_rate(prior):
        for metric in _RATED:
            yield Measurement(split, metric, None, message=NO_RATE)
        yield Measurement(split, "active_units", float(moments.active_units(q)))
        return
    stage = f"density of {split}"
    settings.progress(stage, 0, 2)
    observed, note = _observed(q, prior, split, settings.seed)
    settings.progress(stage, 1, 2)
    error = observed.standard_error
    floor = finite_sample.marginal_kl_floor(observed.rate, q.components)
    saturated = finite_sample.is_saturated(observed.rate, q.components)
    yield Measurement(split, "rate", observed.rate, observed.rate_error or None)
    information = observed.mutual_information, observed.information_error
    yield Measurement(split, "mutual_information", *information, message=note)
    yield Measurement(split, "marginal_kl", observed.marginal_kl, error, message=note)
    yield Measurement(split, "marginal_kl_floor", floor)
    yield Measurement(split, "saturated", float(saturated))
    if q.components > 1:
        few = points_of(q, SHARE)
        draws = 2 if _cheap(q) else 1
        low = divergences.leave_one_out_kl(
            q, prior, stream(f"z {split}", settings.seed), draws, few
        )
        if math.isfinite(low[0]):
            yield Measurement(split, "marginal_kl_loo", *low, message=note)
        else:
            apart = "some posteriors overlap with no other: the density left is 0"
            yield Measurement(split, "marginal_kl_loo", None, message=apart)
    settings.progress(stage, 2, 2)
    if type(prior) is Normal:  # one that inherits from it may be another law
        yield from _given_scale(q, prior, observed, split, settings)
        yield from _against_normal(q, observed, split, note)
        yield from _gauge_fixed(q, prior, split, settings)
    else:
        undefined = "defined for the standard normal prior only"
        for metric in ("marginal_kl_null", "marginal_kl_excess"):
            yield Measurement(split, metric, None, message=undefined)
    yield Measurement(split, "active_units", float(moments.active_units(q)))


def _observed(
    q: AggregatePosterior, prior: Prior, split: str, seed: int
) -> tuple[divergences.Decomposition, str]:
    """The rate and its parts, and at how many inputs where that is not all of them."""
    few = points_of(q, SHARE)
    draws = 4 if _cheap(q) else 1
    observed = divergences.decompose(q, prior, stream(f"z {split}", seed), draws, few)
    return observed, _seen(q, few)


def _seen(q: AggregatePosterior, few: int | None) -> str:
    """At z of how many inputs a density was taken, where that is not all of them."""
    if few is None or few >= q.components:
        return ""
    return f"density at z of {few:,} random inputs"


def _given_scale(
    q: AggregatePosterior,
    prior: Prior,
    observed: divergences.Decomposition,
    split: str,
    settings: AuditSettings,
) -> Iterator[Measurement]:
    """The excess given scale, its null and test, and whether the scale depends on the place."""
    placed = ""
    try:
        correlation = finite_sample.scale_by_place(q)
    except ValueError as error:
        yield Measurement(split, "scale_by_place", None, message=str(error))
    else:
        yield Measurement(split, "scale_by_place", *correlation)
        if abs(correlation.value) > _PLACED * correlation.standard_error:
            placed = _BY_PLACE
    few = points_of(q)
    saturated = finite_sample.is_saturated(observed.rate, q.components)
    if saturated and few is not None:
        for metric in _NULL_METRICS:
            yield Measurement(split, metric, None, message=_LEFT_OUT)
        return
    tick = ticks(settings.progress, f"null of {split}", settings.null_draws)
    try:
        null = finite_sample.marginal_kl_null(
            q, stream(f"null {split}", settings.seed), settings.null_draws, few, tick
        )
    except ValueError as error:
        for metric in _NULL_METRICS:
            yield Measurement(split, metric, None, message=str(error))
        return
    if saturated:
        placed = joined(_SATURATED, placed)
    exchangeable = divergences.decompose(
        q, prior, stream(f"null z {split}", settings.seed), points=few
    )
    seen, note = joined(placed, _seen(q, points_of(q, SHARE))), _seen(q, few)
    yield Measurement(split, "marginal_kl_null", null.mean, null.standard_error, message=note)
    yield Measurement(split, "marginal_kl_excess", *null.excess(observed), message=seen)
    value, p_value = exchangeable.marginal_kl, null.p_value(exchangeable)
    note = joined(placed, note)
    yield Measurement(split, "marginal_kl_null_test", value, p_value=p_value, message=note)


def _against_normal(
    q: AggregatePosterior, observed: divergences.Decomposition, split: str, note: str
) -> Iterator[Measurement]:
    """Where the mismatch lies: in the moments, the shape, the margins, the dependence."""
    error = observed.standard_error
    moment = moments.moment_kl(q)
    yield from _by_dimension(q, observed, split, note)
    yield Measurement(split, "moment_kl", moment)
    yield Measurement(split, "negentropy", observed.marginal_kl - moment, error, message=note)
    yield Measurement(split, "second_moment", moments.second_moment(q))
    yield Measurement(split, "variance_law", moments.variance_law(q))


def _by_dimension(
    q: AggregatePosterior, observed: divergences.Decomposition, split: str, note: str
) -> Iterator[Measurement]:
    """Means over the active dimensions, and what is left of the joint KL beyond all dimensions."""
    active = moments.active(q)
    dimensions, errors = marginals.kl_per_dimension(q)
    inaccurate = int((~(errors <= _INACCURATE)).sum())
    where = "1 dimension" if inaccurate == 1 else f"{inaccurate} dimensions"
    narrow = f"not defined: posteriors too narrow for quadrature in {where}"
    if inaccurate:
        yield Measurement(split, "kl_per_dimension", None, message=narrow)
        yield Measurement(split, "total_correlation", None, message=narrow)
    else:
        total = marginals.total_correlation(observed.marginal_kl, dimensions)
        if active.any():
            mean, error = float(dimensions[active].mean()), float(errors[active].max())
            yield Measurement(split, "kl_per_dimension", mean, error)
        else:
            yield Measurement(split, "kl_per_dimension", None, message=_NO_ACTIVE)
        error = observed.standard_error
        yield Measurement(split, "total_correlation", total, error, message=note)
    if active.any():
        kurtosis = float(marginals.excess_kurtosis(q)[active].mean())
        yield Measurement(split, "excess_kurtosis", kurtosis)
    else:
        yield Measurement(split, "excess_kurtosis", None, message=_NO_ACTIVE)


def _gauge_fixed(
    q: AggregatePosterior, prior: Prior, split: str, settings: AuditSettings
) -> Iterator[Measurement]:
    """The match after every dimension was shifted and rescaled to mean 0 and variance 1."""
    fixed, source = marginals.gauge_fix(q), "gauge_fixed"
    observed, seen = _observed(fixed, prior, split, settings.seed)
    error, kl = observed.standard_error, observed.marginal_kl
    yield Measurement(split, "rate", observed.rate, source=source)
    yield Measurement(split, "marginal_kl", kl, error, source=source, message=seen)
