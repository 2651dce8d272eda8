"""Brackets against a factor: from the proved to the upper end, open where that says nothing."""

import math

import pytest

from bench.analysis.match import Interval, Match, Matched
from bench.report.figures.factors import factors
from bench.report.figures.style import VERDICTS


def matched(config, low, gain, high, verdict, saturated=0, collapsed=False):
    ends = [Interval(end, 0.01, 8) for end in (low, gain, high)]
    return Matched(config, *ends, verdict, 1000, saturated, collapsed)


MATCH = Match(
    "mnist",
    0.05,
    "test",
    (
        matched("base", 0.2, 0.3, 0.4, "no"),
        matched("large", 1.0, 1.2, 9.0, "no", saturated=8),
        matched("near", 0.001, 0.01, 0.04, "yes"),
        matched("bare", 0.1, 0.2, math.nan, "undecided"),
    ),
)


def bars(axes):
    return [
        line
        for line in axes.lines
        if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2
    ]


def test_each_bracket_stands_above_its_value():
    panels = [("size", {"base": "2", "large": "16"}), ("prior", {"base": "normal", "near": "flow"})]
    figure = factors(panels, MATCH)
    first, second = figure.axes[:2]
    assert [text.get_text() for text in first.get_xticklabels()] == ["2", "16"]
    closed, opened = bars(first)
    assert list(closed.get_ydata()) == pytest.approx([0.2, 0.4]) and closed.get_linewidth() == 5
    saturated = next(one for one in MATCH.configurations if one.config == "large")
    assert opened.get_ydata()[1] == saturated.upper.mean and opened.get_linewidth() < 2
    assert first.get_ylim()[1] > saturated.upper.mean
    assert [line.get_color() for line in bars(second)] == [VERDICTS["no"], VERDICTS["yes"]]
    assert first.get_ylim() == second.get_ylim() and first.get_yscale() == "log"


def test_what_has_no_upper_end_is_open_and_what_was_not_measured_is_left_out():
    axes = factors([("kind", {"bare": "z alone", "unknown": "not run"})], MATCH).axes[0]
    (only,) = bars(axes)
    assert only.get_ydata()[1] == axes.get_ylim()[1]
    assert len(axes.get_xticklabels()) == 2


def test_the_base_is_marked_wherever_it_stands_and_no_label_is_cut():
    long = "conv channels=32-64 hidden=256 and a name of many more words"
    panels = [("size", {"base": "2", "large": long}), ("kind", {"bare": "z alone", "near": "flow"})]
    figure = factors(panels, MATCH, "base")
    first, second = figure.axes[:2]
    assert len(first.patches) == 1 and not second.patches
    labels = first.get_xticklabels()
    assert [text.get_fontweight() for text in labels] == ["bold", "normal"]
    assert labels[1].get_text().split() == long.split()
    (legend,) = figure.legends
    told = [text.get_text() for text in legend.get_texts()]
    assert "base" in told and "no upper end that says anything" in told
    assert "base" not in [t.get_text() for t in factors(panels, MATCH).legends[0].get_texts()]
