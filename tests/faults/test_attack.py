"""The attack itself: it goes on where it stopped, adds up, and never says that a fault is none."""

import warnings
from types import SimpleNamespace

import pytest

from bench.errors import DamagedWarning, UserError
from tests.faults import archives, attack, baselines, kills, matrices, plugins, states
from tests.faults.outcomes import OWN, Outcome, called


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


def test_an_error_of_the_suite_s_own_is_never_sound(monkeypatch, tmp_path):
    def broken(*_):
        raise AttributeError("odd")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("bench.commands.list.execute", broken)
    found = called(["list"])
    assert found.code == 2 and len(found.said) == 1
    assert found.raised.endswith("AttributeError: odd\n") and OWN in found.raised
    assert not Outcome("any", "one line", found.said[0]).sound
    for subject in (archives, baselines, matrices, states):
        monkeypatch.setattr(subject, "called", lambda _: found)
    path, case = tmp_path / "x", SimpleNamespace(options=[], bad=True)
    outcomes = [
        archives._judged("any", path),
        baselines._judged("any", tmp_path, path, baselines.REFUSED),
        matrices._judged("any", case, path, tmp_path),
        states._judged("any", tmp_path, tmp_path),
        kills._judged("any", tmp_path, tmp_path, found, []),
        plugins._judged("any", tmp_path, tmp_path, 2, f"a\n{found.said[0]}\n", []),
    ]
    assert [outcome.sound for outcome in outcomes] == 6 * [False]


def test_a_warning_is_no_error_and_no_line_of_one(monkeypatch):
    def warned(*_):
        warnings.warn("odd", DamagedWarning, stacklevel=1)
        raise UserError("no")

    monkeypatch.setattr("bench.commands.list.execute", warned)
    found = called(["list"])
    assert (found.code, found.said, found.raised) == (64, ("vaebench: no",), "")


@pytest.mark.parametrize("arguments", [["archive"], ["archives", "many"]])
def test_what_cannot_be_attacked_is_said(arguments, capsys):
    assert attack.main(arguments) == 64
    assert "expected one of matrices, archives" in capsys.readouterr().out
