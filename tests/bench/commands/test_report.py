"""A report reads each table once, and saves nothing before all of a page is rendered."""

import errno
import os
import re
import shutil
from collections import Counter

import numpy as np
import pytest
from matplotlib.figure import Figure

from bench.analysis import results as results_of
from bench.commands import report
from bench.commands.report import outdated, overviews_outdated, write_pages
from bench.errors import DamagedError, DamagedWarning, UserError, refusal
from bench.report.blocks import Page, drawn
from bench.rows import read_rows
from bench.run import kept_rows
from bench.run.kept_rows import described
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
metric = "second_moment"
expect = "decreasing"
margin = 0.05
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    rows = synthetic_rows(8)
    rows = rows[rows["config"].isin(["base", "latent_dim-3"]) & rows["metric"].ne("frechet")]
    for name in ("first", "second"):
        paged(folder, name, rows, MATRIX.format(name=name))
    return folder


@pytest.fixture
def folder(pages, tmp_path):
    return shutil.copytree(pages, tmp_path / "results")


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


DAMAGES = {
    "half the bytes of the rows": ("rows.csv", lambda data: data[: len(data) // 2]),
    "a part of the rows": (
        "rows.csv",
        lambda data: data[: data.index(b"\n", len(data) * 3 // 4) + 1],
    ),
    "rows of zeros": ("rows.csv", lambda data: bytes(len(data))),
    "rows in another code": ("rows.csv", lambda data: data.replace(b"nats", b"n\xffts")),
    "no rows": ("rows.csv", lambda data: b""),
    "a row twice": ("rows.csv", lambda data: data + data[data.rindex(b"\n", 0, -1) + 1 :]),
    "no split": ("rows.csv", lambda data: data.replace(b",test,", b",tset,", 1)),
    "no seed": ("rows.csv", lambda data: data.replace(b",digits,0,", b",digits,zero,", 1)),
    "a huge seed": ("rows.csv", lambda data: data.replace(b",digits,0,", b",digits,9" * 99, 1)),
    "a matrix that is no TOML": ("matrix.toml", lambda data: b"nonsense"),
    "a matrix of other bytes": ("matrix.toml", lambda data: b"\xff\xfe\x00"),
    "metrics that break off": ("metrics.json", lambda data: b"[{"),
    "metrics of another kind": ("metrics.json", lambda data: b"[1]"),
    "nested metrics": ("metrics.json", lambda data: b"[" * 100_000),
}


@pytest.mark.parametrize(("file", "damage"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_a_sentence_here_and_a_warning_for_a_neighbour(folder, file, damage):
    path = folder / "first" / file
    path.write_bytes(damage(path.read_bytes() if path.exists() else b""))
    with pytest.raises(UserError) as caught:
        results_of.Results.read(folder / "first")
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.warns(DamagedWarning, match=f"first.*{re.escape(file)}") as told:
        report._all(folder, {})
    assert len(told) == 1 and "\n" not in str(told[0].message)


ALTERED = {
    "rows.csv": lambda data: data.replace(b",0.", b",1.", 1),
    "matrix.toml": lambda data: data.replace(b"margin = 0.05", b"margin = 5"),
    "metrics.json": lambda data: b"[]",
    "configurations.json": lambda data: b"{}",
    "rows.json": lambda data: data.replace(b"rows.csv", b"rows.tsv"),
}


@pytest.mark.parametrize("file", ALTERED)
def test_what_was_altered_since_a_run_wrote_it_is_not_used(folder, file):
    first = folder / "first"
    (first / "rows.json").write_bytes(described([], first))
    write_pages(folder, "first")
    path, page = first / file, (folder / "first.md").read_bytes()
    data = path.read_bytes() if path.exists() else b""
    assert ALTERED[file](data) != data
    path.write_bytes(ALTERED[file](data))
    assert outdated(folder, "first") and overviews_outdated(folder)
    with pytest.raises(DamagedError, match=f"^expected .*{re.escape(file)}.*, got .*; run the"):
        write_pages(folder, "first")
    assert (folder / "first.md").read_bytes() == page
    with pytest.warns(DamagedWarning, match=f"first.*{re.escape(file)}") as told:
        assert [one.name for one in report._all(folder, {})[0]] == ["second"]
    assert len(told) == 1 and "\n" not in str(told[0].message)


@pytest.mark.parametrize("file", ["rows.csv", "rows.json"])
def test_a_file_that_may_not_be_read_says_so_here_and_of_a_neighbour(folder, file, monkeypatch):
    first = folder / "first"
    (first / "rows.json").write_bytes(described([], first))
    read = kept_rows.read_bytes

    def refused(path):
        if path == first / file:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(kept_rows, "read_bytes", refused)
    with pytest.raises(PermissionError) as caught:
        results_of.Results.read(first)
    assert str(refusal(caught.value)) == (
        f"cannot use {first / file}: Permission denied; choose another path"
    )
    match = f"first is left out of the overviews: cannot read .*{file}: Permission denied"
    with pytest.warns(DamagedWarning, match=match):
        report._all(folder, {})


def test_vectors_stand_beside_the_pictures_and_are_no_part_of_the_pages(folder, monkeypatch):
    figure = Figure(figsize=(1, 1))
    page = Page("first.md", "![a](first/figures/a.png)\n", (drawn("a", "a.png", figure),))
    monkeypatch.setattr(report, "pages", lambda _: [page])
    monkeypatch.setattr(report, "write_overviews", lambda *_: None)
    figures = folder / "first" / "figures"
    write_pages(folder, "first")
    assert (figures / "a.png").is_file() and not list(figures.glob("*.svg"))
    write_pages(folder, "first", "svg")
    assert [path.name for path in figures.glob("*.svg")] == ["a.svg"]
    assert (figures / "a.svg").read_bytes() == page.pictures[0].vector("svg")[1]
    assert (folder / "first.md").read_text() == page.text
    (figures / "a.svg").unlink()
    assert not outdated(folder, "first")


def bomb(path):
    """An archive that announces 2 GB."""
    np.savez_compressed(path, **{"base/sbc": np.zeros((2, 2))})
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\1\2") + 24
    data[at : at + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(data)


ARRAYS = {
    "no archive": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(200)),
    "no bytes": lambda path: path.write_bytes(b""),
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a mean alone": lambda path: np.savez(path, **{"base/mean": np.ones((3, 2))}),
    "a flat table": lambda path: np.savez(path, **{"base/sbc": np.ones(3)}),
    "nothing finite": lambda path: np.savez(path, **{"base/quantiles": np.full((2, 3), np.nan)}),
    "a name of elsewhere": lambda path: np.savez(
        path, **{"../x/samples/prior": np.ones((1, 1, 2, 2), np.uint8)}
    ),
    "zeros that expand": lambda path: bomb(path),
    "objects": lambda path: np.savez(path, **{"base/sbc": np.array([{}])}),
}


@pytest.mark.parametrize("damage", ARRAYS.values(), ids=ARRAYS)
def test_damaged_arrays_are_a_sentence_here_and_nothing_for_a_neighbour(folder, damage):
    path = folder / "first" / "arrays.npz"
    damage(path)
    with pytest.raises(UserError, match="expected the arrays of figures in .*arrays.npz, got"):
        results_of.Results.read(folder / "first")
    assert [one.name for one in report._all(folder, {})[0]] == ["first", "second"]


def test_pages_are_fresh_as_long_as_what_they_are_made_of_is_the_same(folder):
    def fresh():
        return not outdated(folder, "first"), not overviews_outdated(folder)

    assert fresh() == (True, True)
    made = shutil.copytree(folder, folder.parent / "made")
    rows = folder / "first" / "rows.csv"
    data = rows.read_bytes()
    rows.write_bytes(data + b"\n")
    for page in folder.glob("**/*.md"):
        os.utime(page, (4e9, 4e9))
    assert fresh() == (False, False), "though the pages are dated into the future"
    rows.write_bytes(data)
    assert fresh() == (True, True)
    for path in ("first.md", "first-claims.md", next((folder / "first/figures").iterdir())):
        (folder / path).unlink()
        assert fresh() == (False, path != "first-claims.md" and path != "first.md")
        shutil.copytree(made, folder, dirs_exist_ok=True)
    for path in ("README.md", "predictors.md", ".pages.json"):
        (folder / path).unlink()
        assert fresh() == (True, False)
        shutil.copytree(made, folder, dirs_exist_ok=True)
    (folder / "first.md").write_text("another")
    assert fresh() == (False, True)
