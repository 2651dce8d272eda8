"""Runs that a signal ends, and what becomes of their processes."""

import os
import re
import signal
import threading
import time
from functools import partial

import numpy as np
import pytest

from bench.rows import csv_bytes
from bench.run.executors import LocalExecutor
from tests.bench.fakes import job
from tests.bench.run.processes import LIMIT, alive, start, wait_for
from tests.bench.run.runs import run_all, table


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_and_the_same_call_resumes(folder, lines, number):
    jobs = [job(f"size-{i}", folder, does="slow") for i in range(3)]
    jobs += [job("stuck", folder, does="writes_then_hangs")]
    jobs += [job("never", folder, cost=-1.0, configuration={"large": "x" * 1_000_000})]
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def send_when_stuck():
        wait_for((folder / "cells" / "stuck-0.json").exists)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=send_when_stuck)
    thread.start()
    summary = run_all(jobs, folder, lines, LocalExecutor(1))
    thread.join()
    assert summary.interrupted and summary.exit_code == 130
    expected = {f"size-{i}-{seed}": "ok" for i in range(3) for seed in (0, 1)}
    expected |= {"stuck-0": "ok", "stuck-1": "missing", "never-0": "missing", "never-1": "missing"}
    assert summary.statuses == expected
    assert summary.failures == []
    assert summary.line().startswith("interrupted: 7 ok, 3 missing in ")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers

    jobs[3] = job("stuck", folder)
    summary = run_all(jobs, folder, lines)
    assert (summary.exit_code, len(summary.cached), summary.interrupted) == (0, 7, False)


def more_than(known, folder):
    return len(list(folder.glob("cells/*.json"))) > known


def test_a_run_killed_at_two_random_moments_ends_with_the_same_rows(folder, lines, tmp_path):
    """Each moment is up to .2 s after a first record of its own, by when some twenty jobs ran.

    However late it comes: each run can end twenty jobs more than the one before, and hangs then.
    More moments, and other signals: ``tox -e attack -- kills``.
    """
    moments = np.random.default_rng(0).uniform(0, 0.2, 2)
    names = [f"size-{i}" for i in range(100)]
    kept = set()
    for number, moment in enumerate(moments, 1):
        with start("run_many", str(folder), len(names), 20 * number) as process:
            wait_for(partial(more_than, len(kept), folder))
            time.sleep(moment)  # why: any moment will do
            process.send_signal(signal.SIGKILL)
            output, _ = process.communicate()
        found = {path.stem for path in folder.glob("cells/*.json")}
        assert kept < found
        assert f"{len(kept)} cells cached" in output and "CorruptRecord" not in output
        kept = found
    assert len(kept) < 2 * len(names)

    jobs = [job(name, folder) for name in names]
    summary = run_all(jobs, folder, lines, LocalExecutor(2, preload=("tests.bench.fakes",)))
    assert summary.exit_code == 0
    assert kept <= summary.cached
    assert list(folder.glob("**/*.tmp")) == []

    undisturbed = tmp_path / "undisturbed"
    run_all([job(name, undisturbed) for name in names], undisturbed, lines)
    tables = [csv_bytes(table(names, 2, place)) for place in (folder, undisturbed)]
    assert tables[0].count(b"\n") == 1 + 2 * 2 * len(names)
    assert tables[0] == tables[1]


def test_workers_do_not_outlive_a_killed_run(folder):
    with start("run_forever", str(folder)) as process:
        files = [folder / "pid-a", folder / "pid-b"]
        wait_for(lambda: all(file.exists() for file in files))
        workers = [int(file.read_text()) for file in files]
        assert all(map(alive, workers))
        process.send_signal(signal.SIGKILL)
        wait_for(lambda: not any(map(alive, workers)))


def test_control_c_in_a_terminal_ends_all_processes_and_says_so(folder):
    with start("run_forever", str(folder)) as process:
        files = [folder / "pid-a", folder / "pid-b"]
        wait_for(lambda: all(file.exists() for file in files))
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    output = re.sub(r"\[0/2\] after .*\n", "", output)  # where they took long to start
    assert re.fullmatch(r"2 jobs to run, 0 cells cached\ninterrupted: 2 missing in .*s\n", output)
    assert not any(alive(int(file.read_text())) for file in files)
