"""Rows without records and models: what is there, and what a run would make of it."""

import pytest

from bench.commands.alone import rows_alone
from bench.run.estimate import estimate
from bench.run.staleness import CellState, inspect, reasons
from bench.run.store import Store
from tests.bench.fakes import job, keep, outcome
from tests.bench.run.test_kept_rows import RESULTS, tabled

JOBS = [job("a", code="new"), job("b", code="new")]


@pytest.fixture
def place(tmp_path):
    """A folder with rows of a-0, a-1, b-0 and b-1; the last of them failed."""
    return tabled(tmp_path, RESULTS)[0]


def test_rows_of_other_code_are_there_and_would_be_trained_anew(place):
    found = rows_alone(place, JOBS)
    assert found.seconds == {"a-0": 0.5, "a-1": 0.5, "b-0": 0.5} and not found.unsigned
    (said,) = found.sentences(dry=True)
    assert said.startswith(f"{place / 'rows.csv'} holds 3 of these cells as rows alone")
    assert "a run would train them anew (1.5s one after another" in said
    assert said.endswith("--allow-stale keeps them")
    assert "this run will train them anew" in found.sentences(dry=False)[0]


def test_rows_that_need_no_run_are_not_told_of(place, tmp_path):
    same = [job("a"), job("b")]
    for found in (
        rows_alone(place, same),
        rows_alone(place, JOBS, keep_stale=True),
        rows_alone(tmp_path, JOBS),
    ):
        assert found.sentences(dry=True) == []


def test_rows_with_a_record_are_not_alone(place):
    keep(Store(place), outcome("a-0", 1.0))
    assert set(rows_alone(place, JOBS).seconds) == {"a-1", "b-0"}


def test_rows_of_which_nothing_says_the_code_are_there_too(place):
    (place / "rows.json").unlink()
    found = rows_alone(place, [job("a"), job("b")])
    assert set(found.unsigned) == {"a-0", "a-1", "b-0"} and not found.seconds
    (said,) = found.sentences(dry=True)
    assert "no rows.json beside them" in said and "--allow-stale" not in said
    assert rows_alone(place, JOBS, keep_stale=True).unsigned == found.unsigned


def test_what_a_part_of_a_run_leaves_out_is_said(place):
    (place / "rows.json").unlink()
    found = rows_alone(place, JOBS, ["b"])
    assert set(found.unsigned) == {"b-0"} and found.lost == 2
    mine, others = found.sentences(dry=False)
    assert "holds 1 of these cells" in mine and "will train it anew" in mine
    assert "holds 2 other cells" in others and "leave them out of rows.csv" in others


def test_a_damaged_table_says_nothing_here(place):
    (place / "rows.csv").write_text("nothing")
    assert rows_alone(place, JOBS).sentences(dry=True) == []


def test_seconds_of_rows_give_the_estimate():
    states = {"a-0": CellState("a", "missing", seconds=100.0), "a-1": CellState("a", "missing")}
    assert estimate([job("a")], states, 1) == pytest.approx(4 + 200)


def test_a_line_names_no_more_configurations_than_can_be_read(tmp_path):
    store, names = Store(tmp_path), [f"c{number}" for number in range(9)]
    for name in names:
        keep(store, outcome(f"{name}-0", 1.0), "older")
    (line,) = reasons(inspect([job(name, seeds=1) for name in names], store))
    assert line.endswith("c0, c1, c2, c3, c4, c5 and 3 more configurations")
