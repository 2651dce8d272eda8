"""What a job may believe of its data, and what a user's own code may leave to other jobs."""

import json
import re

import numpy as np
import pytest
import torch

from bench.cli import main
from bench.errors import MatrixError
from bench.run import cell
from bench.run.cell import run_block
from bench.run.models import forget_datasets
from bench.run.plan_apart import planned
from bench.run.record import CellResult
from bench.run.request import Request
from bench.run.settings import changes, settings
from bench.run.store import Store
from bench.run.worker import execute
from tests.bench.fakes import job_of
from tests.bench.run.test_cell import VALUES
from tests.faults.matrices import document, importing, toml
from vaelib.audits.measurement import Measurement
from vaelib.stats import nulls

SMALL = VALUES | {
    "dataset": {"name": "gaussian_mixture", "size": 300, "dimensions": 3},
    "likelihood": {"name": "gaussian", "scale": 1.0},
    "training": {"steps": 3, "batch_size": 64, "learning_rate": 1e-3},
    "quality": {"sources": ["prior"], "features": "classifier", "bound_inputs": 5},
}


def matrix_of(folder, seed):
    """A matrix on an archive of a user's own, which is written with one seed."""
    x = np.random.default_rng(seed).normal(size=(100, 4)).astype(np.float32)
    np.savez(folder / "own.npz", x=x)
    path = folder / "matrix.toml"
    dataset = {"name": "npz", "path": f"{folder / 'own.npz'}", "unit": False}
    path.write_text(toml(document(dataset=dataset)))
    return path


@pytest.mark.parametrize("trained_before", [False, True])
def test_data_that_changed_since_the_plan_give_a_failure_and_no_row(trained_before, tmp_path):
    request = Request(f"{matrix_of(tmp_path, 0)}", results=tmp_path / "results")
    before = planned(request)
    job = before.jobs[0]
    if trained_before:
        assert {record.status for record in execute(job.to_dict())} == {"ok"}
        for path in (before.folder / "cells").iterdir():
            path.unlink()
    models = {path: path.read_bytes() for path in (before.folder / "models").glob("*")}
    matrix_of(tmp_path, 1)
    forget_datasets()  # as in a process of its own
    records = execute(job.to_dict())
    assert {record.status for record in records} == {"failed"} and len(records) == len(job.cells)
    expected = r"ValueError: expected the data that was planned \(\w{16}\), got other data in npz "
    assert all(
        re.fullmatch(rf"{expected}.*own\.npz \(\w{{16}}\); give the command again", one.message)
        for one in records
    )
    store = Store(before.folder)
    assert {store.read(one).status for one in job.cells} == {"failed"}
    assert {path: path.read_bytes() for path in (before.folder / "models").glob("*")} == models
    after = planned(request)  # the command, given again
    assert not {one.id for one in after.cells} & {one.id for one in before.cells}
    assert {record.status for record in execute(after.jobs[0].to_dict())} == {"ok"}


def test_a_model_that_does_not_fit_the_changed_data_is_seen_when_it_is_planned(tmp_path):
    path = matrix_of(tmp_path, 0)
    planned(Request(f"{path}"))
    np.savez(tmp_path / "own.npz", x=np.zeros((9, 4), np.float32))
    with pytest.raises(MatrixError, match=r"^base\.dataset: .*at least 10 points"):
        planned(Request(f"{path}"))


OWN = """
import torch
from bench.metrics.metric import Metric
from vaelib.networks import MLPEncoder
class Part(MLPEncoder):
    pass
mine = Metric("mine", "nats", None, None, "m", "mine", "me", measure=lambda encoded: 1.0)
"""


@pytest.mark.parametrize("named", ["component", "metric", "nothing"])
def test_only_jobs_without_code_of_a_users_own_write_the_shared_cache(named, tmp_path, monkeypatch):
    monkeypatch.delenv("VAEBENCH_CACHE")
    monkeypatch.setattr(nulls, "_MEMORY", {})
    monkeypatch.setattr("vaelib.samples.image_reference._JUDGES", {})
    (tmp_path / "own_code.py").write_text(OWN)
    values, metrics = SMALL, ()
    if named == "component":
        part = {"name": "own_code:Part", "hidden": [4], "activation": "relu"}
        values = SMALL | {"encoder": part}
    if named == "metric":
        metrics = ("own_code:mine",)
    job = job_of(values, tmp_path / "results" / "small", cells={"cell": 0}, metrics=metrics)
    few = nulls.NormalNull
    monkeypatch.setattr(cell, "NormalNull", lambda **options: few(draws=19, **options))
    with importing(tmp_path):
        (result,) = run_block(job)
    assert result.status == "ok"
    kept = {path.parent.name for path in tmp_path.glob("results/cache/*/*")}
    assert kept == ({"nulls", "features"} if named == "nothing" else set())


