"""The committed results, against the code as it is now."""

import re
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


@pytest.mark.parametrize("name", NAMES)
def test_no_page_of_theirs_is_longer_than_a_reader_takes_in(name):
    """250 lines, and tables of 6 columns and 120 characters."""
    answer = RESULTS / f"{name}.md"
    assert len(answer.read_text().splitlines()) <= 200
    for page in (answer, *(RESULTS / name).glob("*.md")):
        lines = page.read_text().splitlines()
        tables = [line for line in lines if line.startswith("|")]
        assert len(lines) <= 250, page
        assert max(map(len, tables), default=0) <= 120, page
        assert all(len(re.findall(r"(?<!\\)\|", line)) <= 7 for line in tables), page


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_of_theirs_is_shown(name):
    pages = [RESULTS / f"{name}.md", *(RESULTS / name).glob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    shown = {link.rsplit("/", 1)[-1] for link in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)}
    assert {path.name for path in (RESULTS / name).glob("figures/*.png")} == shown
