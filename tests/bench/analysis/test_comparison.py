"""Paired comparisons and ranks: against scipy, by simulation, and where they could break.

Simulated rates are held to their expectation plus or minus 4 binomial standard errors: a correct
implementation misses one such bound with probability 6e-5, and the seeds are fixed.
"""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.analysis.comparison import paired_t, pairwise, rank, ranking, rankings
from bench.analysis.replicates import FEW_SEEDS, TOO_FEW, contested, saturated
from bench.metrics.registry import METRICS
from tests.bench.synthetic import four_errors, synthetic_frame, table
from vaelib.stats.multiple_testing import holm

EXCESS = replace(
    METRICS["marginal_kl_excess"], better="lower", across_dimensions=True
)  # as a joint divergence may be
ELBO = METRICS["elbo"]
FINE = replace(EXCESS, margin=1e-6)  # a margin so small that the floor of the variance is idle


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    return synthetic_frame(tmp_path_factory.mktemp("rows"))


# Paired comparisons


@pytest.mark.parametrize("count", [2, 6, 10])
def test_paired_t_is_scipys(count):
    rng = np.random.default_rng(count)
    a, b = rng.normal(0, 1, (2, count))
    mean, half, p_value = paired_t(a - b, 1e-9)
    expected = stats.ttest_rel(a, b)
    assert p_value == pytest.approx(expected.pvalue)
    assert (mean - half, mean + half) == pytest.approx(tuple(expected.confidence_interval()))


def test_differences_without_variance_give_neither_nan_nor_zero():
    shifts = np.array([0.0, EXCESS.margin / 100, EXCESS.margin, 1e6, -1e100])
    mean, half, p_value = paired_t(np.tile(shifts, (10, 1)), EXCESS.margin)
    assert mean == pytest.approx(shifts)
    assert np.isfinite(half).all() and (half > 0).all()
    assert p_value[0] == 1
    assert p_value[1] > 0.5, "a hundredth of the margin is no difference"
    assert (p_value[2:] < 1e-6).all() and (p_value > 0).all()


def test_too_few_common_seeds_decide_nothing():
    differences = np.array([[1.0, np.nan], [np.nan, np.nan]])
    mean, half, p_value = paired_t(differences, 0.1)
    assert mean[0] == 1 and np.isnan(mean[1])
    assert np.isinf(half).all() and (p_value == 1).all()


@pytest.mark.parametrize("scale", [1e-4, 0.005, 1.0])
def test_the_floor_of_the_variance_only_makes_the_test_conservative(scale):
    runs = 4000
    differences = np.random.default_rng(0).normal(0, scale, (10, runs))
    rejected = (paired_t(differences, 0.05)[2] < 0.05).mean()
    assert rejected < 0.05 + four_errors(0.05, runs)
    assert scale < 1 or rejected > 0.05 - four_errors(0.05, runs)


def test_margin_must_be_positive():
    with pytest.raises(ValueError, match="margin must be positive, got 0"):
        paired_t(np.ones(3), 0)


def test_pairs_go_by_seed_and_names_the_better_side():
    rng = np.random.default_rng(0)
    seeds = rng.normal(0, 10, (10, 1))  # what the pairing removes
    values = table(seeds + rng.normal([0, 0, 1], 0.1, (10, 3)), ["a", "b", "c"])
    for metric, best in ((EXCESS, ["a", "b"]), (ELBO, ["c"])):
        pairs = pairwise(values, metric).set_index(["a", "b"])
        assert set(pairs[pairs["better"]].index) == {
            (one, two) for one in best for two in "abc" if (two in best) != (one in best)
        }
        assert (pairs["better"] == pairs["worse"].swaplevel().reindex(pairs.index)).all()
    assert pairs.loc[("c", "a"), "difference"] == pytest.approx(1, abs=0.2)
    assert pairs.loc[("c", "a"), "probability"] == 1
    assert pairs.loc[("a", "c"), "probability"] == 0
    assert pairs.loc[("a", "c"), "S"] == 10


def test_probability_counts_ties_as_half():
    pairs = pairwise(table([[0, 0], [0, 1], [1, 0], [0, 1]]), ELBO)
    assert pairs["probability"].tolist() == [0.375, 0.625]


def test_metrics_without_direction_are_not_compared():
    with pytest.raises(ValueError, match="with a direction, got marginal_kl"):
        pairwise(table(np.zeros((5, 2))), METRICS["marginal_kl"])


# Familywise error, power, ranks


