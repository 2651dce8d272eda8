"""How much worse one run is than another, seed by seed where the seeds of both go together."""

import numpy as np

from vaelib.numerics.arrays import Floats

__all__ = ["worsening"]

_PAIRED = 0.25  # correlation between both runs from which pairing pays at few seeds


def worsening(ours: Floats, theirs: Floats, margin: float) -> tuple[str, Floats, Floats, Floats]:
    """Compare two runs of K configurations over S seeds.

    Standard deviations are taken as no smaller than a tenth of the margin, so that seeds which
    agree to the bit give an interval and not a division by zero. Variances of different
    configurations are not shared: where they differ, and few configurations cannot tell, an
    empirical Bayes estimate of them raised five times as many false alarms as it should.

    Args:
        ours: Values of one run, shape (S, K).
        theirs: Values of the other for the same seeds, shape (S, K).
        margin: Largest difference that does not matter, in the unit of the values.

    Returns:
        ``"paired"`` or, where the seeds of both runs do not go together, ``"Welch"``; mean of ours
        less theirs, its standard error and its degrees of freedom, each of shape (K,). The error is
        infinite at one seed.
    """
    count, least = len(ours), (margin / 10) ** 2
    mean = (ours - theirs).mean(0)
    if count < 2:
        return "paired", mean, np.full(mean.shape, np.inf), np.ones(mean.shape)
    centred = [values - values.mean(0) for values in (ours, theirs)]
    squares = [(values**2).sum() for values in centred]
    same = min(squares) <= 0
    correlation = 1.0 if same else (centred[0] * centred[1]).sum() / np.sqrt(np.prod(squares))
    if correlation >= _PAIRED:
        variance = np.maximum((ours - theirs).var(0, ddof=1), least)
        return "paired", mean, np.sqrt(variance / count), np.full(mean.shape, count - 1.0)
    errors = [np.maximum(values.var(0, ddof=1), least) / count for values in (ours, theirs)]
    total = errors[0] + errors[1]
    freedom = total**2 * (count - 1) / (errors[0] ** 2 + errors[1] ** 2)
    return "Welch", mean, np.sqrt(total), freedom
