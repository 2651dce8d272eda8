"""In worker processes."""

import multiprocessing.forkserver
import os
import re
from dataclasses import replace

import pytest

from bench.run import executors
from bench.run.executors import LocalExecutor
from bench.run.store import Store
from tests.bench import fakes
from tests.bench.fakes import job
from tests.bench.run.runs import run_all


def test_every_way_to_end_is_a_status_and_stops_nothing_else(folder, lines):
    ends = {
        "fine": ("ok", ""),
        "with_arrays": ("ok", ""),
        "infinite": ("ok", ""),
        "prints": ("ok", ""),
        "raises": ("failed", r"ValueError: scale must be positive, got min -0\.3"),
        "raises_memory_error": ("failed", "MemoryError"),
        "raises_what_cannot_be_pickled": ("failed", "Local: <function .*<lambda>>"),
        "exits": ("failed", "SystemExit: no more"),
        "measures_nothing": ("failed", "ValueError: nothing was measured"),
        "forgets_a_cell": ("failed", r"ValueError: .* must return the cells .*-0, .*-1, got .*-1"),
        "misspells": ("failed", "ValidationError: status Input should be 'ok', .*"),
        "returns_objects": ("failed", "TypeError: arrays must hold numbers or text, .*"),
        "is_not_there": ("failed", "AttributeError: .*is_not_there.*"),
        "allocates": ("failed", ".*MemoryError: Unable to allocate .*"),
        "dies": ("died", "exited with code 3"),
        "exits_well": ("died", "exited with code 0"),
        "kills_itself": ("died", r"killed by signal 9 \(Killed\); out of memory\?"),
        "segfaults": ("died", r"killed by signal 11 \(Segmentation fault\)"),
        "hangs": ("timeout", "ran longer than its timeout; the log shows where"),
        "hangs_in_c": ("timeout", "ran longer than its timeout; the log shows where"),
    }
    jobs = [job(name, folder, does=name) for name in ends]
    for place, one in enumerate(jobs):
        if one.name.startswith("hangs"):
            jobs[place] = replace(one, timeout=1.0)  # why: it expires always; these hang for ever
    jobs.append(job("unpicklable", folder, configuration={"x": lambda: 0}))
    ends["unpicklable"] = ("failed", ".*pickle.*")
    summary = run_all(jobs, folder, lines, LocalExecutor(2))

    store = Store(folder)
    for name, (status, message) in ends.items():
        for seed in (0, 1):
            record = store.read(f"{name}-{seed}")
            assert (name, record.status) == (name, status)
            assert re.fullmatch(message, record.message), name
            assert summary.statuses[record.cell] == status
    assert summary.exit_code == 2
    counts = "8 ok, 22 failed, 4 timeout, 8 died in "
    assert summary.line("results/digits.md").startswith(counts)

    logs = {path.stem.removesuffix("-0"): path.read_text() for path in folder.glob("logs/*.log")}
    assert not {"fine", "with_arrays", "infinite"} & logs.keys()
    assert logs["prints"].count("a line of no interest") == 20_000
    assert "from C" in logs["prints"]
    assert logs["dies"] == "last words\ndied: exited with code 3\n"
    assert {name for name, (status, _) in ends.items() if status != "ok"} <= logs.keys()
    assert logs["raises"].startswith("on the way\nTraceback")
    assert logs["raises"].count("ValueError: scale must be positive,\n") == 1
    assert "ctypes.string_at" in logs["segfaults"] or "in segfaults" in logs["segfaults"]

    told = lines.read()
    assert told[0] == "21 jobs to run, 0 cells cached"
    assert len(told) == 22
    assert any(re.fullmatch(r"\[ ?\d+/21\] died dies seeds 0-1", line) for line in told)
    assert any(re.fullmatch(r"\[ ?\d+/21\] ok fine seeds 0-1 1\.0s", line) for line in told)


def test_workers_run_one_thread_and_come_from_a_server_that_never_computed(
    folder, lines, monkeypatch
):
    multiprocessing.forkserver._forkserver._stop()  # of earlier tests; there is no public way
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    before = dict(os.environ)
    jobs = [job(name, folder, does="describes_itself", seeds=1) for name in ("a", "b")]
    assert run_all(jobs, folder, lines, LocalExecutor(1)).exit_code == 0
    assert dict(os.environ) == before
    processes = {os.getpid()}
    for name in ("a", "b"):
        record = Store(folder).read(f"{name}-0")
        found = {measured.metric: measured.value for measured in record.measurements}
        processes.add(found.pop("process"))
        assert found == dict.fromkeys(found, 1) and len(found) == 4
    assert len(processes) == 3


def test_a_death_keeps_what_the_job_had_written(folder, lines):
    summary = run_all(
        [job(folder=folder, does="writes_then_dies")], folder, lines, LocalExecutor(1)
    )
    assert summary.statuses == {"a-0": "ok", "a-1": "died"}
    assert lines.read()[-1] == "[1/1] 1 ok, 1 died a seeds 0-1"


def test_workers_that_cannot_start_fail_every_job(folder, lines, monkeypatch):
    # No argument says what starts them: nothing but a broken machine makes it fail.
    monkeypatch.setattr(executors, "Alone", fakes.refuses_to_start)
    jobs = [job(name, folder) for name in "abc"]
    summary = run_all(jobs, folder, lines, LocalExecutor(1))
    assert set(summary.statuses.values()) == {"failed"}
    assert len(summary.failures) == 3
    assert summary.failures[0].message == (
        "BrokenExecutor: no process can be started: [Errno 11] Resource temporarily unavailable"
    )


def test_a_local_executor_needs_a_worker():
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        LocalExecutor(0)
