"""The pages of the calibration: the first answers, and each table has one of its own."""

import re
from pathlib import Path

import pytest

from bench.calibration import page as whole
from bench.calibration.page import validity_pages, write_validity
from bench.calibration.pages.estimators import estimator_parts
from bench.calibration.pages.intervals import interval_parts
from bench.calibration.pages.part import Part
from bench.calibration.pages.power import blind
from bench.calibration.run import FULL, SUBJECTS
from bench.calibration.verdicts import raw_table, read_table

RESULTS = Path(__file__).parents[3] / "results"
COMMITTED = RESULTS / FULL


@pytest.fixture(scope="module")
def pages():
    return validity_pages(COMMITTED)


def test_every_subject_has_a_page():
    assert set(whole._PARTS) == {*SUBJECTS, "again", "subset"}


def test_the_committed_pages_are_what_the_committed_tables_give(pages):
    """`vaebench validate --rebuild` writes them again."""
    assert {page.file for page in pages} == {
        "validity.md",
        *(f"validity/{path.name}" for path in COMMITTED.glob("*.md")),
    }
    for page in pages:
        assert page.text.encode() == (RESULTS / page.file).read_bytes(), page.file


def test_every_page_is_reached_from_the_first_and_leads_back(pages):
    links = {page.file: set(re.findall(r"\]\(([^)]+)\)", page.text)) for page in pages}
    reached = links.pop("validity.md")
    for file, found in links.items():
        assert "../validity.md" in found, file
        reached |= {f"validity/{link}" for link in found}
    assert set(links) <= reached


def test_every_row_of_every_table_stands_on_a_page(pages):
    """As its numbers are printed there."""
    text = {page.file: page.text for page in pages}

    def lines(file, heads):
        blocks = text[f"validity/{file}.md"].split("\n\n")
        found = [block.splitlines() for block in blocks if block.startswith(f"| {heads} ")]
        return sum(len(block) - 2 for block in found)

    judged = {name: read_table(COMMITTED, name) for name in SUBJECTS}
    for file in ("settings", "oracles", "bias"):
        assert lines(f"estimators-{file}", "row") == len(judged["estimators"])
    assert lines("levels-counts", "test") == len(judged["levels"])
    assert lines("intervals", "what is printed") == len(judged["intervals"])
    assert lines("excess", "D") % len(judged["excess"]) == 0
    kinds = raw_table(COMMITTED, "answers").query("family != 'world' and kl <= 0.05")
    assert lines("answers", "kind") == kinds.groupby(["kl", "kind"]).ngroups


def test_what_is_far_from_a_bound_is_not_called_far_from_its_oracle():
    table = read_table(COMMITTED, "estimators")
    bound = table["promise"] == "at most"
    assert bound.any()
    (found,) = estimator_parts(table.assign(z=table["z"].mask(bound, -50.0)))[0].found
    assert "50" not in found and " standard errors away" in found


def test_settings_of_as_many_seeds_stand_below_one_heading():
    blocks = interval_parts(read_table(COMMITTED, "intervals"))[0].blocks
    heads = [block for block in blocks if str(block).startswith("## ")]
    assert heads[:2] == ["## S = 5", "## S = 10"] and len(set(heads)) == len(heads)


def test_a_test_that_sees_no_departure_is_named():
    table = raw_table(COMMITTED, "reach")
    assert "`mardia_test` to scale, shift, correlation" in blind(table)
    sees = table.assign(rejections=table["repetitions"])
    assert blind(sees) == "Blind to 0.2 nats at every D, from 2 on: no test."


def test_a_page_is_written_from_what_there_is(tmp_path):
    (tmp_path / FULL).mkdir()
    (tmp_path / FULL / "intervals.csv").write_bytes((COMMITTED / "intervals.csv").read_bytes())
    first = write_validity(tmp_path, FULL)
    assert first.read_text().startswith("# Is the suite itself calibrated?\n\n")
    assert {path.name for path in (tmp_path / FULL).glob("*.md")} == {"intervals.md", "columns.md"}


def test_parts_without_a_finding_are_left_to_the_page_that_links_to_them():
    parts = [Part("a", "A", [], ["Found."]), Part("a-more", "More", [])]
    assert whole._found("x", parts, "##") == ["## A", "Found.", "More: [a](x/a.md)."]
