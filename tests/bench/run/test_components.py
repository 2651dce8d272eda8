"""Every component, named as a matrix names it, trains on the digits with two seeds."""

import itertools
import math

import pytest
import torch

from bench.matrix.configurations import DEFAULTS, resolve_all
from bench.matrix.registry import FAMILIES
from bench.run.cell import run_block
from bench.run.models import build_model, dataset_of
from tests.bench.fakes import job_of
from vaelib.objectives import OBJECTIVES

SMALL = {
    "encoder": {"name": "mlp", "hidden": [16]},
    "decoder": {"name": "mlp", "hidden": [16, 8]},
    "training": {"steps": 12, "batch_size": 32},
}
NAMES = list(
    itertools.chain.from_iterable(
        [(family, name) for name in FAMILIES[family]]
        for family in ("encoder", "decoder", "prior", "likelihood", "objective")
    )
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return str(tmp_path_factory.mktemp("results") / "matrix")


def records(results, monkeypatch, **tables):
    monkeypatch.setattr("bench.run.cell.audit", small_audit)
    values = resolve_all(DEFAULTS | SMALL | tables, "")
    values["quality"] = {"sources": [], "features": "pca", "bound_inputs": 5}
    return run_block(job_of(values, results, block=(0, 1), cells={"a": 0, "b": 1}))


def small_audit(*args, **options):
    from vaelib.audits.audit import audit

    return audit(*args, **options, null_draws=2, test_rows=20)


@pytest.mark.parametrize(("family", "name"), NAMES)
def test_it_trains_and_is_measured(family, name, results, monkeypatch):
    for record in records(results, monkeypatch, **{family: {"name": name}}):
        assert (record.status, record.message) == ("ok", "")
        rows = {(r.split, r.metric): r for r in record.measurements}
        for split, metric in rows:
            row = rows[split, metric]
            assert row.message if row.value is None else math.isfinite(row.value)
        points = family == "objective" and OBJECTIVES[name](2, 9).deterministic
        for metric in ("rate", "marginal_kl", "mutual_information", "elbo"):
            assert (rows["test", metric].value is None) == points
        assert rows["test", "reconstruction"].value is not None
        assert 0 <= rows["test", "c2st_auc"].value <= 1


@pytest.mark.parametrize("name", FAMILIES["prior"])
def test_a_saved_model_is_the_same_again(name):
    values = resolve_all(DEFAULTS | SMALL | {"prior": {"name": name}}, "")
    x = dataset_of(values["dataset"]).x[:20]
    model, again = (build_model(values, (1, 8, 8), seed) for seed in (0, 1))
    again.load_state_dict(model.state_dict())
    z = torch.rand(5, 2)
    with torch.no_grad():
        assert torch.equal(model.resolved_prior().log_prob(z), again.resolved_prior().log_prob(z))
    assert torch.equal(model.posterior(x)[0], again.posterior(x)[0])
