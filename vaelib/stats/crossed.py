"""The mean of a seeds × inputs table: how far it would move with other seeds and other inputs.

Where all seeds share their test inputs, the value of input i under seed s is

    y_si = mu + seed_s + input_i + rest_si,

crossed effects with variances A, B and E. The mean over S seeds and n inputs has variance

    A/S + B/n + E/(S n),

of which an interval over the S row means holds A/S + E/(S n) alone: the seeds, on these inputs.
Row means vary by A + E/n, column means by B + E/S, and what is left by E, so that

    s²_seed/S + s²_input/n - s²_rest/(S n)

is unbiased for the whole. Neither of its first two terms can exceed the truth in expectation, so
the estimate is kept at no less than the larger one. Degrees of freedom after Satterthwaite.

Where each seed draws its own test inputs there is no such table, and the spread of the seeds holds
the draw of the inputs too.

References:
    Satterthwaite (1946), An approximate distribution of estimates of variance components,
    Biometrics Bulletin 2. Searle, Casella and McCulloch (1992), Variance Components.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from vaelib.arguments.tensors import as_array
from vaelib.numerics.arrays import Floats
from vaelib.stats.checks import check_level

__all__ = ["CrossedMean", "crossed_mean"]

_LARGEST = 1e70  # fourth powers of them, of which there are many, are numbers


class CrossedMean(NamedTuple):
    """A mean over seeds and inputs, with what each of them adds to its variance.

    Attributes:
        mean: Of all values, in their unit.
        half_width: Of the interval over other seeds and other inputs.
        seeds_half_width: Of the t interval over other seeds on these inputs.
        variance: Of the mean, squared unit.
        seed_part: s²_seed/S.
        input_part: s²_input/n.
        rest_part: s²_rest/(S n), which both parts hold.
        freedom: Satterthwaite's degrees of freedom of the variance.
    """

    mean: float
    half_width: float
    seeds_half_width: float
    variance: float
    seed_part: float
    input_part: float
    rest_part: float
    freedom: float


def crossed_mean(values: Floats, level: float = 0.95) -> CrossedMean:
    """Estimate a mean over seeds and inputs that cross.

    Args:
        values: One number of each seed and input, shape (S, n), S and n at least 2.
        level: Coverage of the intervals.

    Returns:
        The mean, its intervals and the parts of its variance.

    Raises:
        ValueError: For fewer seeds or inputs, another shape, numbers that are not finite, or a
            level outside (0, 1).

    Example:
        >>> found = crossed_mean(np.array([[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]))
        >>> found.mean, round(found.seed_part, 3), round(found.input_part, 3), found.rest_part
        (3.5, 0.25, 1.333, 0.0)
    """
    check_level(level, "level")
    values = as_array(values, "values")
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError(f"values must have shape (S, n), both at least 2, got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(
            "values must be finite for each seed and input, got "
            f"{np.count_nonzero(~np.isfinite(values))} others; leave those seeds out"
        )
    if float(np.abs(values).max()) >= _LARGEST:
        raise ValueError(f"values must be below {_LARGEST:g} in size, got larger ones")
    seeds, inputs = values.shape
    mean = float(values.mean())
    rows, columns = values.mean(1), values.mean(0)
    rest = values - rows[:, None] - columns + mean
    freedoms = np.array([seeds - 1, inputs - 1, (seeds - 1) * (inputs - 1)])
    parts = np.array(
        [
            rows.var(ddof=1) / seeds,
            columns.var(ddof=1) / inputs,
            (rest**2).sum() / freedoms[2] / (seeds * inputs),
        ]
    )
    variance = max(float(parts[0] + parts[1] - parts[2]), float(parts[:2].max()))
    squares = float((parts**2 / freedoms).sum())
    freedom = variance**2 / squares if squares else float(freedoms[0])
    tail = (1 + level) / 2
    return CrossedMean(
        mean=mean,
        half_width=float(stats.t.ppf(tail, freedom)) * variance**0.5,
        seeds_half_width=float(stats.t.ppf(tail, seeds - 1) * parts[0] ** 0.5),
        variance=variance,
        seed_part=float(parts[0]),
        input_part=float(parts[1]),
        rest_part=float(parts[2]),
        freedom=freedom,
    )
