"""Fixtures of runs."""

import pytest

from tests.bench.fakes import Clock
from tests.bench.run.runs import Told


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "digits"


@pytest.fixture
def lines():
    return Told()


@pytest.fixture
def clock(monkeypatch):
    """The clock of the runner: it stands, so that a run takes 0.0 s."""
    made = Clock()
    monkeypatch.setattr("bench.run.runner.time", made)
    return made
