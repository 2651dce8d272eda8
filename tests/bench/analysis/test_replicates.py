"""Intervals, and the way from rows to tables: against scipy, and where they could break.

Simulated rates are held to their expectation plus or minus 4 binomial standard errors: a correct
implementation misses one such bound with probability 6e-5, and the seeds are fixed.
"""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.analysis.replicates import (
    TOO_FEW,
    between_sources,
    collapses,
    failures,
    rejections,
    remeasured,
    replicates,
    summarise,
    t_interval,
    varied_keys,
)
from bench.rows import read_rows, write_rows
from tests.bench.synthetic import four_errors, synthetic_frame, synthetic_rows


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    return synthetic_frame(tmp_path_factory.mktemp("rows"))


# Intervals


@pytest.mark.parametrize("count", [2, 5, 10])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_t_interval_is_scipys(count, level):
    values = np.random.default_rng(count).normal(3, 2, count)
    mean, half = t_interval(values, level)
    expected = stats.ttest_1samp(values, 0).confidence_interval(level)
    assert (mean - half, mean + half) == pytest.approx(tuple(expected))


def test_t_interval_skips_what_is_missing():
    values = np.array([[1.0, 5.0, np.nan], [2.0, np.nan, np.nan], [4.0, np.nan, np.nan]])
    mean, half = t_interval(values)
    assert mean[:2] == pytest.approx([7 / 3, 5]) and np.isnan(mean[2])
    assert half[0] == pytest.approx(t_interval(values[:, 0])[1])
    assert np.isnan(half[1:]).all(), "one value, or none, gives no interval"


@pytest.mark.parametrize("count", [2, 5, 10])
def test_t_interval_covers(count):
    runs = 6000
    mean, half = t_interval(np.random.default_rng(0).normal(1, 3, (count, runs)))
    assert abs((abs(mean - 1) < half).mean() - 0.95) < four_errors(0.95, runs)


