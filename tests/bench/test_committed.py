"""The committed results, against the code as it is now."""

import re
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
import torch

from bench.matrix.language import load
from bench.run import models
from bench.run.plan import plan
from vaelib.datasets import DATASETS, Dataset

RESULTS = Path(__file__).parents[2] / "results"
NAMES = sorted(path.parent.name for path in RESULTS.glob("*/matrix.toml"))
PAGES = sorted(path.relative_to(RESULTS) for path in RESULTS.rglob("*.md"))
FINGERPRINTS = {"fashion_mnist": "fc56529d7ccf52c8", "mnist": "fb8e0ba0527bca25"}
"""Of data that need files."""


def links(text):
    """Files that a page links to or shows, but for those of the web."""
    prose = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    found = re.findall(r"\[[^\]]*\]\(([^)#]+)[^)]*\)", prose)
    return [unquote(link) for link in found if "://" not in link]


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


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_page_is_longer_than_a_reader_takes_in(page):
    """250 lines, of which a first page has 200, and tables of 6 columns and 120 characters."""
    lines = (RESULTS / page).read_text().splitlines()
    tables = [line for line in lines if line.startswith("|")]
    first = page.parent == Path() and any((RESULTS / page.stem).glob("*.md"))
    assert len(lines) <= (200 if first else 250)
    assert max(map(len, tables), default=0) <= 120
    assert all(len(re.findall(r"(?<!\\)\|", line)) <= 7 for line in tables)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_link_of_a_page_is_broken(page):
    for link in links((RESULTS / page).read_text()):
        assert (RESULTS / page.parent / link).exists(), link


def test_every_page_is_reached_from_the_index():
    reached, due = set(), [Path("README.md")]
    while due:
        page = due.pop()
        if page not in reached:
            reached.add(page)
            due += [
                (RESULTS / page.parent / link).resolve().relative_to(RESULTS.resolve())
                for link in links((RESULTS / page).read_text())
                if link.endswith(".md")
            ]
    assert set(PAGES) == reached


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_of_theirs_is_shown(name):
    pages = [RESULTS / f"{name}.md", *(RESULTS / name).glob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    shown = {link.rsplit("/", 1)[-1] for link in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)}
    assert {path.name for path in (RESULTS / name).glob("figures/*.png")} == shown
