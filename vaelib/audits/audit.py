"""Everything the suite can say about one posterior and its prior.

The harness and a user's own model go through the same function.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from vaelib.arguments.plain import shown
from vaelib.arguments.tensors import Numbers
from vaelib.audits.certified import bracket
from vaelib.audits.densities import SHARE, match, points_of
from vaelib.audits.given import as_held_out, as_posteriors, group_labels
from vaelib.audits.lacking import NO_SAMPLE, lacks, rated
from vaelib.audits.latent_tests import bare_moments, panel
from vaelib.audits.latents import Latents
from vaelib.audits.measurement import Measurement, Progress, Terms
from vaelib.audits.settings import DEFAULTS, AuditSettings
from vaelib.box_posterior import aggregate
from vaelib.posterior import AggregatePosterior
from vaelib.priors import PRIORS, Normal, Prior
from vaelib.seeding import stream
from vaelib.stats import holes
from vaelib.stats.checks import as_points
from vaelib.stats.nulls import NormalNull

__all__ = ["audit", "audit_samples"]

_NEEDS_POSTERIORS = "needs the mean and scale of every posterior"
_NO_DENSITY = "not defined: the encoder is deterministic, its latents have no density"
_DENSITIES = (
    "certified_kl_upper",
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


def audit(
    mean: Numbers,
    scale: Numbers,
    prior: str | Prior = "normal",
    heldout: tuple[Numbers, Numbers] | None = None,
    *,
    seed: int = DEFAULTS.seed,
    null_draws: int = DEFAULTS.null_draws,
    test_rows: int = DEFAULTS.test_rows,
    alpha: float = DEFAULTS.alpha,
    groups: Numbers | None = None,
    null: NormalNull = DEFAULTS.null,
    progress: Progress = DEFAULTS.progress,
    terms: Terms = DEFAULTS.terms,
) -> list[Measurement]:
    """Measure how the aggregate posterior matches its prior.

    Beyond about 5,800 inputs the density, which costs N D per z, is taken at z of a random subset
    of them; the mixture stays whole, the estimates unbiased; messages and standard errors say so.

    Args:
        mean: posterior means of the training inputs, shape (N, D).
        scale: their standard deviations, shape (N, D). All 0 where the encoder is deterministic:
            what needs a density then has no value and says so.
        prior: a name of ``vaelib.priors.PRIORS`` or a prior, whose family the posteriors have. The
            bracket needs its ``log_prob`` alone; what needs draws of it, or its KL, has no value
            where it has none, and says so.
        heldout: mean and scale of inputs that were not trained on, each of shape (n, D).
        seed: of the streams that the Monte Carlo estimates draw from.
        null_draws: simulated draws of the null of the marginal KL.
        test_rows: inputs that the tests see at most, a random choice; the classifier sees up to
            2,000. One number for all gives them the same power on every data set, and with many
            every difference is significant.
        alpha: one-sided level of both ends of the bracket.
        groups: labels of shape (n,) of held-out inputs, or where there are none of the inputs,
            that are not independent: augmented copies, frames of a film.
        null: null draws of the tests, with where to keep them.
        progress: told how far each stage is.
        terms: told the gain of every held-out input, where all of them are played.

    Returns:
        Measurements of split ``"train"`` and, where given, ``"test"``; nats unless the metric is
        dimensionless.

    Raises:
        TypeError: for what is neither a tensor nor an array, or a setting of another kind.
        ValueError: for inputs of the wrong shape, type or range, or an unknown prior.

    Example:
        >>> from vaelib import audit
        >>> generator = torch.Generator().manual_seed(0)
        >>> mean = 0.8 * torch.randn(500, 2, generator=generator)
        >>> rows = audit(mean, torch.full_like(mean, 0.6))
        >>> lower = next(row for row in rows if row.metric == "certified_kl_lower")
        >>> lower.value < 0.05
        True
    """
    settings = AuditSettings(
        seed, null_draws, test_rows, alpha=alpha, null=null, progress=progress, terms=terms
    )
    mean, scale = as_posteriors(mean, scale)
    pair = as_held_out(heldout, mean.shape[1])
    labels = group_labels(groups, len(mean) if pair is None else len(pair[0]))
    if _are_points(scale):
        return _audit_points(mean, pair, prior, settings, labels)
    if pair is not None and _are_points(pair[1]):
        raise ValueError("scale of heldout must be positive like that of mean, got 0 for all")
    p = _prior(prior, AggregatePosterior(mean, scale).mean)
    q = aggregate(p.family, mean, scale)
    z = q.sample(stream("test z train", seed))[0]
    own = [] if pair is not None else list(bracket(p, "train", Latents(z, q, labels), settings))
    rows = [*own, *match(q, p, "train", settings), *panel(z, p, "train", settings)]
    if pair is None:
        return rows
    held = aggregate(p.family, *pair)
    fitted, z = Latents(z, q), held.sample(stream("test z test", seed))[0]
    rows += bracket(p, "test", Latents(z, held, labels), settings, fitted)
    rows += match(held, p, "test", settings)
    rows += panel(z, p, "test", settings)
    if len(z) >= 100:
        rows.append(_holes(q, z, p, settings))
    return rows


def _are_points(scale: Tensor) -> bool:
    """Whether all scales are 0, as a deterministic encoder's are."""
    return bool((scale == 0).all())


