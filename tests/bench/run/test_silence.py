"""A command that says nothing for long says how far it is; a line of its own is said instead."""

import queue

import pytest

from bench.run import progress
from bench.run.progress import beating
from tests.bench.fakes import Clock


class Moments:
    """Stands in for the event that ends the block: it waits until a test says how long it was."""

    def __init__(self, clock):
        self._clock = clock
        self._given = queue.SimpleQueue()
        self._seen = queue.SimpleQueue()
        self.asked = []

    def wait(self, seconds):
        self.asked.append(seconds)
        self._seen.put(None)
        passed = self._given.get()
        if passed is None:
            return True
        self._clock.now += passed
        return False

    def set(self):
        self._given.put(None)

    def pass_(self, seconds):
        """So much time goes by, and all that is said then has been said."""
        self._seen.get()
        self._given.put(seconds)
        self._seen.get()
        self._seen.put(None)


@pytest.fixture
def moments(monkeypatch):
    clock = Clock()
    made = Moments(clock)
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(progress, "QUIET", 20.0)
    monkeypatch.setattr(progress, "Event", lambda: made)
    return made


def test_each_silence_ends_in_a_line_that_says_how_far_it_is(moments):
    said, place = [], ["one of two"]
    with beating(said.append, lambda: place[0]) as tell:
        moments.pass_(20.0)
        moments.pass_(5.0)
        tell("a line of its own")
        moments.pass_(15.0)
        place[0] = "two of two"
        moments.pass_(5.0)
    assert said == [
        "after 20.0s: one of two",
        "a line of its own",
        "after 45.0s: two of two",
    ]
    assert moments.asked == [20.0, 20.0, 15.0, 5.0, 20.0]


def test_a_reader_that_left_stops_no_block(moments):
    def refuse(line):
        raise BrokenPipeError

    done = []
    with beating(refuse, lambda: "something"):
        moments.pass_(20.0)
        done.append(True)
    assert done
