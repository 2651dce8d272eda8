"""Everything the suite can say about one posterior and its prior.

The harness and a user's own model go through the same function.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from vaelib.posterior import AggregatePosterior
from vaelib.priors import PRIORS, Normal, Prior
from vaelib.seeding import stream
from vaelib.stats import divergences

__all__ = ["Measurement", "audit"]


@dataclass(frozen=True)
class Measurement:
    """One number about one split.

    Attributes:
        split: ``"train"`` or ``"test"``.
        source: where the latents come from; empty for the posterior itself.
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
) -> list[Measurement]:
    """Measure how the aggregate posterior matches its prior.

    Args:
        mean: posterior means of the training inputs, shape (N, D).
        scale: their standard deviations, shape (N, D).
        prior: a name of ``vaelib.priors.PRIORS`` or a prior.
        heldout: mean and scale of inputs that were not trained on, each of shape (n, D).
        seed: of the streams that the Monte Carlo estimates draw from.
        null_draws: simulated draws of each null distribution.

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
    q = AggregatePosterior(mean, scale)
    p = _prior(prior, q.latent_dim)
    rows = list(_match(q, p, "train", seed, null_draws))
    if heldout is not None:
        held = AggregatePosterior(*heldout)
        if held.latent_dim != q.latent_dim:
            raise ValueError(
                f"heldout must have {q.latent_dim} dimensions like mean, got {held.latent_dim}"
            )
        rows += _match(held, p, "test", seed, null_draws)
    return rows


def _prior(prior: str | Prior, latent_dim: int) -> Prior:
    if isinstance(prior, str):
        if prior not in PRIORS:
            raise ValueError(f"prior must be one of {', '.join(PRIORS)}, got {prior!r}")
        return PRIORS[prior](latent_dim)
    if prior.latent_dim != latent_dim:
        raise ValueError(
            f"prior must have the {latent_dim} dimensions of mean, got {prior.latent_dim}"
        )
    return prior


def _match(
    q: AggregatePosterior, prior: Prior, split: str, seed: int, null_draws: int
) -> Iterator[Measurement]:
    """Measurements of one split."""
    parts = divergences.decompose(q, prior, stream(f"z {split}", seed), draws=4)
    error = parts.standard_error
    saturated = divergences.is_saturated(parts.rate, q.components)
    floor = divergences.marginal_kl_floor(parts.rate, q.components)
    yield Measurement(split, "rate", parts.rate)
    yield Measurement(split, "mutual_information", parts.mutual_information, error)
    yield Measurement(split, "marginal_kl", parts.marginal_kl, error)
    yield Measurement(split, "marginal_kl_floor", floor)
    yield Measurement(split, "saturated", float(saturated))
    if isinstance(prior, Normal):
        yield from _against_null(q, prior, parts, split, seed, null_draws)
        moment = divergences.moment_kl(q)
        yield Measurement(split, "moment_kl", moment)
        yield Measurement(split, "negentropy", parts.marginal_kl - moment, error)
        yield Measurement(split, "second_moment", divergences.second_moment(q))
        yield Measurement(split, "variance_law", divergences.variance_law(q))
    else:
        undefined = "defined for the standard normal prior only"
        for metric in ("marginal_kl_null", "marginal_kl_excess"):
            yield Measurement(split, metric, None, message=undefined)
    yield Measurement(split, "active_units", float(divergences.active_units(q)))


def _against_null(
    q: AggregatePosterior,
    prior: Prior,
    observed: divergences.Decomposition,
    split: str,
    seed: int,
    draws: int,
) -> Iterator[Measurement]:
    null = divergences.marginal_kl_null(q, stream(f"null {split}", seed), draws)
    excess, error = null.excess(observed)
    note = "" if null.exact else "some scales exceed 1: the null is approximate"
    exchangeable = divergences.decompose(q, prior, stream(f"null z {split}", seed))
    yield Measurement(split, "marginal_kl_null", null.mean, null.standard_error, message=note)
    yield Measurement(split, "marginal_kl_excess", excess, error, message=note)
    yield Measurement(
        split,
        "marginal_kl_null_test",
        exchangeable.marginal_kl,
        p_value=null.p_value(exchangeable),
        message=note,
    )
