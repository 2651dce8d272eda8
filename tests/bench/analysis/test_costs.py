"""Costs are paired within each model, and what was not measured is left out."""

import numpy as np
import pytest

from bench.analysis.costs import costs
from bench.analysis.replicates import t_interval
from bench.report.figures.ladder import SOURCES as RUNGS
from bench.report.figures.ladder import ladder
from tests.bench.report.test_sample_sections import SOURCES, sample_rows
from vaelib.samples import options


def test_a_cost_is_a_paired_difference_and_so_is_what_is_won_back():
    rows = sample_rows()
    found = costs(rows)
    assert list(found) == ["base", "latent_dim-8"]
    one = found["base"]
    of = rows[(rows["config"] == "base") & (rows["metric"] == "frechet")]
    table = of.pivot(index="seed", columns="source", values="value")
    for interval, pair in ((one.cost, ("prior", "aggregate")), (one.won, ("prior", "gmm"))):
        difference = (table[pair[0]] - table[pair[1]]).to_numpy()
        mean, half = t_interval(difference[:, None])
        assert interval.mean == pytest.approx(float(mean[0]))
        assert interval.half_width == pytest.approx(float(half[0])) and interval.seeds == 10
        assert interval.half_width < 0.1 * np.std(table["prior"], ddof=1), "the seed's part is gone"
    assert one.fitted == "gmm" and set(one.rungs) == set(SOURCES)


def test_without_images_of_the_prior_and_of_q_there_is_no_cost():
    rows = sample_rows()
    assert costs(rows[rows["source"] != "aggregate"]) == {}
    base = rows["config"] == "base"
    assert list(costs(rows[~base | (rows["source"] != "prior")])) == ["latent_dim-8"]
    without = costs(rows[rows["source"] != "gmm"])["base"]
    assert without.won is None and without.fitted == ""


def test_every_latent_source_has_a_rung():
    assert set(options.SOURCES) < set(RUNGS)
    rungs = costs(sample_rows())["base"].rungs
    figure = ladder([("base", rungs)], 0.21, "Fréchet")
    axes = figure.axes[0]
    order = [name for name in RUNGS if name in rungs]
    assert [text.get_text() for text in axes.get_yticklabels()] == [RUNGS[name] for name in order]
    lengths = [bar.get_width() for bar in axes.patches]
    assert lengths == pytest.approx([rungs[name].mean for name in order])
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"] == [0.21]
    far = ladder([("base", rungs)], 5.0, "Fréchet").axes[0]
    assert not any(line.get_linestyle() == ":" for line in far.lines)