def families(centre, scale, runs, seeds=10):
    """Whether each ordered pair was decided, shape (runs, K, K)."""
    centre = np.asarray(centre, float)
    rng = np.random.default_rng(5)
    decided = np.zeros((runs, len(centre), len(centre)), bool)
    first, second = np.triu_indices(len(centre), 1)
    for run in range(runs):
        effect = rng.normal(0, 1, (seeds, 1))
        values = table(effect + rng.normal(centre, scale, (seeds, len(centre))))
        better = pairwise(values, FINE)["better"].to_numpy()
        decided[run, first, second] = better[: len(first)]
        decided[run, second, first] = better[len(first) :]
    return decided


def test_familywise_error_when_all_are_equal():
    runs = 600
    wrong = families(np.zeros(12), 1.0, runs).any(axis=(1, 2)).mean()
    assert 0 < wrong < 0.05 + four_errors(0.05, runs)  # measured .04


def test_familywise_error_among_equals_beside_a_better_one_and_unequal_scales():
    runs = 600
    decided = families([-3, 0, 0, 0, 0], [1, 0.2, 1, 1, 3], runs)
    assert decided[:, 1:, 1:].any(axis=(1, 2)).mean() < 0.05 + four_errors(0.05, runs)
    assert decided[:, 0, 2].mean() > 0.9, "the better one is found"
    assert not decided[:, :, 0].any()


def test_correcting_only_over_comparisons_to_the_best_would_be_liberal():
    """The number in the docstring of `pairwise`: .15 at nominal .05."""
    runs, wrong = 2000, 0
    values = np.random.default_rng(0).normal(0, 1, (runs, 10, 12))
    for run in values:
        best = run.mean(axis=0).argmin()
        others = np.delete(run, best, axis=1) - run[:, [best]]
        wrong += bool((holm(paired_t(others, 1e-9)[2]) < 0.05).any())
    assert abs(wrong / runs - 0.15) < four_errors(0.15, runs)


def test_power_is_that_of_the_noncentral_t():
    runs, seeds, effect = 800, 10, 1.2  # in standard deviations of the difference
    bar = stats.t.ppf(0.975, seeds - 1)
    expected = stats.nct.sf(bar, seeds - 1, effect * math.sqrt(seeds))
    found = families([0, effect * math.sqrt(2)], 1.0, runs)[:, 0, 1].mean()
    assert abs(found - expected) < four_errors(expected, runs) and expected > 0.9


def test_rank_intervals_cover_the_true_ranks_together():
    runs, centre = 400, np.array([0, 1, 1.5, 2, 4, 6.0])
    decided = families(centre, 1.0, runs)
    low = 1 + decided.sum(axis=1)  # how many beat it
    high = len(centre) - decided.sum(axis=2)
    truth = np.arange(1, len(centre) + 1)
    together = ((low <= truth) & (truth <= high)).all(axis=1).mean()
    assert together > 0.95 - four_errors(0.95, runs)
    assert (high - low).mean() < 3, "and they say something"


def test_rank_orders_ties_and_gaps():
    rng = np.random.default_rng(0)
    values = table(rng.normal([2, 0, 0.01, 1], 0.05, (10, 4)), ["far", "best", "tied", "next"])
    values["absent"] = np.nan
    board = rank(values, EXCESS)
    assert board.index.tolist() == ["best", "tied", "next", "far"]
    assert board["tie"].tolist() == [True, True, False, False]
    assert board["rank_low"].tolist() == [1, 1, 3, 4]
    assert board["rank_high"].tolist() == [2, 2, 3, 4]
    assert board.loc["far", "gap"] == pytest.approx(values["far"].mean() - values["best"].mean())
    assert board.loc["far", "gap_probability"] == 0
    assert np.isnan(board.loc["best", "gap"])
    assert (board["note"] == "").all()


@pytest.mark.parametrize("seeds", [1, 2, FEW_SEEDS])
def test_few_seeds_decide_nothing_and_say_so(seeds):
    board = rank(table(np.tile([0.0, 50.0], (seeds, 1))), EXCESS)
    assert board["tie"].all() and board["rank_high"].tolist() == [2, 2]
    assert (board["note"] == TOO_FEW).all()
    decided = rank(table(np.tile([0.0, 50.0], (FEW_SEEDS + 1, 1))), EXCESS)
    assert decided["tie"].tolist() == [True, False] and (decided["note"] == "").all()


def test_a_failed_seed_leaves_the_common_ones():
    values = table(np.random.default_rng(0).normal([0, 3], 0.1, (10, 2)), ["a", "b"])
    values.loc[0, "a"], values.loc[1, "b"] = np.nan, np.nan
    pairs = pairwise(values, EXCESS).set_index(["a", "b"])
    common = values.loc[2:]
    assert pairs.loc[("a", "b"), "S"] == 8
    assert pairs.loc[("a", "b"), "difference"] == pytest.approx((common["a"] - common["b"]).mean())
    assert rank(values, EXCESS)["S"].tolist() == [9, 9]


