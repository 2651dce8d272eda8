from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

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


def cells(figure):
    """(column, row, text, whether it is blue) of every cell."""
    (axes,) = figure.axes
    faces = {
        (round(box.get_x() + 0.47), round(box.get_y() + 0.44)): to_hex(box.get_facecolor())
        for box in axes.patches
    }
    places = [(*map(round, text.get_position()), text.get_text()) for text in axes.texts]
    return [(x, y, text, faces[x, y] == "#0072b2") for x, y, text in places]


def test_cells_are_the_rank_intervals_and_blue_the_tie_groups():
    frame = synthetic_rows(6)
    found = cells(plotted(frame, EXCESS, ELBO))
    ranked = rankings(frame, EXCESS, "test").index
    order = list(dict.fromkeys([*ranked, *frame["config"]]))
    for column, metric in enumerate((EXCESS, ELBO)):
        board = rankings(frame, metric, "test")
        expected = set()
        for config, row in board.iterrows():
            low, high = int(row["rank_low"]), int(row["rank_high"])
            text = str(low) if low == high else f"{low}–{high}"
            expected.add((order.index(config), text, bool(row["tie"])))
        assert {one[1:] for one in found if one[0] == column} == expected


def test_what_has_collapsed_stands_last_without_a_rank():
    frame = synthetic_rows(3)
    alive = [name for name in frame["config"].unique() if name != "base"]
    board = rankings(frame[frame["config"] != "base"], ELBO, "test")
    (axes,) = rank_plot([(ELBO, "", board)], alive, ["base"]).axes
    assert axes.get_yticklabels()[-1].get_text() == "base"
    last = len(alive)
    assert [t.get_text() for t in axes.texts if t.get_position()[1] == last] == ["collapsed"]


def test_of_many_configurations_the_first_are_drawn():
    names = [f"seed-{place}" for place in range(50)]
    ranks = np.arange(1, 51)
    board = pd.DataFrame({"rank_low": ranks, "rank_high": ranks, "tie": ranks == 1}, names)
    (axes,) = rank_plot([(ELBO, "", board)], names).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == names[:40]
    assert "10 more" in axes.get_xlabel()


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
    (axes,) = figure.axes
    (head,) = axes.get_xticklabels()
    assert head.get_text().startswith("excess given scale")
