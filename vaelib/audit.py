"""Everything the suite can say about one posterior and its prior.

The harness and a user's own model go through the same function.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vaelib.posterior import AggregatePosterior
from vaelib.priors import PRIORS, Normal, Prior
from vaelib.seeding import stream
from vaelib.stats import divergences, holes, marginals, mmd
from vaelib.stats.checks import as_points
from vaelib.stats.classifier import classifier_prior_test
from vaelib.stats.goodness_of_fit import GOODNESS_OF_FIT_TESTS
from vaelib.stats.nulls import NormalNull
from vaelib.stats.prior_tests import PRIOR_TESTS, mmd_squared_prior
from vaelib.stats.sample_moments import SAMPLE_MOMENTS, jackknife

__all__ = [
    "CLASSIFIED",
    "KERNEL_ROWS",
    "TEST_ROWS",
    "Measurement",
    "Progress",
    "audit",
    "audit_samples",
]

TEST_ROWS = 500
"""Inputs that the tests see at most, by default."""

CLASSIFIED = 2000
"""Inputs that the classifier sees at most."""

KERNEL_ROWS = 10_000
"""Inputs that the unbiased MMD and the hole mass see at most."""

_PAIRS = 1 << 25  # (point, component) pairs up to which every component is evaluated at its z

_NEEDS_POSTERIORS = "needs the mean and scale of every posterior"
_NO_DENSITY = "not defined: the encoder is deterministic, its latents have no density"
_DENSITIES = (
    "rate",
    "mutual_information",
    "marginal_kl",
    "marginal_kl_excess",
    "marginal_kl_loo",
    "kl_per_dimension",
    "total_correlation",
    "negentropy",
    "hole_mass",
)

Progress = Callable[[str, int, int], None]
"""Told what is being measured, how many steps of it are done, and of how many."""


def _silent(stage: str, done: int, of: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Measurement:
    """One number about one split.

    Attributes:
        split: ``"train"`` or ``"test"``; ``"sample"`` where only z was given.
        source: empty for the posterior itself, ``"gauge_fixed"`` for the standardised one.
        metric: name of the metric.
        value: in the metric's unit; None where it is not defined.
        standard_error: Monte Carlo standard error of the value, None where it is exact.
        p_value: of a test, else None.
        message: what a reader must know about this number.
    """

    split: str
    metric: str
    value: float | None
    standard_error: float | None = None
    p_value: float | None = None
    source: str = ""
    message: str = ""


def audit(
    mean: Tensor,
    scale: Tensor,
    prior: str | Prior = "normal",
    heldout: tuple[Tensor, Tensor] | None = None,
    *,
    seed: int = 0,
    null_draws: int = 99,
    test_rows: int = TEST_ROWS,
    null: NormalNull = NormalNull(),  # noqa: B008  # frozen
    progress: Progress = _silent,
) -> list[Measurement]:
    """Measure how the aggregate posterior matches its prior.

    Beyond about 5,800 inputs the density, which costs N D per z, is taken at z of a random subset
    of them; the mixture stays whole, the estimates unbiased; messages and standard errors say so.

    Args:
        mean: posterior means of the training inputs, shape (N, D).
        scale: their standard deviations, shape (N, D). All 0 where the encoder is deterministic:
            what needs a density then has no value and says so.
        prior: a name of ``vaelib.priors.PRIORS`` or a prior, whose family the posteriors have.
        heldout: mean and scale of inputs that were not trained on, each of shape (n, D).
        seed: of the streams that the Monte Carlo estimates draw from.
        null_draws: simulated draws of the null of the marginal KL.
        test_rows: inputs that the tests see at most, a random choice; the classifier sees up to
            2,000. One number for all gives them the same power on every data set, and with many
            every difference is significant.
        null: null draws of the tests, with where to keep them.
        progress: told how far each stage is.

    Returns:
        Measurements of split ``"train"`` and, where given, ``"test"``; nats unless the metric is
        dimensionless.

    Raises:
        ValueError: for inputs of the wrong shape, type or range, or an unknown prior.

    Example:
        >>> from vaelib import audit
        >>> generator = torch.Generator().manual_seed(0)
        >>> mean = 0.8 * torch.randn(500, 2, generator=generator)
        >>> rows = audit(mean, torch.full_like(mean, 0.6))
        >>> excess = next(row for row in rows if row.metric == "marginal_kl_excess")
        >>> abs(excess.value) < 0.05
        True
    """
    if test_rows < 2:
        raise ValueError(f"test_rows must be at least 2, got {test_rows}")
    if _are_points(mean, scale):
        return _audit_points(mean, heldout, prior, seed, test_rows, null, progress)
    p = _prior(prior, AggregatePosterior(mean, scale).mean)
    q = p.family.aggregate(mean, scale)
    rows = list(_match(q, p, "train", seed, null_draws, progress))
    z = q.sample(stream("test z train", seed))[0]
    rows += _tests(z, p, "train", seed, test_rows, null, progress)
    if heldout is None:
        return rows
    held = p.family.aggregate(*heldout)
    if held.latent_dim != q.latent_dim:
        raise ValueError(
            f"heldout must have {q.latent_dim} dimensions like mean, got {held.latent_dim}"
        )
    z = held.sample(stream("test z test", seed))[0]
    rows += _match(held, p, "test", seed, null_draws, progress)
    rows += _tests(z, p, "test", seed, test_rows, null, progress)
    if len(z) >= 100:
        rows.append(_holes(q, z, p, seed))
    return rows


def _are_points(mean: object, scale: object) -> bool:
    """Whether all scales are 0, as a deterministic encoder's are; bad input is for others."""
    if not isinstance(mean, Tensor) or not isinstance(scale, Tensor):
        return False
    return mean.shape == scale.shape and scale.numel() > 0 and bool((scale == 0).all())


