"""Texts beside points, none on top of another."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from vaelib.numerics.arrays import Floats

__all__ = ["beside"]

_RADII = (4.0, 8.0, 14.0, 22.0, 32.0, 44.0, 58.0)  # points from a mark to the edge of its text
_LINE = 14.0  # points from which on a line leads from one to the other
_ANGLES = (35, -35, 145, -145, 90, -90, 0, 180)  # degrees, the best first
_MARK = 3.0  # points, half of what a mark takes
_ITS_OWN = 0.75  # times the distance of any other mark, within which a text belongs to its own
_PLACES = np.array(
    [
        (radius, np.cos(np.radians(angle)), np.sin(np.radians(angle)))
        for radius, angle in itertools.product(_RADII, _ANGLES)
    ]
)


def beside(
    axes: Axes, points: Floats, texts: Sequence[str], size: float, taken: Floats | None = None
) -> bool:
    """Write a text beside each point: the nearest place where nothing else is written or marked.

    No other point is about as near to a text as its own, where that can be had.

    Args:
        axes: Of a figure whose layout is settled.
        points: In the coordinates of the axes, shape (n, 2).
        texts: One for each.
        size: Of the letters, in points.
        taken: Boxes that are not written upon either: left, low, right and high end in pixels,
            shape (m, 4).

    Returns:
        Whether every text found a free place within the axes; one that did not stands where it
        hides least.
    """
    marks = axes.transData.transform(points)
    frame = np.array([axes.get_window_extent().extents])
    scale = axes.get_figure(root=True).dpi / 72  # type: ignore[union-attr]
    half, free = _MARK * scale, True
    full = np.concatenate([marks - half, marks + half], 1)
    full = full if taken is None else np.concatenate([taken, full])
    for place, text in enumerate(texts):
        note = axes.annotate(
            text,
            (float(points[place, 0]), float(points[place, 1])),
            xytext=(0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size,
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": "#888888", "shrinkB": 2.0},
        )
        assert note.arrow_patch is not None
        note.arrow_patch.set_visible(False)
        reach = np.array(note.get_window_extent().size) / 2
        centres = _PLACES[:, 1:] * (_PLACES[:, :1] * scale + reach)
        boxes = np.concatenate([marks[place] + centres - reach, marks[place] + centres + reach], 1)
        hidden = 4 * reach.prod() - _shared(boxes, frame)[:, 0] + _shared(boxes, full).sum(1)
        apart = _apart(boxes, marks)
        others = np.delete(apart, place, 1).min(1, initial=np.inf)
        unclear = apart[:, place] > _ITS_OWN * others
        best = int((np.round(hidden, 3) + unclear).argmin())
        note.xyann = tuple(centres[best] / scale)
        note.arrow_patch.set_visible(bool(_PLACES[best, 0] >= _LINE))
        full = np.concatenate([full, boxes[best : best + 1]])
        free &= bool(hidden[best] < 1)
    return free


def _apart(boxes: Floats, marks: Floats) -> Floats:
    """Distances of boxes from marks, shape (boxes, marks)."""
    low, high = boxes[:, None, :2] - marks, marks - boxes[:, None, 2:]
    distances: Floats = np.sqrt((np.maximum(np.maximum(low, high), 0) ** 2).sum(-1))
    return distances


def _shared(boxes: Floats, others: Floats) -> Floats:
    """The areas that boxes have in common with others, shape (boxes, others)."""
    low = np.maximum(boxes[:, None, :2], others[:, :2])
    high = np.minimum(boxes[:, None, 2:], others[:, 2:])
    areas: Floats = np.clip(high - low, 0, None).prod(-1)
    return areas
