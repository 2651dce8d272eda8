import pandas as pd
import pytest
import torch

from bench.calibration import subset
from bench.calibration.subset import both_ways, subset_sentence
from vaelib.audits import densities
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal


def mixture(inputs, dimensions=3):
    generator = torch.Generator().manual_seed(0)
    mean = 0.8 * torch.randn(inputs, dimensions, generator=generator)
    return AggregatePosterior(mean, torch.full_like(mean, 0.6))


def test_a_subset_and_all_inputs_estimate_the_same(monkeypatch):
    monkeypatch.setattr(densities, "_PAIRS", 1 << 20)
    rows = list(both_ways(mixture(8000), Normal(3), "train", 0))
    assert [row["metric"] for row in rows] == ["marginal_kl", "marginal_kl_loo"]
    for row in rows:
        assert (row["N"], row["points"], row["subsets"]) == (8000, 1600, subset.SUBSETS)
        assert row["subset_error"] > 0 and row["all_error"] > 0
        assert row["held"] >= 15  # of 20, where 19 are expected
        assert abs(row["mean_of_subsets"] - row["all"]) < 4 * row["all_error"]


def test_a_subset_that_is_off_is_not_held(monkeypatch):
    estimates = iter([(1.0, 0.1)] + [(1.0 + 0.1 * k, 0.1) for k in range(subset.SUBSETS)] * 2)
    monkeypatch.setattr(densities, "_PAIRS", 1 << 20)
    monkeypatch.setattr(subset, "_estimate", lambda *_: next(estimates))
    row = next(both_ways(mixture(8000), Normal(3), "train", 0))
    assert row["held"] == 3  # 1.96 · 0.1 · √2 = 0.277


def test_where_all_inputs_are_evaluated_there_is_nothing_to_compare():
    with pytest.raises(ValueError, match="expected more inputs than are evaluated, got 50"):
        next(both_ways(mixture(50), Normal(3), "train", 0))


def test_the_sentence_has_the_counts_of_its_table():
    row = {
        "metric": "marginal_kl",
        "matrix": "m",
        "config": "c",
        "seed": 0,
        "D": 8,
        "N": 9000,
        "points": 500,
    }
    row |= {"all": 1.0, "all_error": 0.01, "subset": 1.25, "subset_error": 0.2}
    row |= {"mean_of_subsets": 1.125, "subsets": 20, "held": 19}
    text = subset_sentence(pd.DataFrame([row, row | {"seed": 1, "subset": 1.0, "held": 20}]))
    assert "500 of 9,000 inputs" in text and "Of 2 trained models, `c` of m (D = 8)" in text
    assert "of KL(q_N‖p) the first subset is off by 0.12 nats on average, where its" in text
    assert "error is 0.2, and the mean of all by 0.12 at most" in text
    assert "Of 40 subsets 39 lie within" in text and "(97.5%;" in text
