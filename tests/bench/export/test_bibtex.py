"""Entries that BibTeX reads, from what is known and nothing else."""

import re
import shutil
import subprocess

import pytest

from bench.export.bibtex import Suite, as_bibtex, cited
from bench.export.origin import Origin, origin
from tests.bench.export.conftest import SESSION

CITATION = """\
# How to cite
cff-version: 1.2.0
message: "If you use it, cite it."
title: "Suite: a test of 50 % & more"
type: software
version: 1.2.3  # of the release
date-released: '2025-03-04'
repository-code: https://example.org/a_suite
authors:
  - family-names: Müller
    given-names: Ada B.
  - given-names: Jan
    name-particle: van
    family-names: Berg
  - name: The {odd} maintainers
keywords:
  - VAE
"""
SUITE = Suite("vaebench: what it is", "0.1.0")


def entries(text):
    """Key -> fields, read as BibTeX does: values in balanced braces."""
    assert text.startswith("% Made by ")
    found = {}
    for key, body in re.findall(r"^@misc\{([\w-]+),\n(.*?)^\}$", text, re.DOTALL | re.MULTILINE):
        fields = re.findall(r"^  (\w+) += \{(.*)\},$", body, re.MULTILINE)
        assert len(fields) == len(body.splitlines()) == len(dict(fields))
        for _, value in fields:
            plain = re.sub(r"\\[{}]", "", value)
            assert plain.count("{") == plain.count("}")
        found[key] = dict(fields)
    return found


def test_the_suite_is_cited_as_its_file_says_and_the_results_by_commit_and_year():
    suite = cited(CITATION, SUITE)
    text = as_bibtex("my_matrix", suite, origin([SESSION]), "vaebench export my_matrix")
    ours, results = entries(text)["vaebench"], entries(text)["vaebench-my-matrix"]
    assert ours["title"] == r"{Suite: a test of 50 \% \& more}"
    assert ours["author"] == r"Müller, Ada B. and van Berg, Jan and {The \{odd\} maintainers}"
    assert (ours["year"], ours["version"]) == ("2025", "1.2.3")
    assert ours["url"] == "https://example.org/a_suite"
    assert results["title"] == r"{Suite: results of the matrix my\_matrix}"
    assert (results["year"], results["version"]) == ("2025", "0.1.0")
    assert SESSION["git"]["commit"] in results["note"] and "changes" in results["note"]


@pytest.mark.parametrize("citation", ["", "nonsense", "title:\nauthors: []\n", "\x00: [", "- a\n"])
def test_without_a_citation_file_the_project_is_cited(citation):
    suite = cited(citation, SUITE)
    assert suite == SUITE
    ours = entries(as_bibtex("x", suite, Origin(), "vaebench export x"))["vaebench"]
    assert ours["author"] == "{The vaebench maintainers}" and "year" not in ours


def test_what_provenance_does_not_know_is_left_out():
    odd = {"git": "none", "versions": None, "start": 3}
    assert origin([odd, {}]) == Origin()
    assert set(entries(as_bibtex("x", SUITE, origin([odd]), "c"))["vaebench-x"]) == {
        "author",
        "title",
    }


def test_the_newest_session_comes_first_and_every_commit_is_named():
    later = SESSION | {"git": {"commit": "c" * 40, "dirty": False}, "start": "2026-01-02T00:00"}
    found = origin([later, SESSION, SESSION])
    assert found.commits == ("c" * 40, SESSION["git"]["commit"])
    assert (found.year, found.changed) == ("2026", True)


@pytest.mark.skipif(shutil.which("bibtex") is None, reason="there is no bibtex on the PATH")
def test_bibtex_reads_it(tmp_path):
    text = as_bibtex("my_matrix", cited(CITATION, SUITE), origin([SESSION]), "vaebench export")
    (tmp_path / "x.bib").write_text(text)
    (tmp_path / "x.aux").write_text("\\citation{*}\n\\bibstyle{plain}\n\\bibdata{x}\n")
    done = subprocess.run(["bibtex", "x"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "Warning" not in done.stdout, done.stdout
    assert "results of the matrix" in (tmp_path / "x.bbl").read_text()
