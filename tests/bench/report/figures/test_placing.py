"""Texts beside points hide neither each other nor a mark, and names none."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from bench.report.figures.placing import beside
from bench.report.figures.scales import unsqueeze


def boxes(axes):
    return [Text.get_window_extent(note) for note in axes.texts]


def area(one, other):
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(wide, 0) * max(high, 0)


def settled():
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    figure.draw_without_rendering()
    return axes


def test_names_of_a_crowd_do_not_overlap():
    axes, points = settled(), np.random.default_rng(0).uniform(0.4, 0.6, (12, 2))
    assert beside(axes, points, [f"configuration-{i}" for i in range(12)], 8)
    found, frame = boxes(axes), axes.get_window_extent()
    assert all(area(a, b) < 1 for i, a in enumerate(found) for b in found[:i])
    assert all(area(box, frame) == pytest.approx(box.width * box.height) for box in found)
    marks = axes.transData.transform(points)
    assert not any(box.contains(*mark) for box in found for mark in marks)


def test_what_finds_no_place_is_said_so():
    points = np.full((80, 2), 0.5)
    assert not beside(settled(), points, ["a long name of a configuration"] * 80, 8)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.1, 0.2, 0.3], "linear"),
        ([0.1, 0.2, 0.3, 74], "symlog"),
        ([0, 0, 5], "linear"),
        ([0.2, 19], "symlog"),
    ],
)
def test_an_axis_is_logarithmic_where_one_value_would_squeeze_it(values, scale):
    axes = settled()
    told = unsqueeze(axes, "x", np.array([*values, np.nan]))
    assert axes.get_xscale() == scale and bool(told) == (scale == "symlog")
