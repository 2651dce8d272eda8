"""What predicts sample quality: from rows to a sentence, the same bytes for the same rows."""

import re

import numpy as np
import pandas as pd
import pytest

from bench.analysis.correlations import spearman
from bench.analysis.predictors import predictions
from bench.analysis.replicates import between_sources, replicates
from bench.analysis.results import Results
from bench.commands.report import write_overviews
from bench.errors import DamagedWarning
from bench.metrics.metric import Metric
from bench.metrics.registry import METRICS
from bench.report.predictors_page import headline, predictors_page
from bench.rows import COLUMNS
from tests.bench.synthetic import ROW, stored, synthetic_rows

CONFIGURATIONS, SEEDS = 16, 6


def rows_of(values, dataset="digits", keys=None):
    """Rows of metrics (metric, source) -> value of each configuration, with little noise."""
    rng, table = np.random.default_rng(0), []
    for (metric, source), column in values.items():
        for place, value in enumerate(column):
            for seed in range(SEEDS):
                row = ROW | {"matrix": "m", "config": f"c{place}", "cell": f"{place}-{seed}"}
                row |= {"dataset": dataset, "seed": seed, "split": "test", "status": "ok"}
                row |= {"source": source, "metric": metric, "seconds": 1.0}
                row |= {key: each[place] for key, each in (keys or {}).items()}
                noisy = value + rng.normal(0, 0.01) if np.isfinite(value) else np.nan
                row |= {"value": noisy, "standard_error": np.nan, "p_value": np.nan}
                table.append(row)
    return pd.DataFrame(table, columns=[*COLUMNS, *(keys or {})])


def planted(**changes):
    """Quality that follows the AUC exactly and the rate hardly; units are active."""
    order = np.arange(CONFIGURATIONS, dtype=float)
    loose = np.random.default_rng(4).permutation(order)
    values = {
        ("frechet", "prior"): order,
        ("frechet", "aggregate"): order / 2,
        ("c2st_auc", ""): order,
        ("rate", ""): loose,
        ("reconstruction", ""): -np.random.default_rng(5).permutation(order),
        ("active_units", ""): np.full(CONFIGURATIONS, 2.0),
    }
    return values | changes.pop("values", {})


def predicted(rows, name="m", metrics=METRICS):
    return predictions([Results(name, rows, metrics=metrics)])


def page_of(rows, name="m"):
    return predictors_page([name], predicted(rows, name), {}).text


def test_correlations_are_of_configuration_means_paired_within_cells():
    rows = synthetic_rows()
    made = rows["metric"].eq("frechet") & rows["source"].eq("aggregate")
    rows.loc[made, "value"] += np.random.default_rng(1).normal(0, 0.1, made.sum())
    quality, cost = predicted(rows)
    assert (quality.target, cost.target) == ("quality", "cost")
    assert quality.configurations == cost.configurations == 12
    frames = {
        "quality": replicates(rows, "frechet", "test", "prior"),
        "cost": between_sources(rows, "frechet", "prior", "aggregate"),
    }
    for one in (quality, cost):
        for name in ("elbo", "certified_kl_lower", "rate"):
            both = [frames[one.target].mean(), replicates(rows, name, "test").mean()]
            found = one.by_name[name]
            assert found.value == pytest.approx(spearman(*(mean.to_numpy() for mean in both)))
            assert found.low <= found.value <= found.high
            assert (found.configurations, found.seeds) == (12, 9)
    assert quality.by_name["latent_dim"].trivial and not quality.by_name["elbo"].trivial
    assert not quality.by_name["c2st_auc"].across_dimensions
    assert "hole_mass" not in quality.by_name, "no rows hold it"


def test_what_predicts_better_than_every_trivial_predictor_is_said_first():
    rows = rows_of(planted())
    quality, _ = predicted(rows)
    best = quality.advantages[0]
    assert best.predictor == "c2st_auc" and best.shown and best.low > 0
    text = page_of(rows)
    first = text.split("\n\n")[1]
    assert first.startswith("**On m classifier AUC predicts the quality of prior samples better")
    assert "follows classifier AUC on m (1.00 [" in text and "**1.00 [" in text


def test_a_trivial_predictor_that_is_as_good_takes_the_claim_away():
    order = np.arange(CONFIGURATIONS, dtype=float)
    rows = rows_of(planted(values={("reconstruction", ""): -order}))
    quality, _ = predicted(rows)
    assert quality.by_name["c2st_auc"].shown and not quality.advantages[0].shown
    assert quality.advantages[0].trivial == "reconstruction"
    said = headline(predicted(rows))
    assert said.startswith("On no matrix, of 1 with 8 configurations or more, is a number")
    assert said.endswith("better than trivial predictors do.")


