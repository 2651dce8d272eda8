"""The marginals of the aggregate posterior against N(0, 1), quantile by quantile."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import ndtri

from bench.analysis.quantiles import SHARES, quantile_band
from bench.report.figures.scales import SQUEEZED, middle_of
from bench.report.figures.style import STYLE, WIDTH, as_it_is
from vaelib.numerics.arrays import Floats

__all__ = ["quantile_plot"]


_COLUMNS = 4
_LEAST = 0.3  # that every panel shows, above and below 0
_TITLE = 100  # characters of 8.5 points in the width of the figure


def quantile_plot(
    quantiles: Mapping[str, Floats], counts: Mapping[str, int] | None = None
) -> Figure:
    """Draw quantiles of q_j less those of N(0, 1), one line per dimension.

    Args:
        quantiles: Label -> quantiles at ``SHARES``, shape (D, len(SHARES)).
        counts: Label -> independent inputs that they are of; without it a panel has no band.

    Returns:
        The figure, one panel per label; a level line at 0 is a perfect match, a slope a wrong
        scale, an S a wrong shape. One that would squeeze the others has a scale of its
        own, in bold. In grey the simultaneous 95 % band of as many draws from N(0, 1)
        as there are inputs.
    """
    across = min(_COLUMNS, len(quantiles))
    down = -(-len(quantiles) // across)
    normal = ndtri(SHARES)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.7 + 1.75 * down), layout="constrained")
        panels = figure.subplots(down, across, sharex=True, squeeze=False).ravel()
        for axes, (label, values) in zip(panels, quantiles.items(), strict=False):
            shade = max(0.25, min(0.9, 2 / len(values)))
            n = (counts or {}).get(label)
            if n:
                axes.fill_between(normal, *quantile_band(n), color="#e4e4e4", lw=0)
            axes.axhline(0, c="#555555", lw=0.9, ls=":")
            axes.plot(normal, (values - normal).T, c="#0072B2", lw=1.2, alpha=shade)
            of = f", N = {n:,}" if n else ""
            about = f"(D = {len(values)}{of})".replace(" ", "\u00a0")
            title = f"{label}  {about}"
            axes.set_title(as_it_is(fill(title, _TITLE // across)), fontsize=8.5)
            axes.grid(axis="y")
        _limit(
            list(panels[: len(quantiles)]),
            [values - normal for values in quantiles.values()],
            across,
        )
        for axes in panels[len(quantiles) :]:
            axes.set_axis_off()
        figure.supxlabel("quantile of N(0, 1)", fontsize=9)
        figure.supylabel("quantile of $q_j$ less that", fontsize=9)
    return figure


def _limit(panels: Sequence[Axes], deviations: Sequence[Floats], across: int) -> None:
    """One scale for all panels, but for those that would squeeze the others: these have their own.

    The band may leave a panel.
    """
    sizes = np.array([max(float(np.abs(values).max()), _LEAST) for values in deviations])
    alike = sizes <= SQUEEZED * middle_of(sizes)
    most = float(sizes[alike].max())
    for place, (axes, size, same) in enumerate(zip(panels, sizes, alike, strict=True)):
        limit = 1.1 * (most if same else size)
        axes.set_ylim(-limit, limit)
        if same:
            axes.tick_params(labelleft=place % across == 0)
        else:
            for text in axes.get_yticklabels():
                text.set_fontweight("bold")