LEFT = "expected code that leaves the settings of torch as they are where it is imported, got "
CHANGES = {
    "torch.set_default_dtype(torch.float64)": LEFT + "default dtype torch.float64; ",
    "torch.set_default_device('meta')": LEFT + "default device meta; ",
    "torch.set_grad_enabled(False)": LEFT + "gradients off; ",
    "d = torch.randn; torch.randn = lambda *a, **k: 1.2 * d(*a, **k)": "expected code that changes "
    "no function of others, got another gaussian_mixture where it was imported; ",
}


def own_encoder(folder, code):
    (folder / "own_code.py").write_text(code)
    path = folder / "matrix.toml"
    path.write_text(toml(document(encoder={"name": "own_code:Part", "hidden": [4]})))
    return path


@pytest.mark.parametrize("change", CHANGES)
def test_an_import_that_changes_what_data_are_is_named(change, tmp_path, capfd):
    path = own_encoder(tmp_path, OWN + change)
    with importing(tmp_path):
        assert main(["run", f"{path}", "--dry-run", "--results", f"{tmp_path / 'r'}"]) == 64
    (said,) = capfd.readouterr().err.splitlines()
    assert said.startswith(f"vaebench: base.encoder: {CHANGES[change]}")


FORWARD = """
    def forward(self, x):
        torch.set_default_dtype(torch.float64)
        return super().forward(x)
"""


def test_a_component_that_changes_settings_when_it_is_tried_is_named(tmp_path):
    code = OWN.replace("    pass", FORWARD)
    path = own_encoder(tmp_path, code)
    wanted = r"^base\.encoder: .*torch\.float64"
    with importing(tmp_path), pytest.raises(MatrixError, match=wanted):
        planned(Request(f"{path}"))


def test_what_an_import_does_to_folder_and_environment_does_not_reach_the_data(tmp_path):
    path = matrix_of(tmp_path, 0)
    ours = planned(Request(f"{path}"))
    harm = "\nimport os; os.chdir('/'); os.environ['VAEBENCH_DATA'] = '/nowhere'\n"
    (tmp_path / "own_code.py").write_text(OWN + harm)
    text = path.read_text().replace("[matrix]", '[matrix]\nmetrics = ["own_code:mine"]')
    path.write_text(text)
    with importing(tmp_path):
        theirs = planned(Request(f"{path}"))
    assert [one.id for one in theirs.cells] == [one.id for one in ours.cells]


def test_settings_that_were_set_back_are_not_changed():
    before = settings()
    assert changes(before) == ""
    with torch.no_grad():
        assert changes(before) == "gradients off"
    assert changes(before) == ""


BAD = """
from bench.metrics.metric import Metric
def no(encoded):
    raise ValueError("a\\udcffb")
mine = Metric("mine", "nats", None, None, "m", "mine", "me", measure=no)
"""


def test_half_a_character_in_an_error_loses_no_cell(tmp_path, monkeypatch):
    (tmp_path / "own_code.py").write_text(BAD)
    job = job_of(SMALL, tmp_path / "small", cells={"cell": 0}, metrics=("own_code:mine",))
    monkeypatch.setattr(cell, "audit", lambda *_, **__: [])
    monkeypatch.setattr(cell, "sample_quality", lambda *_, **__: ([], {}))
    with importing(tmp_path):
        (record,) = execute(job.to_dict())
    assert record.status == "failed" and record.message.endswith(r"ValueError: a\udcffb")
    kept = Store(tmp_path / "small").read("cell")
    assert kept == record or kept.message == record.message
    assert json.loads(record.model_dump_json())["message"] == record.message


def test_half_a_character_in_what_is_not_defined_is_kept(tmp_path):
    rows = [Measurement("test", "mine", None, message="no\udcff")]
    job = job_of(SMALL, tmp_path / "small", cells={"cell": 0})
    record = Store(tmp_path / "small").write(CellResult("cell", measurements=rows), job)
    assert Store(tmp_path / "small").read("cell").measurements == record.measurements
    assert record.measurements[0].message == r"no\udcff"