def test_nothing_or_one_configuration_can_be_ranked():
    assert len(rank(table(np.zeros((5, 0))), EXCESS)) == 0
    assert len(rank(table(np.full((5, 2), np.nan)), EXCESS)) == 0
    alone = rank(table(np.arange(5.0)[:, None]), EXCESS).iloc[0]
    assert (alone["rank_low"], alone["rank_high"], alone["tie"]) == (1, 1, True)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(5, 9), st.integers(2, 6))
def test_ranks_mirror_with_the_direction_and_ignore_the_order_of_columns(key, seeds, count):
    rng = np.random.default_rng(key)
    values = table(rng.normal(rng.normal(0, 2, count), 1, (seeds, count)))
    board = rank(values, EXCESS)
    mirrored = rank(-values, replace(EXCESS, better="higher"))
    shuffled = rank(values[rng.permutation(values.columns)], EXCESS)
    for other in (mirrored, shuffled):
        columns = ["rank_low", "rank_high", "tie", "S"]
        pd.testing.assert_frame_equal(board[columns], other[columns])
        assert other["gap_p"].to_numpy() == pytest.approx(board["gap_p"].to_numpy(), nan_ok=True)


def test_saturated_configurations_are_not_ranked_by_the_excess(frame):
    assert saturated(frame, "train") == ["latent_dim-16", "latent_dim-32"]
    board = ranking(frame, EXCESS, "train")
    assert len(board) == 10 and not set(saturated(frame, "train")) & set(board.index)
    assert board.index[0] == "encoder_hidden-200-200-200"
    assert len(ranking(frame, METRICS["elbo"], "train")) == 12
    assert len(ranking(frame, METRICS["frechet"], "test", "prior")) == 12


def scores(values, floor, metric="authenticity"):
    """Tidy rows of (S, K) scores of prior samples, and of real images in each cell."""
    rows = []
    for source, grid in (("prior", values), ("floor", np.broadcast_to(floor, values.shape))):
        for (seed, place), value in np.ndenumerate(grid):
            rows.append(
                {"config": f"c{place}", "seed": seed, "split": "test", "source": source}
                | {"metric": metric, "value": value, "status": "ok", "dataset": "digits"}
            )
    return pd.DataFrame(rows)


@pytest.mark.parametrize("name", ["authenticity", "density", "precision"])
def test_the_best_score_is_that_of_real_images_and_noise_does_not_win(name):
    """Pixel marginals score an authenticity of .995, blur .65, unseen real images .53."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.005, (10, 4))
    frame = scores(np.array([0.995, 0.65, 0.55, 0.3]) + noise, 0.53, name)
    board = rankings(frame, METRICS[name], "test", "prior")
    assert board.index.tolist() == ["c2", "c1", "c3", "c0"]
    assert board["rank_low"].tolist() == board["rank_high"].tolist() == [1, 2, 3, 4]
    assert board["tie"].tolist() == [True, False, False, False]
    assert board["mean"].to_numpy() == pytest.approx([0.02, 0.12, 0.23, 0.465], abs=0.01)


def test_the_distance_to_real_images_is_that_of_each_cell():
    floor = np.random.default_rng(0).normal(0.5, 0.1, (10, 1))
    values = floor + np.array([0.01, -0.01, 0.05])
    found = contested(scores(values, floor), METRICS["authenticity"], "test", "prior")
    assert found.to_numpy() == pytest.approx(np.tile([0.01, 0.01, 0.05], (10, 1)))
    board = rankings(scores(values, floor), METRICS["authenticity"], "test", "prior")
    assert board["tie"].tolist() == [True, True, False], "beside it on either side is as good"


def test_without_real_images_nobody_is_ranked_by_how_near_they_are():
    frame = scores(np.random.default_rng(0).random((10, 3)), 0.5)
    alone = frame[frame["source"] != "floor"]
    assert rankings(alone, METRICS["authenticity"], "test", "prior").empty


def test_what_depends_on_the_dimension_ranks_within_one_dimension_alone(frame):
    for name in ("c2st_auc", "mmd_squared"):
        assert ranking(frame, METRICS[name], "test").empty
        assert len(ranking(frame[frame["latent_dim"] == 2], METRICS[name], "test")) == 6
    assert len(ranking(frame, METRICS["elbo"], "test")) == 12


def test_several_data_sets_are_not_ranked_together(frame):
    other = frame.assign(dataset="mnist5k", config=frame["config"] + "-mnist5k")
    with pytest.raises(ValueError, match="one data set, got digits, mnist5k"):
        ranking(pd.concat([frame, other]), METRICS["elbo"], "test")