def _audit_points(
    z: Tensor,
    heldout: tuple[Tensor, Tensor] | None,
    prior: str | Prior,
    seed: int,
    test_rows: int,
    null: NormalNull,
    progress: Progress,
) -> list[Measurement]:
    """The latents of a deterministic encoder, which are their own and only draws."""
    p = _prior(prior, z)
    rows: list[Measurement] = []
    if heldout is not None and not _are_points(*heldout):
        raise ValueError("heldout must have scales 0 like those of mean, got others")
    parts = {"train": z} if heldout is None else {"train": z, "test": heldout[0]}
    for split, points in parts.items():
        if points.shape[1:] != z.shape[1:]:
            raise ValueError(
                f"heldout must have {z.shape[1]} dimensions like mean, got {points.shape[-1]}"
            )
        rows += _bare(as_points(points), p, split, _NO_DENSITY)
        rows += _tests(as_points(points), p, split, seed, test_rows, null, progress)
    return rows


def _bare(z: Tensor, prior: Prior, split: str, reason: str) -> Iterator[Measurement]:
    """What latents alone say of the match, and why not more."""
    for metric in _DENSITIES:
        yield Measurement(split, metric, None, message=reason)
    if isinstance(prior, Normal):
        for metric, statistic in SAMPLE_MOMENTS.items():
            yield Measurement(split, metric, *jackknife(statistic, z))


def _holes(q: AggregatePosterior, z: Tensor, prior: Prior, seed: int) -> Measurement:
    most = KERNEL_ROWS if q.components <= KERNEL_ROWS else _points(q, 16) or KERNEL_ROWS
    try:
        share = holes.hole_mass(q, z[:most], prior, stream("holes", seed), draws=most)
    except ValueError as error:
        return Measurement("test", "hole_mass", None, message=str(error))
    note = f"at {most:,} held-out z" if len(z) > most else ""
    return Measurement("test", "hole_mass", *share, message=note)


def audit_samples(
    z: Tensor,
    prior: str | Prior = "normal",
    *,
    seed: int = 0,
    test_rows: int = TEST_ROWS,
    null: NormalNull = NormalNull(),  # noqa: B008  # frozen
    progress: Progress = _silent,
) -> list[Measurement]:
    """Measure how bare latents match a prior: what can be said without their posteriors.

    Args:
        z: one latent per distinct input, shape (n, D), n at least 2.
        prior: a name of ``vaelib.priors.PRIORS`` or a prior.
        seed: of the streams that the Monte Carlo estimates draw from.
        test_rows: rows that the tests see at most, as in :func:`audit`.
        null: null draws of the tests, with where to keep them.
        progress: told how far the tests are.

    Returns:
        Measurements of split ``"sample"``: the tests, the classifier, and against N(0, I) moments,
        their standard errors by a jackknife of 20 groups of rows. What needs a density has no
        value and says so.

    Example:
        >>> z = 1.4 * torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
        >>> rows = {row.metric: row for row in audit_samples(z)}
        >>> round(rows["second_moment"].value), rows["marginal_kl"].message
        (2, 'needs the mean and scale of every posterior')
    """
    z = as_points(z)
    p = _prior(prior, z)
    rows = list(_bare(z, p, "sample", _NEEDS_POSTERIORS))
    return rows + list(_tests(z, p, "sample", seed, test_rows, null, progress))


