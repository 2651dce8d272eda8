from dataclasses import replace

import numpy as np

from bench.analysis.comparison import rankings
from bench.metrics.registry import METRICS
from bench.report.figures.ranks import rank_plot
from tests.bench.synthetic import synthetic_rows

EXCESS = replace(METRICS["marginal_kl_excess"], better="lower", across_dimensions=True)
"""Saturation ranks fewer by it."""
ELBO = METRICS["elbo"]


def plotted(frame, *metrics):
    """The rank plot of the test split."""
    panels = [(metric, "", rankings(frame, metric, "test")) for metric in metrics]
    return rank_plot(panels, list(frame["config"].unique()))


def test_bars_are_the_rank_intervals_and_colours_the_tie_groups():
    frame = synthetic_rows(6)
    figure = plotted(frame, EXCESS, ELBO)
    for axes, metric in zip(figure.axes, (EXCESS, ELBO), strict=True):
        board = rankings(frame, metric, "test")
        bars = [s for c in axes.collections for s in c.get_segments()]
        spans = sorted((round(b[0, 0] + 0.3), round(b[1, 0] - 0.3)) for b in bars)
        assert spans == sorted(zip(board["rank_low"], board["rank_high"], strict=True))
        dots = [line for line in axes.get_lines() if line.get_marker() == "o"]
        blue = [line for line in dots if line.get_color() == "#0072B2"]
        assert sum(len(line.get_xdata()) for line in blue) == board["tie"].sum()
        assert sorted(np.concatenate([line.get_xdata() for line in dots])) == [
            *range(1, len(board) + 1)
        ]


def test_long_names_break_between_their_parts():
    frame = synthetic_rows(3)
    long = "latent_dim-8--prior-mixture-components-50--objective-beta-2"
    renamed = frame.assign(config=frame["config"].replace("latent_dim-8", long))
    figure = plotted(renamed, ELBO)
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert long.replace("--", "--\n") in names
    assert "encoder_hidden-200-200-200" in names


def test_a_metric_that_ranks_nobody_has_no_panel():
    frame = synthetic_rows(3)
    nobody = frame[frame["metric"] != "elbo"]
    figure = plotted(nobody, ELBO, EXCESS)
    (panel,) = figure.axes
    assert panel.get_title("left").startswith("excess given scale")
