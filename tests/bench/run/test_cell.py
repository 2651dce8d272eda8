import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from bench.metrics.registry import METRICS
from bench.run import cell
from bench.run.cell import _kept, run_block
from bench.run.models import build_model, dataset_of
from bench.run.plan import _parameters
from vaelib import likelihood_bounds

VALUES = {
    "dataset": {"name": "digits", "binary": False},
    "encoder": {"name": "mlp", "hidden": [16], "activation": "relu"},
    "decoder": {"name": "mlp", "hidden": [16], "activation": "relu"},
    "latent_dim": 2,
    "prior": {"name": "normal"},
    "likelihood": {"name": "bernoulli"},
    "objective": {"name": "elbo", "beta": 1.0},
    "training": {"steps": 30, "batch_size": 64, "learning_rate": 1e-3},
    "quality": {"sources": ["prior", "aggregate"], "features": "classifier", "bound_inputs": 20},
}


@pytest.fixture(scope="module", autouse=True)
def results(tmp_path_factory):
    """One folder for all: simulated nulls are kept beside the results."""
    global RESULTS
    RESULTS = str(tmp_path_factory.mktemp("results") / "matrix")


RESULTS = ""


def job(wanted=(0, 1), block=(0, 1, 2), **changes):
    values = {**VALUES, **changes}
    cells = {f"cell{seed}": seed for seed in wanted}
    return {
        "configuration": values,
        "block": list(block),
        "cells": cells,
        "device": "cpu",
        "results": RESULTS,
    }


def without_time(records):
    timed = ("seconds", "stages", "arrays")
    return [{k: v for k, v in record.items() if k not in timed} for record in records]


@pytest.fixture(scope="module")
def records(results):
    return run_block(job())


def test_a_block_gives_one_record_per_wanted_cell(records):
    assert [(r["cell"], r["status"]) for r in records] == [("cell0", "ok"), ("cell1", "ok")]
    for record in records:
        assert record["seconds"] > 0
        measured = {(m["split"], m["metric"]) for m in record["measurements"]}
        assert {"train", "test"} == {split for split, _ in measured}
        assert {metric for _, metric in measured} <= METRICS.keys()
        assert all(math.isfinite(m["value"]) for m in record["measurements"])
        assert record["arrays"]["test_mean"].shape == record["arrays"]["test_scale"].shape
        assert len(record["arrays"]["train_labels"]) == 1078


def test_a_repeated_run_is_identical_row_by_row_whichever_others_are_wanted(records):
    assert without_time(run_block(job((1,)))) == without_time(records)[1:]


def test_seeds_differ(records):
    first, second = without_time(records)
    assert first["measurements"] != second["measurements"]


@pytest.mark.filterwarnings("ignore")
def test_a_configuration_that_diverges_says_so():
    training = {"steps": 30, "batch_size": 64, "learning_rate": 1e12}
    records = run_block(job(training=training))
    assert {r["status"] for r in records} == {"diverged"}
    assert all("the loss was not finite at step" in r["message"] for r in records)
    assert all(r["measurements"] == [] for r in records)


def test_the_initialisation_of_a_seed_is_shared_and_its_own():
    first, again, other = (build_model(VALUES, (1, 8, 8), seed) for seed in (0, 0, 1))
    weight = next(first.parameters())
    assert torch.equal(weight, next(again.parameters()))
    assert not torch.equal(weight, next(other.parameters()))


def test_a_data_set_is_loaded_once():
    assert dataset_of(VALUES["dataset"]) is dataset_of({"binary": False, "name": "digits"})


class Narrow(torch.nn.Module):
    """A decoder of images one row too short."""

    def __init__(self, latent_dim, data_shape):
        super().__init__()
        self.layer = torch.nn.Linear(latent_dim, 56)

    def forward(self, z):
        return self.layer(z).view(*z.shape[:-1], 1, 7, 8)


def unlabelled():
    return dataclasses.replace(dataset_of(VALUES["dataset"]), labels=None)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"decoder": {"name": f"{__name__}:Narrow"}},
            "the decoder must return data of shape (1, 8, 8), got (1, 7, 8)",
        ),
        (
            {"dataset": {"name": f"{__name__}:unlabelled"}},
            'quality.features = "classifier" needs labels, and digits has none; '
            'set quality.features = "pca"',
        ),
        (
            {"dataset": {"name": "gaussian_mixture", "size": 60}},
            "sample quality needs 80 points outside the training part, got 24; "
            "give more data or set quality.sources = []",
        ),
    ],
)
def test_what_cannot_be_measured_is_one_sentence_before_training(changes, sentence):
    values = json.dumps({**VALUES, **changes, "training": None})
    with pytest.raises(ValueError) as caught:
        _parameters(values)
    assert str(caught.value) == sentence


def test_all_inputs_are_audited_and_a_random_choice_of_many_is_kept(monkeypatch, tmp_path):
    values = VALUES | {"dataset": {"name": "gaussian_mixture", "size": 12_000}}
    values |= {"likelihood": {"name": "gaussian", "scale": 0.1}}
    values |= {"training": {"steps": 2, "batch_size": 64, "learning_rate": 1e-3}}
    values |= {"quality": VALUES["quality"] | {"sources": []}}
    audited = []
    monkeypatch.setattr(cell, "audit", lambda mean, *args, **_: audited.append(mean) or [])
    job = {"configuration": values, "block": [0], "cells": {"c": 0}, "device": "cpu"}
    (record,) = run_block(job | {"results": str(tmp_path / "matrix")})
    (mean,), kept = audited, record["arrays"]["train_mean"]
    assert len(mean) > 5000 == len(kept) == len(record["arrays"]["train_scale"])
    rows = {row.tobytes(): at for at, row in enumerate(mean.numpy())}
    where = [rows[row.tobytes()] for row in kept]
    assert len(set(where)) == 5000 and max(where) > 6000
    assert torch.equal(_kept(5000, torch.Generator()), torch.arange(5000))


def test_elbo_is_reconstruction_minus_rate_and_an_average_over_draws():
    model = build_model(VALUES, (1, 8, 8), 0)
    x = dataset_of(VALUES["dataset"]).x[:200]
    values = [
        likelihood_bounds.evidence_lower_bound(
            model, x, torch.Generator().manual_seed(seed), draws=4
        )
        for seed in range(30)
    ]
    mean, scale = model.posterior(x)
    rate = float(model.prior.kl(mean, scale).mean())
    assert values[0].elbo == pytest.approx(values[0].reconstruction - rate, abs=1e-5)
    spread = np.std([v.elbo for v in values], ddof=1)
    claimed = np.sqrt(np.mean([v.standard_error**2 for v in values]))
    assert 0.6 < spread / claimed < 1.5  # chi with 29 degrees of freedom: outside below 1e-3
    with pytest.raises(ValueError, match="draws must be at least 2"):
        likelihood_bounds.evidence_lower_bound(model, x, torch.Generator(), draws=1)
