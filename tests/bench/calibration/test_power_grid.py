import dataclasses

import pytest

from bench.calibration import power_grid
from bench.calibration.power_grid import due, fill, grid, is_counted
from vaelib.audits.power import Counted, read


class Asked(list):
    """Settings that were counted; ``seen``: how often each is, at most."""


@pytest.fixture
def counted(monkeypatch):
    """Settings that were counted, which takes no time."""
    asked, seen = Asked(), [100]
    asked.seen = seen

    def count(row, repeats):
        asked.append(row.setting)
        return dataclasses.replace(row, repeats=repeats, seen=min(repeats, seen[0]))

    monkeypatch.setattr(power_grid.power, "count", count)
    monkeypatch.setattr(power_grid, "grid", lambda: iter(SOME))
    monkeypatch.setattr(power_grid, "code", lambda: "now")
    return asked


SOME = list(grid())[:3]


def test_the_grid_is_the_specified_one_from_cheap_to_dear():
    every = list(grid())
    assert len(set(every)) == len(every) and all(one.possible for one in every)
    per_dimension = [sum(o.n == 300 and o.dimensions == d for o in every) for d in (1, 2, 4, 128)]
    assert per_dimension == [3 * 3, 3 * 9, 3 * 11, 3 * 11]  # scale has no directions
    assert {one.n for one in every} == {100, 300, 1000, 3000, 10_000}
    assert every[0].n * every[0].dimensions == 100 and every[-1].n == 10_000
    own = [(one.placed, one.n) for one in every if one.departure == "ring" and one.dimensions == 8]
    assert own.index(("rotated", 300)) < own.index(("axes", 300))


def test_a_table_is_filled_and_what_is_there_is_kept(tmp_path, counted, capsys):
    path = tmp_path / "new" / "power.csv"
    assert fill(path, 2, float("inf")) == 0
    assert counted == SOME
    assert {(row.repeats, row.code) for row in read(path.read_text())} == {(2, "now")}
    assert fill(path, 2, float("inf")) == 0 and len(counted) == 3
    assert fill(path, 3, float("inf")) == 0 and counted == SOME + SOME
    assert capsys.readouterr().out.startswith("[1/3] ")


@pytest.mark.parametrize(
    ("repeats", "counts", "clear"),
    [
        (7, (0, 0, 0, 0), False),
        (8, (0, 0, 0, 0), True),
        (8, (8, 0, 0, 0), False),  # 8 of 8 may be .8 or less
        (17, (17, 17, 0, 0), True),
        (20, (20, 20, 0, 0), True),
        (20, (20, 19, 1, 0), False),  # 19 of 20 may be .8 or less
        (20, (20, 20, 3, 0), True),
        (20, (20, 20, 10, 0), False),
        (49, (30, 0, 0, 0), False),
        (50, (30, 0, 0, 0), True),
    ],
)
def test_a_setting_is_counted_when_its_counts_are_clear(repeats, counts, clear):
    names = ("seen", "proved", "halved", "decided")
    row = Counted(**SOME[0].__dict__, repeats=repeats, **dict(zip(names, counts, strict=True)))
    assert is_counted(row, 50) is clear


def test_clear_settings_end_early(tmp_path, counted):
    path = tmp_path / "power.csv"
    assert fill(path, 50, float("inf")) == 0
    assert {row.repeats for row in read(path.read_text())} == {17}
    assert fill(path, 50, float("inf")) == 0 and len(counted) == 6  # nothing is left
    for seen, repeats in ((0, 8), (12, 50)):
        path.unlink()
        counted.seen[0] = seen
        assert fill(path, 50, float("inf")) == 0
        assert {row.repeats for row in read(path.read_text())} == {repeats}


def test_when_the_time_is_over_nothing_begins(tmp_path, counted):
    assert fill(tmp_path / "power.csv", 2, 0) == 3
    assert counted == []


def test_what_other_code_counted_is_counted_anew_and_last(counted):
    settings = [one.__dict__ for one in SOME]
    old, few = Counted(**settings[0], repeats=9, code="old"), Counted(**settings[1], repeats=1)
    few = dataclasses.replace(few, code="now")
    queue = due({row.setting: row for row in (old, few)}, 2)
    assert [row.setting for row in queue] == [*SOME[1:], SOME[0]]
    assert [row.repeats for row in queue] == [1, 0, 0]
    assert {row.code for row in queue} == {"now"}
