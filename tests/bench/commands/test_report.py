"""A report reads each table once, and saves nothing before all of a page is rendered."""

from collections import Counter

import pytest

from bench.analysis import results as results_of
from bench.commands import report
from bench.commands.report import write_pages
from bench.rows import read_rows
from tests.bench.synthetic import paged, synthetic_rows

MATRIX = """# Does it?
[matrix]
name = "{name}"
[[study]]
name = "latent size"
grid = {{ latent_dim = [2, 3] }}
[[claim]]
id = "e"
says = "more dimensions match better"
study = "latent size"
metric = "marginal_kl_excess"
expect = "decreasing"
margin = 0.05
"""


@pytest.fixture
def folder(tmp_path):
    rows = synthetic_rows(8)
    rows = rows[rows["config"].isin(["base", "latent_dim-3"]) & rows["metric"].ne("frechet")]
    for name in ("first", "second"):
        paged(tmp_path, name, rows, MATRIX.format(name=name))
    return tmp_path


def test_every_table_is_read_once(folder, monkeypatch):
    times = Counter()

    def counted(path):
        times[path.parent.name] += 1
        return read_rows(path)

    monkeypatch.setattr(results_of, "read_rows", counted)
    write_pages(folder, "first")
    assert times == {"first": 1, "second": 1}


def test_nothing_is_saved_where_a_page_cannot_be_rendered(folder, monkeypatch):
    def state():
        return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    def broken(*_):
        raise RuntimeError("no claims")

    before = state()
    monkeypatch.setattr(report, "claims_page", broken)
    with pytest.raises(RuntimeError, match="no claims"):
        write_pages(folder, "first")
    assert state() == before
