"""May I sample from the prior? Asked from Python: `audit`, `audit_samples` and `answers`.

They measure what :mod:`vaelib.audits` measures. Beside it they take numbers in the forms that
people have them in, compute on the threads that are fastest, say how far they are where it takes
long, and return a :class:`vaelib.report.Report`.
"""

from vaelib.arguments.tables import Table
from vaelib.asking.found import found_of
from vaelib.asking.taken import points_of, posteriors_of
from vaelib.audits.measurement import Measurement, Progress, Terms
from vaelib.audits.moment_answers import Answer
from vaelib.audits.settings import DEFAULTS
from vaelib.audits.verdict import MARGIN
from vaelib.priors import Prior
from vaelib.report import Report
from vaelib.stats.nulls import NormalNull

__all__ = ["answers", "audit", "audit_samples"]


def audit(
    mean: Table,
    scale: Table,
    prior: str | Prior = "normal",
    heldout: tuple[Table, Table] | None = None,
    *,
    seed: int = DEFAULTS.seed,
    margin: float = MARGIN,
    null_draws: int = DEFAULTS.null_draws,
    test_rows: int = DEFAULTS.test_rows,
    alpha: float = DEFAULTS.alpha,
    groups: Table | None = None,
    null: NormalNull = DEFAULTS.null,
    progress: Progress | bool | None = None,
    terms: Terms = DEFAULTS.terms,
) -> Report[Measurement]:
    """Measure how the aggregate posterior matches its prior, and answer whether it does.

    The numbers are those of :func:`vaelib.audits.audit.audit`, which says how they are taken.

    Args:
        mean: posterior means of the training inputs, shape (N, D): a tensor of any type and on any
            device, an array, a nested list or a data frame with a row for each input.
        scale: their standard deviations, shape (N, D). All 0 where the encoder is deterministic.
        prior: a name of ``vaelib.priors.PRIORS`` that nothing must be learned for (``"normal"``,
            ``"uniform"``), or a :class:`vaelib.priors.Prior`.
        heldout: mean and scale of inputs that were not trained on, each of shape (n, D).
        seed: of the streams that the Monte Carlo estimates draw from.
        margin: KL in nats that still counts as a match.
        null_draws: simulated draws of the null of the marginal KL.
        test_rows: inputs that the tests see at most, a random choice.
        alpha: one-sided level of both ends of the bracket.
        groups: integer labels of shape (n,) of held-out inputs, or where there are none of the
            inputs, that are not independent: augmented copies, frames of a film.
        null: null draws of the tests, with where to keep them.
        progress: told how far each stage is. None says it on standard error where it takes over
            3 s, but not in a test of pytest; True says it there, too, False nowhere.
        terms: told the gain of every held-out input, where all of them are played.

    Returns:
        A report, which is the sequence of its measurements: of split ``"train"`` and, where given,
        ``"test"``; nats unless the metric has another unit.

    Raises:
        TypeError: for what is no table of numbers, or a setting of another kind.
        ValueError: for inputs of the wrong shape, type or range, or an unknown prior.

    Example:
        >>> import torch
        >>> from vaelib import audit
        >>> generator = torch.Generator().manual_seed(0)
        >>> mean = 1.5 * torch.randn(500, 2, generator=generator)
        >>> found = audit(mean, torch.full_like(mean, 0.6))
        >>> found.ok, found.verdict, found.bracket.lower > 0.2
        (False, 'no', True)
        >>> {row.metric: row for row in found}["certified_kl"].split
        'train'
    """
    found = found_of(
        posteriors_of(mean, scale, heldout, groups),
        prior,
        progress,
        margin,
        seed=seed,
        null_draws=null_draws,
        test_rows=test_rows,
        alpha=alpha,
        null=null,
        terms=terms,
    )
    return Report(found.rows, found.rows, found.answers, found.asked)


