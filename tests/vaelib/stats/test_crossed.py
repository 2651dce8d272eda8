"""The variance of a crossed mean: by its expectation, by counted coverage, and at its edges."""

import numpy as np
import pytest
from scipy import stats

from vaelib.stats.crossed import crossed_mean

RUNS = 800
WORLDS = {  # standard deviations of seeds, inputs and the rest; S; n
    "both": (0.3, 2.0, 1.0, 8, 60),
    "seeds alone": (0.5, 0.0, 1.0, 8, 60),
    "inputs alone": (0.0, 2.0, 1.0, 8, 60),
    "few seeds": (0.3, 2.0, 1.0, 5, 200),
    "rest alone": (0.0, 0.0, 1.0, 10, 40),
}


def tables(name):
    """Tables of one world, true mean 3, and the true variance of their mean."""
    seed, of_input, rest, count, n = WORLDS[name]
    rng = np.random.default_rng(sorted(WORLDS).index(name))
    a = seed * rng.normal(size=(RUNS, count, 1))
    b = of_input * rng.normal(size=(RUNS, 1, n))
    values = 3 + a + b + rest * rng.normal(size=(RUNS, count, n))
    return values, seed**2 / count + of_input**2 / n + rest**2 / (count * n)


@pytest.mark.parametrize("name", WORLDS)
def test_the_interval_covers_and_the_variance_is_that_of_the_mean(name):
    values, truth = tables(name)
    found = [crossed_mean(one) for one in values]
    covered = np.mean([abs(one.mean - 3) <= one.half_width for one in found])
    error = 4 * np.sqrt(0.95 * 0.05 / RUNS)
    assert covered > 0.95 - error - 0.01, "Satterthwaite's t is an approximation"
    assert name == "rest alone" or covered < 0.95 + error + 0.01
    parts = np.array([one.seed_part + one.input_part - one.rest_part for one in found])
    assert abs(parts.mean() - truth) < 4 * parts.std() / np.sqrt(RUNS), "unbiased"
    assert all(one.variance >= part - 1e-15 for one, part in zip(found, parts, strict=True))


def test_an_interval_over_seeds_alone_misses_what_the_inputs_add():
    values, _ = tables("both")
    found = [crossed_mean(one) for one in values]
    covered = np.mean([abs(one.mean - 3) <= one.seeds_half_width for one in found])
    assert covered < 0.7
    rows = values[0].mean(1)
    expected = stats.t.interval(0.95, len(rows) - 1, rows.mean(), stats.sem(rows))
    one = found[0]
    assert (one.mean - one.seeds_half_width, one.mean + one.seeds_half_width) == pytest.approx(
        expected
    )


def test_parts_are_the_mean_squares_of_a_two_way_analysis_of_variance():
    values = np.random.default_rng(0).normal(size=(4, 7)) + np.arange(7)
    found = crossed_mean(values)
    mean = values.mean()
    between = 7 * ((values.mean(1) - mean) ** 2).sum() / 3
    across = 4 * ((values.mean(0) - mean) ** 2).sum() / 6
    total = ((values - mean) ** 2).sum()
    rest = (total - 3 * between - 6 * across) / 18
    expected = np.array([between, across, rest]) / 28
    assert (found.seed_part, found.input_part, found.rest_part) == pytest.approx(tuple(expected))
    assert found.variance == pytest.approx(expected[0] + expected[1] - expected[2])


def test_values_that_do_not_vary_have_an_interval_of_no_width():
    found = crossed_mean(np.full((3, 5), 2.0))
    assert (found.mean, found.half_width, found.variance) == (2.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((1, 5)), "both at least 2, got .1, 5."),
        (np.zeros(5), "must have shape .S, n."),
        (np.array([[1.0, np.nan], [0.0, 1.0]]), "got 1 others; leave those seeds out"),
    ],
)
def test_what_is_no_table_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        crossed_mean(values)
