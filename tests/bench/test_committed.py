"""The committed results, against the code as it is now."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from bench.matrix.language import load
from bench.run import models
from bench.run.plan import plan
from vaelib.datasets import DATASETS, Dataset

RESULTS = Path(__file__).parents[2] / "results"
NAMES = sorted(path.parent.name for path in RESULTS.glob("*/matrix.toml"))
FINGERPRINTS = {"fashion_mnist": "fc56529d7ccf52c8", "mnist": "fb8e0ba0527bca25"}
"""Of data that need files."""


def standing_in(name):
    """A few images of that shape, under the fingerprint of the data."""
    data = Dataset(name, torch.zeros(400, 1, 28, 28), torch.arange(400) % 10)
    data.__dict__["fingerprint"] = FINGERPRINTS[name]
    return data


@pytest.fixture
def without_files(monkeypatch):
    for name in FINGERPRINTS:
        monkeypatch.setitem(DATASETS, name, lambda name=name: standing_in(name))
    models._load.cache_clear()
    yield
    models._load.cache_clear()


@pytest.mark.parametrize("name", NAMES)
def test_they_are_of_the_cells_that_their_matrix_has_now(name, tmp_path, without_files):
    planned = plan(load(str(RESULTS / name / "matrix.toml")), tmp_path)
    there = pd.read_csv(RESULTS / name / "rows.csv", usecols=["cell"])["cell"]
    assert {cell.id for cell in planned.cells} == set(there)
