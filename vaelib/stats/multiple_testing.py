"""P-values of several hypotheses, adjusted."""

import numpy as np

from vaelib.arguments.tensors import as_array
from vaelib.numerics.arrays import Floats

__all__ = ["holm"]


def holm(p_values: Floats) -> Floats:
    """Adjust p-values so that rejecting those below alpha has familywise error alpha (Holm 1979).

    Args:
        p_values: Shape (m,), of any dependence.

    Returns:
        Adjusted p-values, shape (m,).

    Raises:
        ValueError: For another shape, or what lies outside [0, 1].

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
        [0.03, 0.06, 0.06]
    """
    p_values = as_array(p_values, "p_values")
    if p_values.ndim != 1 or not ((p_values >= 0) & (p_values <= 1)).all():
        raise ValueError(
            "p_values must be numbers in [0, 1] of shape (m,), got others of shape "
            f"{p_values.shape}"
        )
    order = np.argsort(p_values, kind="stable")
    steps = np.arange(len(p_values), 0, -1) * p_values[order]
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(steps) else steps
    return adjusted
