from dataclasses import replace

import pytest

from bench.run.estimate import estimate
from bench.run.staleness import CellState
from tests.bench.fakes import job


def known(**seconds):
    return {
        name: CellState(name, "cached", "ok", "", total, 1.0) for name, total in seconds.items()
    }


def test_records_of_the_configuration_come_first_then_their_pace(tmp_path):
    one = job("a", tmp_path, seeds=4, cost=1e9)
    assert estimate([one], known(a=10.0), 1) == pytest.approx(44.0)
    assert estimate([one, one], known(a=10.0), 2) == pytest.approx(44.0)
    assert estimate([one] * 3, known(a=10.0), 2) == pytest.approx(64.0)
    assert estimate([replace(one, cells={"a-0": 0})], known(a=10.0), 1) == pytest.approx(41.0)
    nothing = estimate([one], {}, 1)
    other = job("b", tmp_path, cost=1e9)
    twice = estimate([one, other], known(b=32.0), 1)  # twice the guess of 16 s
    assert nothing == pytest.approx(68.0) and twice == pytest.approx(4 + 4 * 32 + 2 * 32)
    assert estimate([], {}, 2) == 0.0