def test_t_interval_covers_nearly_for_skewed_values_where_the_percentile_bootstrap_does_not():
    runs, count = 4000, 5
    rng = np.random.default_rng(0)
    values = rng.lognormal(0, 0.5, (count, runs))
    truth = math.exp(0.125)
    mean, half = t_interval(values)
    covered = (abs(mean - truth) < half).mean()
    means = values[rng.integers(0, count, (400, count))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    assert covered > 0.90 > 0.85 > ((low < truth) & (truth < high)).mean()  # measured .92, .80


# From the rows


def test_rows_survive_the_file_to_the_last_bit(frame):
    pd.testing.assert_frame_equal(frame, synthetic_rows(), check_dtype=False, check_exact=True)


def test_text_that_looks_like_nothing_stays_text(tmp_path, frame):
    odd = frame.head(3).assign(source="nan", message="None")
    write_rows(tmp_path / "rows.csv", odd)
    again = read_rows(tmp_path / "rows.csv")
    assert (again["source"] == "nan").all() and (again["message"] == "None").all()


def test_a_file_without_a_column_is_named(tmp_path, frame):
    write_rows(tmp_path / "rows.csv", frame.drop(columns="status"))
    with pytest.raises(ValueError, match=r"column status in .*rows\.csv"):
        read_rows(tmp_path / "rows.csv")


def test_replicates_are_seeds_by_configurations(frame):
    values = replicates(frame, "rate", "test")
    assert values.shape == (10, 12) and values.index.tolist() == list(range(10))
    assert values.columns[0] == "base"
    assert np.argwhere(values.isna().to_numpy()).tolist() == [
        [3, values.columns.get_loc("latent_dim-6")],
        [7, values.columns.get_loc("encoder_hidden-1000")],
    ]
    one = frame.query("config == 'base' and seed == 4 and metric == 'rate' and split == 'test'")
    one = one[one["source"] == ""]
    assert values.loc[4, "base"] == one["value"].item()
    assert replicates(frame, "frechet", "test", "prior").notna().sum().sum() == 118
    assert replicates(frame, "frechet", "test").isna().all().all()


def test_numbers_that_are_not_finite_count_as_missing(frame):
    broken = frame.copy()
    place = broken.index[broken["metric"] == "rate"][0]
    broken.loc[place, "value"] = np.inf
    assert replicates(broken, "rate", "train").isna().sum().sum() == 3


def test_repeated_rows_are_refused(frame):
    with pytest.raises(ValueError, match="one rate on test for each configuration and seed"):
        replicates(pd.concat([frame, frame]), "rate", "test")


def test_summary_counts_seeds_and_failures(frame):
    board = summarise(frame, "elbo", "test")
    values = replicates(frame, "elbo", "test")
    assert board.loc["latent_dim-6", ["S", "failures"]].tolist() == [9, 1]
    assert board.loc["base", ["S", "failures"]].tolist() == [10, 0]
    assert board["mean"].tolist() == pytest.approx(values.mean().tolist())
    assert (board["high"] - board["low"]).tolist() == pytest.approx(
        (2 * board["half_width"]).tolist()
    )
    assert (board["note"] == "").all()
    few = summarise(frame[frame["seed"] < 4], "elbo", "test")
    assert (few["note"] == TOO_FEW).all()
    single = summarise(frame[frame["seed"] < 1], "elbo", "test")
    assert single["half_width"].isna().all() and single["mean"].notna().all()


def test_failed_cells_are_listed_once(frame):
    lost = failures(frame)
    assert lost[["config", "seed", "status"]].to_numpy().tolist() == [
        ["latent_dim-6", 3, "failed"],
        ["encoder_hidden-1000", 7, "diverged"],
    ]


def test_rejections_count_p_values_up_to_the_level(frame):
    counts = rejections(frame, "marginal_kl_null_test", "test")
    assert counts.loc["base"].tolist() == [10, 10]
    assert counts.loc["latent_dim-32"].tolist() == [0, 10]
    assert counts.loc["latent_dim-6", "S"] == 9
    at_level = frame.assign(p_value=0.05)
    assert (rejections(at_level, "mmd_test", "test")["rejected"] >= 9).all()


def test_varied_keys_are_those_that_differ(frame):
    assert varied_keys(frame) == ["latent_dim", "encoder.hidden"]
    assert varied_keys(frame[frame["study"].str.contains("latent size")]) == ["latent_dim"]


def varying(**columns):
    size = len(next(iter(columns.values())))
    frame = pd.DataFrame({"config": [f"c{i}" for i in range(size)], "dataset": "digits"})
    return frame.assign(**{name.replace("__", "."): values for name, values in columns.items()})


def test_of_a_table_and_its_options_those_are_named_that_tell():
    beta = varying(objective=["elbo", "elbo beta=2"], objective__beta=[1.0, 2.0])
    assert varied_keys(beta) == ["objective.beta"]
    names = ["elbo", "elbo beta=2", "iwae", "ae"]
    kinds = varying(objective=names, objective__beta=[1.0, 2.0, None, None])
    assert varied_keys(kinds) == ["objective"]
    for lacking in (None, ""):
        pair = varying(objective=["elbo", "ae"], objective__beta=[1.0, lacking])
        assert varied_keys(pair) == ["objective"], "of an option that one lacks"
    both = varying(
        prior=["normal", "normal", "mixture", "mixture"],
        objective=["elbo", "elbo beta=2"] * 2,
        objective__beta=[1.0, 2.0] * 2,
    )
    assert varied_keys(both) == ["prior", "objective.beta"]


def test_a_configuration_stands_apart_where_half_its_seeds_are_dead():
    counts = {"alive": 0, "some": 2, "half": 3, "dead": 6}
    rows = [
        {"config": name, "seed": seed, "split": "test", "source": "", "metric": "active_units"}
        | {"value": 2.0 * (seed >= count), "status": "ok"}
        for name, count in counts.items()
        for seed in range(6)
    ]
    frame = pd.DataFrame(rows)
    found = collapses(frame, "test")
    assert found["collapsed"].to_dict() == counts and set(found["S"]) == {6}
    assert found["apart"].to_dict() == {"alive": False, "some": False, "half": True, "dead": True}
    by_scale = frame.assign(metric="mutual_information", value=0.3)  # of means that do not move
    by_scale.loc[by_scale["config"] == "dead", "value"] = 0.01
    told = collapses(pd.concat([frame, by_scale]), "test")
    assert told["collapsed"].to_dict() == {"alive": 0, "some": 0, "half": 0, "dead": 6}
    unknown = collapses(frame.assign(metric="elbo"), "test")
    assert not unknown["apart"].any() and not unknown["S"].any()


def test_differences_between_sources_pair_within_each_cell():
    rows = [
        {"config": "a", "seed": seed, "split": "test", "source": source, "metric": "frechet"}
        | {"value": value + seed, "status": "ok"}
        for seed in range(3)
        for source, value in (("prior", 0.5), ("aggregate", 0.2))
        if (seed, source) != (1, "aggregate")
    ]
    found = between_sources(pd.DataFrame(rows), "frechet", "prior", "aggregate")["a"]
    assert found.to_numpy() == pytest.approx([0.3, np.nan, 0.3], nan_ok=True)


def test_what_measures_a_model_once_more_is_named():
    known = {"dataset": "digits", "metric": "elbo", "seed": 0}
    frame = pd.DataFrame(
        [
            known | {"config": "base", "latent_dim": 2, "quality.bound_inputs": 50},
            known | {"config": "more", "latent_dim": 2, "quality.bound_inputs": 500},
            known | {"config": "wide", "latent_dim": 4, "quality.bound_inputs": 50},
            known | {"config": "other", "latent_dim": 8, "quality.bound_inputs": 500},
        ]
    )
    assert remeasured(frame) == ["more"]
    assert remeasured(frame.drop(columns="quality.bound_inputs")) == []
