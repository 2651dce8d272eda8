"""Rank correlations against scipy, their resamples, and intervals that cover."""

import numpy as np
import pytest
from scipy import stats

from bench.analysis.correlations import (
    FEW_CONFIGURATIONS,
    Resampled,
    fisher_interval,
    hull,
    least_shown,
    mean_interval,
    percentile_interval,
    spearman,
    unit_ranks,
)
from tests.bench.synthetic import four_errors
from tests.correlations import cells, coverage


@pytest.mark.parametrize("ties", [1, 3, 10_000])
@pytest.mark.parametrize("count", [3, 8, 25])
def test_the_correlation_is_that_of_scipy_ties_or_none(ties, count):
    rng = np.random.default_rng(5)
    first, second = rng.integers(0, ties * 3, (2, 40, count)).astype(float)
    several = (np.ptp(first, axis=1) > 0) & (np.ptp(second, axis=1) > 0)
    first, second = first[several], second[several]
    theirs = [stats.spearmanr(*pair).statistic for pair in zip(first, second, strict=True)]
    assert len(first) > 20 and spearman(first, second) == pytest.approx(np.array(theirs), abs=1e-12)


def test_a_constant_or_a_gap_has_no_correlation():
    values = np.arange(5.0)
    assert np.isnan(spearman(values, np.full(5, 2.0)))
    assert np.isnan(unit_ranks(np.array([1.0, np.nan, 2.0]))).all()


def test_the_fisher_interval_is_finite_at_a_perfect_order_and_has_the_closed_form():
    error = np.sqrt((1 + 0.5**2 / 2) / 17)
    ends = np.tanh(np.arctanh(0.5) + np.array([-1, 1]) * stats.norm.ppf(0.975) * error)
    assert fisher_interval(0.5, 20, 0.95) == pytest.approx(tuple(ends))
    low, high = fisher_interval(1.0, 8, 0.95)
    assert 0.5 < low < 1 - 12 / (8 * 63) < high < 1
    with pytest.raises(ValueError, match="expected at least 4 configurations, got 3"):
        fisher_interval(0.5, 3, 0.95)


def test_the_least_correlation_that_could_be_shown_is_where_the_interval_touches_zero():
    for count, level in ((8, 0.95), (30, 0.999)):
        least = least_shown(count, level)
        assert fisher_interval(least, count, level)[0] == pytest.approx(0, abs=1e-9)
    assert least_shown(4, 0.9999) == 1.0


def test_the_hull_holds_both_intervals_and_ends_at_one():
    resamples = np.array([0.99, 1.0, 1.0, np.nan])
    assert hull(1.0, 8, resamples, 0.95) == (fisher_interval(1.0, 8, 0.95)[0], 1.0)
    assert percentile_interval(np.array([np.nan]), 0.95) == (-np.inf, np.inf)


def test_the_interval_of_a_mean_is_that_of_independent_estimates():
    mean, low, high = mean_interval([0.2, 0.6], [(-0.1, 0.6), (0.2, 0.9)])
    assert (mean, low, high) == pytest.approx((0.4, 0.4 - 0.25, 0.4 + 0.25))


def test_resamples_draw_configurations_and_seeds_apart():
    """Against a plain loop that draws the same seeds for all configurations."""
    variables = cells(np.random.default_rng(2), 0.6, 12, 0.3)
    x, y = variables["first"], variables["target"]
    ours = Resampled(variables, 4000).correlations(["first"], "target")
    assert ours.values[0] == pytest.approx(stats.spearmanr(x.mean(0), y.mean(0)).statistic)
    assert (ours.configurations, ours.seeds) == (12, 10)
    loop, rng = [], np.random.default_rng(4)
    for _ in range(1500):
        seeds, places = rng.integers(0, 10, 10), rng.integers(0, 12, 12)
        drawn = (values[seeds].mean(axis=0)[places] for values in (x, y))
        loop.append(spearman(*drawn))
    at = [0.025, 0.2, 0.5, 0.8, 0.975]
    assert np.quantile(ours.resamples[0], at) == pytest.approx(np.quantile(loop, at), abs=0.06)


def test_only_cells_with_all_values_count_and_too_few_are_not_resampled():
    variables = cells(np.random.default_rng(3), 0.6, FEW_CONFIGURATIONS + 1, 0.1)
    variables["first"][:4, 0] = np.nan
    found = Resampled(variables, 50).correlations(["first", "second"], "target")
    assert (found.configurations, found.seeds) == (FEW_CONFIGURATIONS + 1, 6)
    means = [variables[name].mean(axis=0) for name in ("second", "target")]
    means[0][0], means[1][0] = (variables[name][4:, 0].mean() for name in ("second", "target"))
    assert found.values[1] == pytest.approx(spearman(*means))
    variables["second"][:, 1] = np.nan
    few = Resampled(variables, 50).correlations(["first", "second"], "target")
    assert few.configurations == FEW_CONFIGURATIONS and np.isfinite(few.values).all()
    assert [len(each) for each in few.resamples] == [0, 0]
    variables["first"][:, 3:] = np.nan
    none = Resampled(variables, 50).correlations(["first", "second"], "target")
    assert none.configurations == 2 and np.isnan(none.values).all()


def test_equal_seeds_stay_tied_in_every_resample():
    """Sums are taken in one order, so that equal configurations have equal means."""
    rng = np.random.default_rng(6)
    values = np.repeat(rng.uniform(size=(10, 1)), 9, axis=1)
    values[:, 0] += 1
    found = Resampled({"x": values, "y": rng.normal(size=(10, 9))}).correlations(["x"], "y")
    ranks = unit_ranks(np.r_[1.0, np.zeros(8)])
    assert np.isfinite(found.values[0]) and abs(found.values[0]) <= ranks.max() + 1e-12


def test_variables_of_several_shapes_are_refused():
    with pytest.raises(ValueError, match="expected variables of one shape"):
        Resampled({"x": np.zeros((3, 4)), "y": np.zeros((3, 5))})


@pytest.mark.slow
def test_the_hull_covers_at_eight_and_sixteen_configurations():
    for count in (8, 16):
        for noise, rank_correlation in ((0.0, 0.8), (0.05, 0.0), (0.05, 0.8)):
            found = coverage(rank_correlation, count, noise, 150, draws=500)
            assert found["hull"] >= 0.95 - four_errors(0.95, 150)
            assert found["better"] <= 0.025 + four_errors(0.025, 150)
