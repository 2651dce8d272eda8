"""Axes that few large values do not squeeze."""

import math
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.scale import SymmetricalLogScale
from matplotlib.ticker import FuncFormatter, NullLocator, SymmetricalLogLocator

from vaelib.numerics.arrays import Floats

__all__ = ["SQUEEZED", "middle_of", "unsqueeze"]

SQUEEZED = 8
"""Times the middle size, from which on the largest would squeeze a linear axis."""


def middle_of(sizes: Floats) -> float:
    """The median; of two in the middle the lower one, which the larger may squeeze."""
    return float(np.sort(sizes)[(len(sizes) - 1) // 2])


def unsqueeze(axes: Axes, which: Literal["x", "y"], values: Floats) -> str:
    """Make an axis logarithmic away from 0 where few values would squeeze the others.

    Args:
        axes: In which they are drawn.
        which: Their axis.
        values: What is drawn along it; NaN is not.

    Returns:
        What to say of the scale; empty where it stays linear.
    """
    sizes = np.abs(values[np.isfinite(values)])
    middle = middle_of(sizes) if len(sizes) else 0.0
    if not middle or sizes.max() < SQUEEZED * middle:
        return ""
    linear = 10.0 ** math.floor(math.log10(middle))
    decades = math.log10(sizes.max() / linear)
    subs = [1.0] if decades > 2 else [1.0, 3.0] if decades > 1 else [1.0, 2.0, 5.0]
    axis = axes.xaxis if which == "x" else axes.yaxis
    axes.set(**{f"{which}scale": SymmetricalLogScale(axis, linthresh=linear)})
    axes.autoscale(axis=which)
    axis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=linear, subs=subs))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    return f"; log beyond {linear:g}"