def _audit_points(
    z: Tensor,
    heldout: tuple[Tensor, Tensor] | None,
    prior: str | Prior,
    settings: AuditSettings,
    groups: Tensor | None,
) -> list[Measurement]:
    """The latents of a deterministic encoder, which are their own and only draws."""
    p = _prior(prior, z)
    rows: list[Measurement] = []
    if heldout is not None and not _are_points(heldout[1]):
        raise ValueError("heldout must have scales 0 like those of mean, got others")
    own = Latents(as_points(z), groups=groups if heldout is None else None)
    if heldout is None:
        rows += bracket(p, "train", own, settings)
    splits = {"train": z} if heldout is None else {"train": z, "test": heldout[0]}
    for split, points in splits.items():
        if split == "test":
            rows += bracket(p, split, Latents(as_points(points), groups=groups), settings, own)
        rows += _bare(as_points(points), p, split, _NO_DENSITY)
        rows += panel(as_points(points), p, split, settings)
    return rows


def _bare(z: Tensor, prior: Prior, split: str, reason: str) -> Iterator[Measurement]:
    """What latents alone say of the match, and why not more."""
    for metric in _DENSITIES:
        yield Measurement(split, metric, None, message=reason)
    if type(prior) is Normal:
        yield from bare_moments(z, split)


def _holes(q: AggregatePosterior, z: Tensor, prior: Prior, settings: AuditSettings) -> Measurement:
    most = settings.kernel_rows
    if lacks(prior, "sample"):
        return Measurement("test", "hole_mass", None, message=NO_SAMPLE)
    if q.components > most:
        most = points_of(q, SHARE) or q.components
    try:
        share = holes.hole_mass(q, z[:most], prior, stream("holes", settings.seed), draws=most)
    except ValueError as error:
        return Measurement("test", "hole_mass", None, message=str(error))
    note = f"at {most:,} held-out z" if len(z) > most else ""
    return Measurement("test", "hole_mass", *share, message=note)


def audit_samples(
    z: Numbers,
    prior: str | Prior = "normal",
    *,
    seed: int = DEFAULTS.seed,
    test_rows: int = DEFAULTS.test_rows,
    alpha: float = DEFAULTS.alpha,
    groups: Numbers | None = None,
    null: NormalNull = DEFAULTS.null,
    progress: Progress = DEFAULTS.progress,
) -> list[Measurement]:
    """Measure how bare latents match a prior: what can be said without their posteriors.

    Args:
        z: one latent per distinct input, shape (n, D), n at least 2.
        prior: a name of ``vaelib.priors.PRIORS`` or a prior.
        seed: of the streams that the Monte Carlo estimates draw from.
        test_rows: rows that the tests see at most, as in :func:`audit`.
        alpha: one-sided level of the lower end.
        groups: labels of shape (n,) of rows that are not independent.
        null: null draws of the tests, with where to keep them.
        progress: told how far the tests are.

    Returns:
        Measurements of split ``"sample"``: the tests, the classifier, and against N(0, I) moments,
        their standard errors by a jackknife of 20 groups of rows. What needs a density has no
        value and says so.

    Raises:
        TypeError: for what is neither a tensor nor an array, or a setting of another kind.
        ValueError: for z of the wrong shape or range, or an unknown prior.

    Example:
        >>> z = 1.4 * torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
        >>> rows = {row.metric: row for row in audit_samples(z)}
        >>> round(rows["second_moment"].value), rows["marginal_kl"].message
        (2, 'needs the mean and scale of every posterior')
    """
    settings = AuditSettings(seed, test_rows=test_rows, alpha=alpha, null=null, progress=progress)
    z = as_points(z)
    if z.dim() != 2:
        raise ValueError(f"z must have shape (n, D), got {tuple(z.shape)}")
    p, labels = _prior(prior, z), group_labels(groups, len(z))
    rows = list(bracket(p, "sample", Latents(z, groups=labels), settings))
    rows += _bare(z, p, "sample", _NEEDS_POSTERIORS)
    return rows + list(panel(z, p, "sample", settings))


def _prior(prior: object, z: Tensor) -> Prior:
    """The prior that is meant for latents z, in float64 and where z is."""
    fixed = [name for name, kind in PRIORS.items() if not kind.learned]
    if isinstance(prior, str):
        if prior not in fixed:
            raise ValueError(
                f"prior must be one of {', '.join(fixed)} or a trained Prior, got {shown(prior)}"
            )
        return PRIORS[prior](z.shape[-1])
    if not isinstance(prior, Prior):
        raise ValueError(
            f"prior must be one of {', '.join(fixed)} or a trained Prior, got {shown(prior)}"
        )
    if prior.latent_dim != z.shape[-1]:
        raise ValueError(
            f"prior must have the {z.shape[-1]} dimensions of mean, got {prior.latent_dim}"
        )
    own = rated(prior)
    if lacks(own, "log_prob") and not (own.closed_form or own.surface):
        raise ValueError(
            f"prior must have log_prob, or a closed form of kl, got {type(prior).__name__} with "
            "neither"
        )
    return own.to(z.device, torch.float64)
