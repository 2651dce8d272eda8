"""Results that every export is made from: two data sets in one, hostile texts in the other."""

import json

import pytest

from bench.analysis.results import Results
from tests.bench.synthetic import stored, synthetic_rows

HOSTILE = "<script>alert(1)</script> & 50 % [of](https://example.org) $q_z$ **not** bold \\\\ #1"
MATRIX = f"""# Is <b>one</b> better? See https://example.org and `latent_dim`.
[matrix]
name = "one"
[[study]]
name = "latent size"
grid = {{ latent_dim = [2, 3, 4, 6, 8, 16, 32] }}
[[claim]]
id = "e"
says = '''{HOSTILE}'''
study = "latent size"
metric = "second_moment"
expect = "decreasing"
margin = 0.05
"""
SESSION = {
    "git": {"commit": "9b35fa466c636d2856dad1ffb6c1f29b558ca4f1", "dirty": True},
    "versions": {"vaebench": "0.1.0"},
    "start": "2025-11-29T05:36:09+00:00",
}


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """A folder of results: ``one`` with a claim, ``two`` of two data sets with odd names."""
    folder = tmp_path_factory.mktemp("results")
    rows = synthetic_rows()
    stored(folder, "one", rows)
    (folder / "one" / "matrix.toml").write_text(MATRIX)
    (folder / "one" / "provenance.json").write_text(json.dumps(SESSION))
    rows = rows[rows["metric"].ne("frechet")].reset_index(drop=True)
    rows["dataset"] = rows["config"].map(lambda name: "a_b & éβ" if "hidden" in name else HOSTILE)
    stored(folder, "two", rows)
    return folder


@pytest.fixture(scope="session")
def one(results):
    return Results.read(results / "one")


@pytest.fixture(scope="session")
def two(results):
    return Results.read(results / "two")
