from dataclasses import replace

from bench.run.staleness import inspect, reasons
from bench.run.store import Store
from tests.bench.fakes import job, keep, outcome


def states(store, *jobs):
    return {cell: found.state for cell, found in inspect(jobs, store).items()}


def test_states(tmp_path):
    store = Store(tmp_path)
    one = job(seeds=1)
    assert states(store, one) == {"a-0": "missing"}
    for status in ("failed", "timeout", "died"):
        keep(store, outcome("a-0", 1.0, status=status, measurements=[]))
        assert states(store, one) == {"a-0": "failed"}
    for changes in ({}, {"status": "diverged", "measurements": []}):
        keep(store, outcome("a-0", 1.0, **changes))
        assert states(store, one) == {"a-0": "cached"}
        assert states(store, replace(one, code="other")) == {"a-0": "stale"}


def test_what_is_stale_is_named_with_its_reason(tmp_path):
    store = Store(tmp_path)
    fields = {"name": "a", "data": "old"}
    for seed in range(3):
        keep(store, outcome(f"x-{seed}", 1.0), seed=seed, **fields)
    keep(store, outcome("b-0", 1.0), "older code")
    keep(store, outcome("c-0", 1.0))
    jobs = [job("a", data="new"), job("b", seeds=1), job("c", seeds=1)]
    known = inspect(jobs, store)
    assert reasons(known) == [
        "1 cell is stale, the code changed: b",
        "2 cells are stale, the data changed: a",
    ]
    assert [known[cell].state for cell in ("a-0", "b-0", "c-0")] == ["missing", "stale", "cached"]
    assert reasons(inspect([job("a", data="old")], store)) == []  # another configuration was "a"