def _points(q: AggregatePosterior, share: float = 1.0) -> int | None:
    """Components to draw z from, ``share`` times as many as for one null draw; None: all."""
    if q.components**2 <= _PAIRS:
        return None
    return min(q.components, round(share * max(200, _PAIRS // 4 // q.components)))


def _prior(prior: str | Prior, z: Tensor) -> Prior:
    """The prior that is meant for latents z, in float64 and where z is."""
    fixed = [name for name, kind in PRIORS.items() if not kind.learned]
    if isinstance(prior, str):
        if prior not in fixed:
            raise ValueError(
                f"prior must be one of {', '.join(fixed)} or a trained Prior, got {prior!r}"
            )
        return PRIORS[prior](z.shape[-1])
    if prior.latent_dim != z.shape[-1]:
        raise ValueError(
            f"prior must have the {z.shape[-1]} dimensions of mean, got {prior.latent_dim}"
        )
    return copy.deepcopy(prior).to(z.device, torch.float64)


def _match(
    q: AggregatePosterior,
    prior: Prior,
    split: str,
    seed: int,
    null_draws: int,
    progress: Progress,
) -> Iterator[Measurement]:
    """How far the mixture of one split is from the prior."""
    stage = f"density of {split}"
    progress(stage, 0, 2)
    parts, note = _observed(q, prior, split, seed)
    progress(stage, 1, 2)
    error = parts.standard_error
    floor = divergences.marginal_kl_floor(parts.rate, q.components)
    saturated = divergences.is_saturated(parts.rate, q.components)
    yield Measurement(split, "rate", parts.rate, parts.rate_error or None)
    information = parts.mutual_information, parts.information_error
    yield Measurement(split, "mutual_information", *information, message=note)
    yield Measurement(split, "marginal_kl", parts.marginal_kl, error, message=note)
    yield Measurement(split, "marginal_kl_floor", floor)
    yield Measurement(split, "saturated", float(saturated))
    if q.components > 1:
        few = _points(q, 16)
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
    yield Measurement(split, "active_units", float(divergences.active_units(q)))


def _observed(
    q: AggregatePosterior, prior: Prior, split: str, seed: int
) -> tuple[divergences.Decomposition, str]:
    """The rate and its parts, and at how many inputs where that is not all of them."""
    few = _points(q, 16)
    draws = 4 if few is None else 1
    parts = divergences.decompose(q, prior, stream(f"z {split}", seed), draws, few)
    return parts, _seen(few)


def _seen(few: int | None) -> str:
    """At how many z a density was taken, where that is not all of them."""
    return "" if few is None else f"density at z of {few:,} random inputs"


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _ticks(progress: Progress, stage: str, of: int) -> Callable[[], None]:
    """What to call after each of the steps of a stage."""
    count = iter(range(1, of + 1))
    return lambda: progress(stage, next(count), of)


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
    tick = _ticks(progress, f"null of {split}", draws)
    null = divergences.marginal_kl_null(q, stream(f"null {split}", seed), draws, _points(q), tick)
    excess, error = null.excess(observed)
    note = "" if null.exact else "some scales exceed 1: the null is approximate"
    again, few = stream(f"null z {split}", seed), _points(q)
    exchangeable = divergences.decompose(q, prior, again, points=few)
    seen = _joined(note, _seen(_points(q, 16)))
    note = _joined(note, _seen(few))
    yield Measurement(split, "marginal_kl_null", null.mean, null.standard_error, message=note)
    yield Measurement(split, "marginal_kl_excess", excess, error, message=seen)
    value, p_value = exchangeable.marginal_kl, null.p_value(exchangeable)
    yield Measurement(split, "marginal_kl_null_test", value, p_value=p_value, message=note)


def _against_normal(
    q: AggregatePosterior, parts: divergences.Decomposition, split: str, note: str
) -> Iterator[Measurement]:
    """Where the mismatch lies: in the moments, the shape, the margins, the dependence."""
    error = parts.standard_error
    moment = divergences.moment_kl(q)
    dimensions, wrong = marginals.kl_per_dimension(q)
    total = marginals.total_correlation(parts.marginal_kl, dimensions)
    yield Measurement(split, "kl_per_dimension", float(dimensions.mean()), float(wrong.max()))
    yield Measurement(split, "total_correlation", total, error, message=note)
    yield Measurement(split, "moment_kl", moment)
    yield Measurement(split, "negentropy", parts.marginal_kl - moment, error, message=note)
    yield Measurement(split, "second_moment", divergences.second_moment(q))
    yield Measurement(split, "excess_kurtosis", float(marginals.excess_kurtosis(q).mean()))
    yield Measurement(split, "variance_law", divergences.variance_law(q))


def _gauge_fixed(
    q: AggregatePosterior, prior: Prior, split: str, seed: int, draws: int, progress: Progress
) -> Iterator[Measurement]:
    """The match after every dimension was shifted and rescaled to mean 0 and variance 1."""
    fixed, draws = marginals.gauge_fix(q), max(2, draws // 4)
    parts, seen = _observed(fixed, prior, split, seed)
    tick = _ticks(progress, f"rescaled null of {split}", draws)
    null = divergences.marginal_kl_null(
        fixed, stream(f"null {split}", seed), draws, _points(fixed), tick
    )
    note = "" if null.exact else "some scales exceed 1: the null is approximate"
    error, excess = parts.standard_error, null.excess(parts)
    source = "gauge_fixed"
    yield Measurement(split, "rate", parts.rate, source=source)
    yield Measurement(split, "marginal_kl", parts.marginal_kl, error, source=source, message=seen)
    note = _joined(note, seen)
    yield Measurement(split, "marginal_kl_excess", *excess, source=source, message=note)


def _tests(
    z: Tensor,
    prior: Prior,
    split: str,
    seed: int,
    rows: int,
    null: NormalNull,
    progress: Progress,
) -> Iterator[Measurement]:
    """The panel of tests on one z per distinct input, and their effect sizes."""
    tick = _ticks(progress, f"tests of {split}", 1 + len(GOODNESS_OF_FIT_TESTS))
    order = torch.randperm(len(z), generator=stream(f"rows {split}", seed))
    few = z[order[:rows]]
    if len(z) >= 8:
        many = z[order[:CLASSIFIED]]
        outcome = classifier_prior_test(many, prior.sample, generator=stream(f"c2st {split}", seed))
        yield Measurement(split, "c2st_auc", outcome.statistic)
        yield Measurement(split, "c2st_test", outcome.statistic, p_value=outcome.p_value)
    tick()
    if len(z) < 2:
        return
    if len(z) > KERNEL_ROWS:
        z = z[order[:KERNEL_ROWS]]
    if not isinstance(prior, Normal):
        yield from _against_draws(z, few, prior, split, seed)
        return
    squared = mmd.mmd_squared_normal_unbiased(z, [math.sqrt(z.shape[1])])
    yield Measurement(split, "mmd_squared", float(squared))
    for metric, test in GOODNESS_OF_FIT_TESTS.items():
        try:
            outcome = test(few, null)
        except ValueError as error:
            yield Measurement(split, metric, None, message=str(error))
            continue
        finally:
            tick()
        yield Measurement(split, metric, _finite(outcome.statistic), p_value=outcome.p_value)


def _against_draws(
    z: Tensor, few: Tensor, prior: Prior, split: str, seed: int
) -> Iterator[Measurement]:
    """The tests against a prior without a closed form: fresh draws of it, permuted labels."""
    squared = mmd_squared_prior(z, prior.sample, stream(f"mmd_squared {split}", seed))
    yield Measurement(split, "mmd_squared", squared)
    for metric, test in PRIOR_TESTS.items():
        outcome = test(few, prior.sample, stream(f"{metric} {split}", seed))
        yield Measurement(split, metric, outcome.statistic, p_value=outcome.p_value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