def answers(
    mean: Table,
    scale: Table,
    heldout: tuple[Table, Table] | None = None,
    *,
    seed: int = DEFAULTS.seed,
    margin: float = MARGIN,
    alpha: float = DEFAULTS.alpha,
    groups: Table | None = None,
    prior: str | Prior = "normal",
    progress: Progress | bool | None = None,
) -> Report[Answer]:
    """Audit an encoder against its prior and answer in words.

    Args:
        mean: posterior means of the training inputs, shape (N, D), as of :func:`audit`.
        scale: their standard deviations, shape (N, D); all 0 where the encoder is deterministic.
        heldout: mean and scale of inputs that were not trained on, each of shape (n, D).
        seed: of the streams that the Monte Carlo estimates draw from.
        margin: KL in nats that still counts as a match.
        alpha: one-sided level of both ends of the bracket.
        groups: integer labels of inputs that are not independent, as of :func:`audit`.
        prior: a name of ``vaelib.priors.PRIORS`` that nothing must be learned for (``"normal"``,
            ``"uniform"``), or a :class:`vaelib.priors.Prior`.
        progress: as of :func:`audit`.

    Returns:
        A report, which is the sequence of its answers: the first is whether the prior is safe to
        sample, the last what would help.

    Raises:
        TypeError: for what is no table of numbers, or a setting of another kind.
        ValueError: for inputs that :func:`audit` refuses, or a margin that is not positive.

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> def encode(n):
        ...     return 0.8 * torch.randn(n, 2, generator=generator), torch.full((n, 2), 0.6)
        >>> found = answers(*encode(3000), encode(1000))
        >>> for answer in found[:4:3]:
        ...     print(answer.question, "-", answer.verdict)
        is N(0, I) safe to sample? - yes
        scale - right
        >>> print(str(found).splitlines()[0])
        May I sample from N(0, I)? YES.
    """
    found = found_of(
        posteriors_of(mean, scale, heldout, groups),
        prior,
        progress,
        margin,
        seed=seed,
        alpha=alpha,
    )
    return Report(found.answers, found.rows, found.answers, found.asked)


def audit_samples(
    z: Table,
    prior: str | Prior = "normal",
    *,
    seed: int = DEFAULTS.seed,
    margin: float = MARGIN,
    test_rows: int = DEFAULTS.test_rows,
    alpha: float = DEFAULTS.alpha,
    groups: Table | None = None,
    null: NormalNull = DEFAULTS.null,
    progress: Progress | bool | None = None,
) -> Report[Measurement]:
    """Measure how bare latents match a prior: what can be said without their posteriors.

    The numbers are those of :func:`vaelib.audits.audit.audit_samples`.

    Args:
        z: one latent per distinct input, shape (n, D), n at least 2; in any form that
            :func:`audit` takes.
        prior: as of :func:`audit`.
        seed: of the streams that the Monte Carlo estimates draw from.
        margin: KL in nats that still counts as a match.
        test_rows: rows that the tests see at most, a random choice.
        alpha: one-sided level of the lower end.
        groups: integer labels of shape (n,) of rows that are not independent.
        null: null draws of the tests, with where to keep them.
        progress: as of :func:`audit`.

    Returns:
        A report, which is the sequence of its measurements, of split ``"sample"``. What needs a
        density has no value and says so, and the answer is never yes.

    Raises:
        TypeError: for what is no table of numbers, or a setting of another kind.
        ValueError: for z of the wrong shape or range, or an unknown prior.

    Example:
        >>> import torch
        >>> z = 1.4 * torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
        >>> rows = {row.metric: row for row in audit_samples(z)}
        >>> round(rows["second_moment"].value), rows["marginal_kl"].message
        (2, 'needs the mean and scale of every posterior')
    """
    settings = {"seed": seed, "test_rows": test_rows, "alpha": alpha, "null": null}
    found = found_of(points_of(z, groups), prior, progress, margin, **settings)
    return Report(found.rows, found.rows, found.answers, found.asked)
