import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.metrics.registry import METRICS
from bench.run import cell
from bench.run.cell import run_block
from bench.run.models import build_model, dataset_of
from tests.bench.fakes import job_of
from vaelib import likelihood_bounds
from vaelib.datasets import digits

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


OF_ACTIVE = {"kl_per_dimension", "excess_kurtosis"}


def job(wanted=(0, 1), block=(0, 1, 2), **changes):
    cells = {f"cell{seed}": seed for seed in wanted}
    return job_of(VALUES | changes, RESULTS, block=block, cells=cells)


def without_time(records):
    return [replace(record, seconds=0.0, stages={}, arrays={}) for record in records]


@pytest.fixture(scope="module")
def records(results):
    return run_block(job())


def test_images_are_kept_of_the_first_wanted_seed_whichever_it_is(records):
    later = run_block(job(wanted=(1, 2)))
    for kept, dropped in (records, later):
        images = {key for key in kept.arrays if key.startswith("samples_")}
        assert images >= {"samples_prior", "samples_aggregate", "samples_real"}
        assert kept.arrays.keys() - dropped.arrays.keys() == images


def test_a_block_gives_one_record_per_wanted_cell(records):
    assert [(r.cell, r.status) for r in records] == [("cell0", "ok"), ("cell1", "ok")]
    for record in records:
        assert record.seconds > 0  # why: whatever it was, it took some time
        measured = {(m.split, m.metric) for m in record.measurements}
        assert {"train", "test"} == {split for split, _ in measured}
        assert {metric for _, metric in measured} <= METRICS.keys()
        given = [m for m in record.measurements if m.value is not None]
        assert all(math.isfinite(m.value) for m in given)
        undefined = [m for m in record.measurements if m.value is None]
        assert {m.metric for m in undefined} <= OF_ACTIVE, "a few steps leave no unit active"
        assert all(m.message == "not defined: no dimension is active" for m in undefined)
        assert record.arrays["test_mean"].shape == record.arrays["test_scale"].shape
        assert len(record.arrays["train_labels"]) == 1078


def test_a_repeated_run_is_identical_row_by_row_whichever_others_are_wanted(records):
    assert without_time(run_block(job((1,)))) == without_time(records)[1:]


def test_an_encoder_is_calibrated_where_it_is_wanted(records):
    quality = {"sources": [], "features": "pca", "bound_inputs": 0, "sbc_draws": 60}
    (record,) = run_block(job((0,), quality=quality))
    found = {m.metric: m for m in record.measurements if m.metric.startswith("sbc")}
    assert list(found) == ["sbc_test", "sbc_joint_test", "sbc_scale"]
    assert 0 < found["sbc_test"].p_value <= 1 and found["sbc_scale"].value > 0
    assert "grey levels" in found["sbc_scale"].message
    assert record.arrays["sbc"].shape == (3, 100)
    assert not any(m.metric.startswith("sbc") for m in records[0].measurements)
    assert "sbc" not in records[0].arrays


def test_seeds_differ(records):
    first, second = without_time(records)
    assert first.measurements != second.measurements


@pytest.mark.filterwarnings("ignore")
def test_a_configuration_that_diverges_says_so():
    training = {"steps": 30, "batch_size": 64, "learning_rate": 1e12}
    records = run_block(job(training=training))
    assert {r.status for r in records} == {"diverged"}
    assert all("the loss was not finite at step" in r.message for r in records)
    assert all(r.measurements == [] for r in records)


def test_the_initialisation_of_a_seed_is_shared_and_its_own():
    first, again, other = (build_model(VALUES, (1, 8, 8), seed) for seed in (0, 0, 1))
    weight = next(first.parameters())
    assert torch.equal(weight, next(again.parameters()))
    assert not torch.equal(weight, next(other.parameters()))


def test_a_data_set_is_loaded_once():
    assert dataset_of(VALUES["dataset"]) is dataset_of({"binary": False, "name": "digits"})


def test_all_inputs_are_audited_and_a_random_choice_of_many_is_kept(monkeypatch, tmp_path):
    values = VALUES | {"dataset": {"name": "gaussian_mixture", "size": 12_000}}
    values |= {"likelihood": {"name": "gaussian", "scale": 0.1}}
    values |= {"training": {"steps": 2, "batch_size": 64, "learning_rate": 1e-3}}
    values |= {"quality": VALUES["quality"] | {"sources": []}}
    audited = []
    monkeypatch.setattr(cell, "audit", lambda mean, *args, **_: audited.append(mean) or [])
    (record,) = run_block(job_of(values, tmp_path / "matrix"))
    (mean,), kept = audited, record.arrays["train_mean"]
    assert len(mean) > 5000 == len(kept) == len(record.arrays["train_scale"])
    rows = {row.tobytes(): at for at, row in enumerate(mean.numpy())}
    where = [rows[row.tobytes()] for row in kept]
    assert len(set(where)) == 5000 and max(where) > 6000

    few = values | {"dataset": {"name": "gaussian_mixture", "size": 8334}}
    (record,) = run_block(job_of(few, tmp_path / "matrix"))
    assert len(audited[1]) == 5000
    assert (record.arrays["train_mean"] == audited[1].numpy()).all()


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


def test_the_terms_of_means_are_kept_where_all_seeds_share_their_test_inputs(records, monkeypatch):
    assert not [name for record in records for name in record.arrays if "terms" in name]
    published = replace(digits(), official_test=400)
    monkeypatch.setattr(cell, "dataset_of", lambda _: published)
    for record in run_block(job()):
        value = {m.metric: m.value for m in record.measurements if m.split == "test"}
        kept = {name for name in record.arrays if name.startswith("terms_")}
        assert kept == {"terms_certified_kl", "terms_elbo"}
        for name in kept:
            terms = record.arrays[name]
            assert terms.shape == (400,) and terms.dtype == np.float32
            assert terms.mean(dtype=np.float64) == pytest.approx(
                value[name.removeprefix("terms_")], rel=1e-5
            )