def test_a_cost_that_is_the_same_everywhere_up_to_rounding_orders_nothing():
    prior = np.linspace(0.1, 0.7, CONFIGURATIONS)
    rows = rows_of(planted(values={("frechet", "prior"): prior}))
    aggregate = rows[rows["source"] == "prior"].assign(source="aggregate")
    aggregate["value"] -= 0.06
    rows = pd.concat([rows[rows["source"] != "aggregate"], aggregate], ignore_index=True)
    assert [one.target for one in predicted(rows)] == ["quality"]


def test_the_collapsed_are_left_out_and_counted():
    units = np.full(CONFIGURATIONS, 2.0)
    units[:2] = -5.0
    values = planted(values={("active_units", ""): units})
    rows = rows_of(values)
    dead = rows["metric"].eq("active_units")
    rows.loc[dead, "value"] = rows.loc[dead, "value"].round().clip(lower=0)
    quality, _ = predicted(rows)
    assert (quality.configurations, quality.collapsed) == (CONFIGURATIONS - 2, 2)
    assert "Collapsed and left out: 2 of m." in page_of(rows)


def test_too_few_configurations_have_values_and_no_claim():
    rows = rows_of(planted())
    rows = rows[rows["config"].isin([f"c{i}" for i in range(7)])]
    quality, cost = predicted(rows)
    assert not quality.enough and quality.advantages == cost.advantages == ()
    assert quality.by_name["c2st_auc"].value == pytest.approx(1)
    assert np.isnan(quality.by_name["c2st_auc"].low) and not quality.by_name["c2st_auc"].shown
    rendered = predictors_page(["m"], [quality, cost], {})
    assert rendered.pictures == ()
    assert "No matrix has 8 configurations with samples of the prior" in rendered.text
    assert "## Too few configurations" in rendered.text and "1.00 |" in rendered.text
    assert "[" not in rendered.text.split("## Too few")[1].split("## How to read")[0]


def test_data_sets_of_one_matrix_are_never_mixed():
    first, second = rows_of(planted()), rows_of(planted(), dataset="other")
    second["config"] += "-other"
    places = [one.place for one in predicted(pd.concat([first, second], ignore_index=True))]
    assert places == ["m (digits)"] * 2 + ["m (other)"] * 2


def test_likelihoods_compare_under_one_likelihood_only():
    names = ["bernoulli"] * 9 + ["gaussian"] * (CONFIGURATIONS - 9)
    quality, _ = predicted(rows_of(planted(), keys={"likelihood": names}))
    assert quality.by_name["reconstruction"].configurations == 9
    assert quality.by_name["rate"].configurations == CONFIGURATIONS


def test_a_metric_of_ones_own_is_asked_too():
    own = Metric("my_norm", "volts", None, 0.1, "norm", "Mean square.", "me")
    values = planted(values={("my_norm", ""): np.arange(CONFIGURATIONS, dtype=float)})
    quality, _ = predicted(rows_of(values), metrics=METRICS.with_own([own]))
    assert quality.by_name["my_norm"].shown and quality.symbols["my_norm"] == "norm"


def test_the_page_is_rebuilt_byte_for_byte_and_names_what_it_lacks(tmp_path):
    stored(tmp_path, "first", rows_of(planted()))
    plain = rows_of(planted())
    stored(tmp_path, "plain", plain[plain["metric"] != "frechet"])
    stored(tmp_path, "small", plain[plain["config"].isin(["c0", "c1", "c2"])])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "rows.csv").write_text("matrix,study\nx,y\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "rows.csv").write_text("")

    def written():
        with pytest.warns(DamagedWarning, match="(broken|empty) is left out of the overviews"):
            index = write_overviews(tmp_path)
        files = [
            index,
            tmp_path / "predictors.md",
            tmp_path / "predictors/figures/correlations.png",
        ]
        return [file.read_bytes() for file in files]

    before = written()
    assert written() == before
    index, page = (data.decode() for data in before[:2])
    assert re.search("Without samples of the prior, .*: `plain`.", page)
    assert "small, quality (K = 3)" in page
    for text in (index, page):
        assert re.search(r"Left out, since the rows cannot be read: `broken`, `expected the", text)
        assert "`empty`" in text and str(tmp_path) not in text
    assert "More: [predictors](predictors.md)." in index and "Other pages" not in index


def test_a_folder_without_rows_has_a_page_that_claims_nothing(tmp_path):
    write_overviews(tmp_path)
    text = (tmp_path / "predictors.md").read_text()
    assert "nothing is claimed" in text and "##" in text and "Made from" not in text
