"""``vaebench export``: where it writes, what it never replaces, and one sentence for all else."""

import shutil

import pytest

from bench.cli import main
from tests.bench.export.test_bibtex import entries

BEGINS = {
    "csv": "matrix,dataset,",
    "latex": "% Made by",
    "bibtex": "% Made by",
    "html": "<!doctype",
}


@pytest.fixture
def folder(results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VAEBENCH_RESULTS", "results")
    return shutil.copytree(results, tmp_path / "results")


def export(*arguments):
    return main(["export", *map(str, arguments)])


@pytest.mark.parametrize("form", ["csv", "latex", "bibtex"])
def test_text_goes_to_standard_output_and_to_a_file_the_same(folder, tmp_path, capfd, form):
    assert export("one", "--format", form) == 0
    text = capfd.readouterr().out
    assert text.startswith(BEGINS[form]) and text.endswith("\n")
    for _ in range(2):  # its own is replaced
        assert export("one", "--format", form, "--out", f"x.{form}") == 0
        assert capfd.readouterr().out == f"x.{form}\n"
        assert (tmp_path / f"x.{form}").read_bytes() == text.encode()
    assert form != "bibtex" or entries(text)["vaebench-one"]["year"] == "2025"


def test_html_is_a_file_in_the_working_folder_unless_it_is_said(folder, tmp_path, capfd):
    assert export("one", "--format", "html") == 0
    assert capfd.readouterr().out == "one.html\n"
    text = (tmp_path / "one.html").read_text()
    assert text.startswith(BEGINS["html"])
    for _ in range(2):
        assert export("one.toml", "--format", "html", "--out", "x.html") == 0
    assert (tmp_path / "x.html").read_text() == text


@pytest.mark.parametrize("form", BEGINS)
@pytest.mark.parametrize("data", [b"mine\n", b"", b"\xff\xfe\x00"])
def test_a_file_of_a_users_is_never_replaced(folder, tmp_path, capfd, form, data):
    path = tmp_path / "one.html"
    path.write_bytes(data)
    out = [] if form == "html" else ["--out", path]
    assert export("one", "--format", form, *out) == 64
    assert path.read_bytes() == data
    said = capfd.readouterr().err
    assert "--out must be a new file or an earlier export, got" in said and said.count("\n") == 1


def test_rows_are_never_replaced(folder, capfd):
    rows = folder / "one" / "rows.csv"
    before = rows.read_bytes()
    assert export("one", "--format", "csv", "--out", rows) == 64
    assert rows.read_bytes() == before


def damaged(folder):
    (folder / "one" / "rows.csv").write_bytes(b"half")


def unknown_origin(folder):
    (folder / "one" / "provenance.json").write_text("[")


def nothing(folder):
    pass


BAD = {
    "no such format": (nothing, ["one", "--format", "excel"], '--format: unknown format "excel"'),
    "no such matrix": (nothing, ["none", "--format", "csv"], "none/rows.csv, which is not there"),
    "a path": (nothing, ["../one", "--format", "csv"], "expected the name of a matrix"),
    "no folder": (nothing, ["one", "--format", "csv", "--out", "none/x"], "--out must lie in"),
    "damaged rows": (damaged, ["one", "--format", "csv"], "one/rows.csv"),
    "damaged provenance": (unknown_origin, ["one", "--format", "bibtex"], "provenance.json, got"),
    "damaged for a page": (unknown_origin, ["one", "--format", "html"], "provenance.json, got"),
}


@pytest.mark.parametrize(("harm", "arguments", "said"), BAD.values(), ids=BAD)
def test_a_mistake_is_one_sentence(folder, tmp_path, capfd, harm, arguments, said):
    harm(folder)
    before = sorted(tmp_path.iterdir())
    assert export(*arguments) == 64
    out, err = capfd.readouterr()
    assert out == "" and said in err and err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
