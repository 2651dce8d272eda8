"""The attack itself: it goes on where it stopped, adds up, and never says that a fault is none."""

import pytest

from tests.faults import archives, attack
from tests.faults.outcomes import Outcome


@pytest.fixture
def tried(monkeypatch):
    seeds = []

    def case(seed, folder):
        seeds.append(seed)
        return Outcome("numbers", "answer" if seed < 7 else "traceback", "")

    monkeypatch.setattr(archives, "try_case", case)
    return seeds


def test_an_attack_goes_on_where_it_stopped_and_prints_a_table(tmp_path, capsys, tried):
    folder = tmp_path / "build" / "attack"
    assert attack.attack("archives", 3, folder) and attack.attack("archives", 5, folder)
    assert tried == [0, 1, 2, 3, 4]
    lines = capsys.readouterr().out.splitlines()
    assert lines[-len(archives.KINDS) - 1 :][:2] == ["archives | tried | answer", "numbers | 5 | 5"]
    assert attack.summary(folder).splitlines()[-1] == "all | 5 | 5"


def test_a_fault_and_cases_that_were_not_tried_are_no_success(tmp_path, capsys, tried):
    assert not attack.attack("archives", 9, tmp_path)
    assert "archives 7: traceback" in capsys.readouterr().out
    assert attack.summary(tmp_path).splitlines()[-1] == "all | 9 | 7"
    assert not attack.attack("archives", 12, tmp_path, minutes=0)
    assert len(tried) == 9


@pytest.mark.parametrize("arguments", [["archive"], ["archives", "many"]])
def test_what_cannot_be_attacked_is_said(arguments, capsys):
    assert attack.main(arguments) == 64
    assert "expected one of matrices, archives" in capsys.readouterr().out
