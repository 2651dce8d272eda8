"""Progress is said where it takes long, by a clock of the test's own."""

import io
import sys

import pytest

from vaelib import answers, audit_samples
from vaelib.asking.progress import Watch, watched
from vaelib.audits.measurement import silent


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture(params=[True, False], ids=["terminal", "log"])
def watch(request, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    clock = Clock()
    made = Watch(Stream(request.param), clock)
    return made, clock, made._stream, request.param


def test_what_is_short_is_silent(watch):
    tell, clock, stream, _ = watch
    for clock.now in (100.0, 101.0, 102.9):
        tell("tests of train", 1, 8)
    tell.close()
    assert stream.getvalue() == ""


def test_what_is_long_is_told_in_a_line(watch):
    tell, clock, stream, terminal = watch
    for clock.now, stage in ((103, "density of train"), (104, "tests"), (112, "a"), (113, "b")):
        tell(stage, 1, 8)
    tell.close()
    if not terminal:
        first, second = stream.getvalue().splitlines()
        assert first == "audit: density of train, 1 of 8 (3 s)"
        assert second == "audit: b, 1 of 8 (13 s)", "ten seconds later"
        return
    shown = stream.getvalue().split("\r")[1:]
    assert "\n" not in stream.getvalue() and len(shown) == 6
    assert shown[0] == "audit: density of train, 1 of 8 (3 s)"
    assert len(shown[1]) == len(shown[0]), "what was there is replaced"
    assert set(shown[-2]) == {" "} and shown[-1] == ""


def test_no_line_is_wider_than_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    clock = Clock()
    tell = Watch(Stream(True), clock)
    clock.now += 5
    tell("bracket of test", 1, 2)
    assert len(tell._stream.getvalue()) == 20  # with the return


def test_a_stream_that_is_gone_stops_nothing():
    clock, stream = Clock(), Stream(False)
    tell = Watch(stream, clock)
    stream.close()
    clock.now += 5
    tell("a", 1, 2)
    tell.close()


def test_who_is_told(monkeypatch, capsys):
    with watched(None) as tell:
        assert tell is silent, "in a test of pytest"
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    with watched(None) as tell:
        assert isinstance(tell, Watch) and tell._stream is sys.stderr
    with watched(True) as tell:
        assert isinstance(tell, Watch)
    with watched(False) as tell:
        assert tell is silent
    with watched(print) as tell:
        assert tell is print
    monkeypatch.setattr(sys, "stderr", None)
    with watched(True) as tell:
        assert tell is silent
    with pytest.raises(TypeError, match="progress must be a function, got int"), watched(3):
        pass


def test_a_long_audit_says_so_and_a_function_is_told_instead(monkeypatch, capsys):
    clock = Clock()

    def slow(stream):
        made = Watch(stream, clock)
        clock.now += 4
        return made

    monkeypatch.setattr("vaelib.asking.progress.Watch", slow)
    z = [[0.1 * i, (0.37 * i) % 1] for i in range(30)]
    audit_samples(z, test_rows=20, progress=True)
    assert capsys.readouterr().err.startswith("audit: bracket of sample, 0 of 2 (4 s)\n")
    told = []
    audit_samples(z, test_rows=20, progress=lambda *step: told.append(step))
    assert told[0] == ("bracket of sample", 0, 2) and capsys.readouterr().err == ""
    answers(z, [[0.5, 0.5]] * 30)
    assert capsys.readouterr().err == ""
