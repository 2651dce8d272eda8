import numpy as np
import pytest
from scipy.stats import norm

from bench.analysis.quantiles import SHARES, marginal_quantiles, quantile_band
from bench.report.figures.quantiles import quantile_plot


def test_one_normal_gives_its_own_quantiles():
    found = marginal_quantiles([[1.0, -2.0]], [[0.5, 3.0]])
    expected = np.stack([norm.ppf(SHARES, 1.0, 0.5), norm.ppf(SHARES, -2.0, 3.0)])
    assert found.shape == (2, len(SHARES))
    assert found == pytest.approx(expected, abs=2e-3)


def test_a_mixture_gives_the_quantiles_of_its_draws():
    rng = np.random.default_rng(0)
    mean, scale = rng.normal(size=(40, 1)), rng.uniform(0.1, 0.6, (40, 1))
    draws = rng.normal(np.tile(mean, 20000), np.tile(scale, 20000))
    inner = (SHARES > 0.02) & (SHARES < 0.98)
    expected = np.quantile(draws, SHARES[inner])
    assert marginal_quantiles(mean, scale)[0][inner] == pytest.approx(expected, abs=0.02)


def test_the_lines_are_level_where_a_marginal_is_standard_normal():
    wide = marginal_quantiles(np.zeros((1, 2)), [[1.0, 2.0]])
    figure = quantile_plot({"a": wide, "b": wide[:1]})
    axes = figure.axes[0]
    level, slope = (line.get_ydata() for line in axes.get_lines()[1:])
    assert np.abs(level).max() < 1e-2
    assert slope == pytest.approx(norm.ppf(SHARES), abs=2e-2)
    assert [a.get_title(loc="left") for a in figure.axes] == [
        "a  (D\u00a0=\u00a02)",
        "b  (D\u00a0=\u00a01)",
    ]


def test_points_give_the_quantiles_of_their_places():
    points = np.random.default_rng(0).normal(size=(500, 2))
    found = marginal_quantiles(points, np.zeros_like(points))
    assert found == pytest.approx(np.quantile(points, SHARES, axis=0).T)


def test_long_titles_break_between_words():
    label = "conv channels=32-64 hidden=256, conv channels=64-32 hidden=256"
    figure = quantile_plot(dict.fromkeys([label, "a"], np.zeros((1, len(SHARES)))))
    lines = figure.axes[0].get_title(loc="left").split("\n")
    assert " ".join(lines).split() == f"{label} (D = 1)".split()
    assert max(map(len, lines)) <= 50


def test_the_band_holds_as_many_whole_lines_as_it_says():
    n, repeats = 999, 600
    draws = np.sort(np.random.default_rng(5).standard_normal((repeats, n)), axis=1)
    lines = np.quantile(draws, SHARES, axis=1, method="weibull").T - norm.ppf(SHARES)
    low, high = quantile_band(n)
    inside = ((lines >= low) & (lines <= high)).all(1).mean()
    assert abs(inside - 0.95) < 4 * np.sqrt(0.95 * 0.05 / repeats)
    assert np.isnan(quantile_band(50)[0][0]) and np.isfinite(quantile_band(50)[0][52])


def test_a_panel_has_a_band_where_its_inputs_are_known():
    quantiles = dict.fromkeys(["a", "b"], np.tile(norm.ppf(SHARES), (1, 1)))
    figure = quantile_plot(quantiles, {"a": 500})
    assert [len(axes.collections) for axes in figure.axes] == [1, 0]
    assert figure.axes[0].get_title(loc="left").endswith("N\u00a0=\u00a0500)")


def test_one_panel_does_not_squeeze_the_others():
    normal = norm.ppf(SHARES)
    wide = {"a": normal + 0.4, "b": normal - 0.5, "c": 20 * normal}
    figure = quantile_plot({label: line[None] for label, line in wide.items()})
    limits = [axes.get_ylim()[1] for axes in figure.axes]
    assert limits[0] == limits[1] < 1 and limits[2] > 50
