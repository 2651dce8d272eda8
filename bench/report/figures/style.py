"""How figures look, and how they are saved."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

__all__ = ["STYLE", "WIDTH", "save"]


STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.06,
    "hatch.linewidth": 0.8,
    "savefig.dpi": 160,
}


WIDTH = 8.0  # inches


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without the metadata that would change between runs.

    Args:
        figure: The figure.
        path: The file; its folder is made when it is absent.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figure.savefig(path, format="png", metadata={"Software": None})
