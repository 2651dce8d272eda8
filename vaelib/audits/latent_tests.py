"""The panel of tests of q = p on one z per distinct input."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from vaelib.audits.lacking import NO_SAMPLE, lacks
from vaelib.audits.measurement import Measurement, ticks
from vaelib.audits.settings import AuditSettings
from vaelib.priors import Normal, Prior
from vaelib.seeding import stream
from vaelib.stats import mmd
from vaelib.stats.classifier import classifier_prior_test
from vaelib.stats.goodness_of_fit import GOODNESS_OF_FIT_TESTS, panel_nulls
from vaelib.stats.prior_tests import PRIOR_TESTS, mmd_squared_prior
from vaelib.stats.sample_moments import SAMPLE_MOMENTS, jackknife

__all__ = ["bare_moments", "panel"]

_INFINITE = "infinite: some dimension has no spread, or the z lie on a plane"


def bare_moments(z: Tensor, split: str) -> Iterator[Measurement]:
    """The moments of bare points against those of N(0, I).

    Args:
        z: shape (n, D).
        split: named in the measurements.

    Yields:
        Measurements; without a value where they need more rows, with the reason.
    """
    for metric, statistic in SAMPLE_MOMENTS.items():
        try:
            value, error = jackknife(statistic, z)
            yield Measurement(split, metric, value, error, message=_INFINITE * (value is None))
        except ValueError as error:
            yield Measurement(split, metric, None, message=str(error))


def panel(z: Tensor, prior: Prior, split: str, settings: AuditSettings) -> Iterator[Measurement]:
    """Test one z per distinct input against the prior, with the effect sizes.

    Args:
        z: shape (n, D).
        prior: the prior.
        split: named in the measurements.
        settings: of the audit.

    Yields:
        Measurements.
    """
    seed = settings.seed
    tick = ticks(settings.progress, f"tests of {split}", 1 + len(GOODNESS_OF_FIT_TESTS))
    order = torch.randperm(len(z), generator=stream(f"rows {split}", seed))
    few = z[order[: settings.test_rows]]
    drawn = not lacks(prior, "sample")
    if len(z) >= 8 and not drawn:
        yield from _undrawn(split, "c2st_auc", "c2st_test")
    elif len(z) >= 8:
        many = z[order[: settings.classified]]
        result = classifier_prior_test(many, prior.sample, generator=stream(f"c2st {split}", seed))
        yield Measurement(split, "c2st_auc", result.statistic)
        yield Measurement(split, "c2st_test", result.statistic, p_value=result.p_value)
    tick()
    if len(z) < 2:
        return
    if len(z) > settings.kernel_rows:
        z = z[order[: settings.kernel_rows]]
    if not drawn:
        yield from _undrawn(split, "mmd_squared", *PRIOR_TESTS)
        return
    if type(prior) is not Normal:  # one that inherits from it may be another law
        yield from _against_draws(z, few, prior, split, seed)
        return
    squared = mmd.mmd_squared_normal_unbiased(z, [math.sqrt(z.shape[1])])
    yield Measurement(split, "mmd_squared", float(squared))
    panel_nulls(len(few), few.shape[1], settings.null)
    for metric, test in GOODNESS_OF_FIT_TESTS.items():
        try:
            result = test(few, settings.null)
        except ValueError as error:
            yield Measurement(split, metric, None, message=str(error))
            continue
        finally:
            tick()
        value, p_value = _finite(result.statistic), result.p_value
        note = _INFINITE * (value is None)
        yield Measurement(split, metric, value, p_value=p_value, message=note)


def _against_draws(
    z: Tensor, few: Tensor, prior: Prior, split: str, seed: int
) -> Iterator[Measurement]:
    """The tests against a prior without a closed form: fresh draws of it, permuted labels."""
    squared = mmd_squared_prior(z, prior.sample, stream(f"mmd_squared {split}", seed))
    yield Measurement(split, "mmd_squared", squared)
    for metric, test in PRIOR_TESTS.items():
        result = test(few, prior.sample, stream(f"{metric} {split}", seed))
        yield Measurement(split, metric, result.statistic, p_value=result.p_value)


def _undrawn(split: str, *metrics: str) -> Iterator[Measurement]:
    """Why nothing is compared with draws of a prior that has none."""
    for metric in metrics:
        yield Measurement(split, metric, None, message=NO_SAMPLE)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
