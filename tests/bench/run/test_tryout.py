import json

import numpy as np
import pytest
import torch

from bench.matrix.components import resolve
from bench.matrix.configurations import canonical
from bench.matrix.registry import FAMILIES
from bench.run import tryout
from bench.run.models import build_model, build_objective, dataset_of
from bench.run.tryout import LARGEST, UnfitError, fingerprint, parameters
from tests.bench.run.test_cell import VALUES


@pytest.mark.parametrize(
    ("part", "name"), [(part, name) for part in ("prior", "objective") for name in FAMILIES[part]]
)
def test_the_model_that_is_tried_is_the_one_that_trains(part, name):
    values = VALUES | {part: resolve(part, {"name": name})}
    data = dataset_of(values["dataset"])
    points = build_objective(values, 1, 0).deterministic
    tried = tryout._built(values, data, points, large=False)
    trained = build_model(values, data.data_shape, 0)
    assert tried.family == trained.family
    kept, built = tried.state_dict(), trained.state_dict()
    assert list(kept) == list(built)
    assert all(torch.equal(kept[name], built[name]) for name in kept)


@pytest.mark.parametrize(
    ("changes", "part", "reason"),
    [
        (
            {"dataset": {"name": "gaussian_mixture", "size": 5 * 10**7, "dimensions": 8}},
            "dataset",
            "expected at most 268,435,456 numbers, got 400,000,000; --yes takes on more",
        ),
        (
            {"encoder": {"name": "mlp", "hidden": [10**6, 10**6], "activation": "relu"}},
            "encoder",
            "expected a model of at most 268,435,456 numbers, got 1,000,0",
        ),
        (
            {"decoder": {"name": "mlp", "hidden": [10**9], "activation": "relu"}},
            "decoder",
            "expected a model of at most 268,435,456 numbers, got 6",
        ),
        (
            {"prior": {"name": "flow", "transforms": 3, "hidden": [10**5] * 2, "bins": 8}},
            "prior",
            "expected a model of at most 268,435,456 numbers, got 30,000,000,000; --yes takes on",
        ),
        (
            {"dataset": {"name": "images", "path": "x", "size": 10**6, "grey": False}},
            "dataset",
            "expected at most 268,435,456 numbers, got 1,000,000,000,000; --yes takes on more",
        ),
    ],
)
def test_sizes_are_computed_before_anything_is_made(changes, part, reason, monkeypatch):
    made = []
    monkeypatch.setattr(torch, "randn", lambda *size, **_: made.append(size))
    with pytest.raises(UnfitError) as caught:
        parameters(canonical({**VALUES, **changes, "training": None}))
    assert caught.value.part == part and caught.value.reason.startswith(reason)
    assert not made and not caught.value.foreign


def test_a_small_file_that_expands_far_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "zeros.npz"
    np.savez_compressed(path, x=np.zeros((100, 10)), y=np.zeros(100, int), other=np.zeros(10**6))
    monkeypatch.setattr(tryout, "LARGEST", 1000)
    monkeypatch.setattr(np, "load", None)
    with pytest.raises(UnfitError, match="expected at most 1,000 numbers, got 1,100; --yes takes"):
        fingerprint(canonical({"name": "npz", "path": f"{path}", "unit": True}))
    monkeypatch.undo()
    assert len(fingerprint(canonical({"name": "npz", "path": f"{path}", "unit": True}))) == 16


def test_what_is_meant_may_be_large(monkeypatch):
    monkeypatch.setattr(tryout, "LARGEST", 100)
    table = {"name": "gaussian_mixture", "size": 20, "dimensions": 6, "components": 1}
    with pytest.raises(UnfitError, match="at most 100 numbers, got 120; --yes takes on more"):
        fingerprint(canonical(table))
    assert len(fingerprint(canonical(table), large=True)) == 16
    assert LARGEST == 2**28


def test_a_data_set_whose_numbers_overflow_is_refused():
    table = {"name": "gaussian_mixture", "size": 20, "dimensions": 2, "spread": 3e38}
    with pytest.raises(UnfitError, match=r"expected finite numbers in x, got \d+ of 40 that are"):
        fingerprint(json.dumps(table))
