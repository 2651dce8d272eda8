import os

import pytest

from bench.run.resources import cores, idle_cores


def test_cores_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    assert cores() == 3


@pytest.mark.parametrize(("load", "idle"), [(0.3, 4), (0.9, 3), (2.2, 2), (9.0, 1)])
def test_what_others_use_is_not_idle(load, idle, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)), raising=False)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    assert idle_cores() == idle
