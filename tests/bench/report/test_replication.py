"""A replication shows its verdicts beside those of the matrix that it repeats elsewhere."""

import shutil

import pytest

from bench.commands.report import outdated, overviews_outdated, write_pages
from bench.errors import DamagedWarning, MatrixError
from bench.matrix.files import shipped
from bench.matrix.language import load
from tests.bench.synthetic import paged, synthetic_rows

MATRIX = """
[matrix]
name = "{name}"
{more}
[[claim]]
id = "f"
says = "samples from the prior are worse"
metric = "frechet"
source = "prior"
expect = "{expect}"
reference = {reference}
[[claim]]
id = "h"
says = "a number that {name} asks for alone"
metric = "frechet"
source = "prior"
expect = "greater"
margin = {margin}
"""
FIRST = MATRIX.format(name="first", more="", expect="greater", reference=0.1, margin=0.0)
AGAIN = 'replicates = "first"'


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    place = tmp_path_factory.mktemp("both")
    rows = synthetic_rows(8)
    rows = rows[rows["config"].eq("base")]
    paged(place, "first", rows, FIRST)
    other = MATRIX.format(name="again", more=AGAIN, expect="greater", reference=0.1, margin=9.0)
    paged(place, "again", rows, other)
    return place


@pytest.fixture
def folder(both, tmp_path):
    return shutil.copytree(both, tmp_path, dirs_exist_ok=True)


def test_equal_claims_are_set_side_by_side_and_others_are_not(folder):
    claims = (folder / "again-claims.md").read_text()
    beside = claims.partition("## Beside first")[2].partition("## Each claim")[0]
    assert "Of 1 claim that first makes, too, 1 has the same verdict. 1 more of its" in beside
    (line,) = [line for line in beside.splitlines() if line.startswith("| f ")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1] == cells[2] and cells[1].startswith("larger than the margin: ")
    assert cells[3] == "yes" and "| h " not in beside
    assert "1 has the same verdict" in (folder / "again.md").read_text()
    assert "Beside" not in (folder / "first-claims.md").read_text()


def test_another_verdict_is_named(folder):
    rows = synthetic_rows(8)
    rows = rows[rows["config"].eq("base")]
    rows.loc[rows["metric"].eq("frechet"), "value"] -= 100.0
    paged(folder, "first", rows, FIRST)
    assert outdated(folder, "again")
    write_pages(folder, "again")
    assert "0 have the same verdict; f does not." in (folder / "again-claims.md").read_text()
    assert not outdated(folder, "again") and not overviews_outdated(folder)


def test_what_is_not_there_or_damaged_stops_nothing(folder):
    (folder / "first" / "rows.csv").write_text("nonsense")
    with (
        pytest.warns(DamagedWarning, match="again is not compared with first: expected"),
        pytest.warns(DamagedWarning, match="first is left out of the overviews"),
    ):
        write_pages(folder, "again")
    assert "no rows of first here" in (folder / "again-claims.md").read_text()
    (folder / "first" / "rows.csv").unlink()
    write_pages(folder, "again")
    assert "no rows of first here" in (folder / "again-claims.md").read_text()
    assert "same verdict" not in (folder / "again.md").read_text()


@pytest.mark.parametrize("name", ["../first", 7, "again"])
def test_only_another_matrix_can_be_replicated(name, folder):
    path = folder / "bad.toml"
    value = f'"{name}"' if isinstance(name, str) else name
    path.write_text(f'[matrix]\nname = "again"\nreplicates = {value}\n')
    with pytest.raises(MatrixError, match="matrix.replicates: "):
        load(path)


def test_the_shipped_replication_repeats_claims_of_mnist_as_they_are():
    mnist, again = load("mnist"), load("replication")
    assert again.replicates == "mnist" and "mnist" in shipped()
    known = {claim.id: claim for claim in mnist.claims}
    for claim in again.claims:
        same = known[claim.id]
        assert (claim.says, claim.metric, claim.expect) == (same.says, same.metric, same.expect)
        assert (claim.margin, claim.reference) == (same.margin, same.reference)
    ours, theirs = (dict(matrix.base) for matrix in (again, mnist))
    assert ours.pop("dataset") != theirs.pop("dataset") and ours == theirs


STUDY = """
[base]
latent_dim = 2
[[study]]
name = "size"
grid = {{ latent_dim = {levels} }}
[[claim]]
id = "e"
says = "more latent dimensions cost more"
study = "size"
metric = "frechet"
source = "prior"
expect = "increasing"
"""


def test_other_levels_of_a_study_are_said(tmp_path):
    for name, more, levels in (("first", "", "[2, 6]"), ("again", AGAIN, "[2, 4]")):
        text = MATRIX.format(name=name, more=more, expect="greater", reference=0.1, margin=0.0)
        paged(tmp_path, name, synthetic_rows(8), text + STUDY.format(levels=levels))
    page = (tmp_path / "again.md").read_text()
    assert "Of e the levels that are compared are not all the same." in page
