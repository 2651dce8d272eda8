"""Runs in this process, where the order and the failures of the machine can be arranged."""

import errno
import os
import shutil
import subprocess
import threading
from collections import Counter
from concurrent.futures import BrokenExecutor, Future
from dataclasses import replace

import pytest

from bench.run.runner import ordered
from bench.run.store import CorruptRecord, LockedError, Store
from bench.run.summary import Failure
from tests.bench.fakes import InlineExecutor, job
from tests.bench.run.processes import LIMIT
from tests.bench.run.runs import run_all, table


def test_order_is_longest_first_and_balanced_over_configurations():
    jobs = [
        job(name, first=first, cost=cost)
        for name, cost in (("short", 1.0), ("long", 3.0), ("middle", 2.0))
        for first in (4, 0, 2)
    ]
    order = [(job.name, job.block[0]) for job in ordered(jobs)]
    assert order == [(name, first) for first in (0, 2, 4) for name in ("long", "middle", "short")]


def test_jobs_are_submitted_in_that_order_and_a_partial_second_block_keeps_its_place(folder, lines):
    executor = InlineExecutor()
    jobs = [job("a", folder, cost=1.0), job("b", folder, first=2), job("b", folder, cost=2.0)]
    run_all(jobs, folder, lines, executor)
    assert [(j.name, list(j.block)) for j in executor.submitted] == [
        ("b", [0, 1]),
        ("a", [0, 1]),
        ("b", [2, 3]),
    ]
    assert executor.stops == 1


def test_only_missing_failed_and_corrupt_cells_run_again(folder, lines, clock):
    jobs = [job("a", folder), job("b", folder, does="raises"), job("c", folder, does="diverges")]
    first = run_all(jobs, folder, lines)
    assert first.line() == "3 ok, 1 diverged, 2 failed in 0.0s"
    (folder / "cells" / "a-1.json").write_text("")

    executor = InlineExecutor()
    with pytest.warns(CorruptRecord, match="a-1"):
        second = run_all([*jobs[:1], job("b", folder), *jobs[2:]], folder, lines, executor)
    assert [(j.name, j.cells, list(j.block)) for j in executor.submitted] == [
        ("a", {"a-1": 1}, [0, 1]),  # the whole block trains, one cell is wanted
        ("b", {"b-0": 0, "b-1": 1}, [0, 1]),
    ]
    assert second.line("page") == "3 ok, 3 cached (0 stale, 1 diverged) in 0.0s -> page"
    assert second.exit_code == 2
    assert [(f.status, f.name, f.seeds) for f in second.failures] == [("diverged", "c", (0,))]

    third = run_all(jobs, folder, lines, executor)
    assert len(executor.submitted) == 2
    assert len(third.cached) == 6


def test_results_of_other_code_run_again_unless_they_are_to_be_kept(folder, lines):
    jobs = [job("a", folder)]
    run_all([job("a", folder, code="other code")], folder, lines)
    executor = InlineExecutor()
    kept = run_all(jobs, folder, lines, executor, keep_stale=True)
    assert executor.submitted == []
    assert kept.line().startswith("2 cached (2 stale) in ")
    assert kept.exit_code == 0
    again = run_all(jobs, folder, lines, executor)
    assert len(executor.submitted) == 1
    assert again.line().startswith("2 ok in ")
    assert run_all(jobs, folder, lines).line().startswith("2 cached (0 stale) in ")


def test_a_second_run_on_the_folder_stops_at_once(folder, lines):
    executor = InlineExecutor()
    with Store(folder).lock(), pytest.raises(LockedError, match="is in use by process"):
        run_all([job("a", folder)], folder, lines, executor)
    assert executor.submitted == [] and lines.read() == []


def test_a_full_disk_fails_the_cell_it_meets_and_no_other(folder, lines, monkeypatch):
    fsync = os.fsync

    def full(number):
        if "b-0." in os.readlink(f"/proc/self/fd/{number}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(number)

    monkeypatch.setattr(os, "fsync", full)
    summary = run_all([job(name, folder) for name in "abc"], folder, lines)
    assert summary.line().startswith("5 ok, 1 failed in ")
    message = "OSError: [Errno 28] No space left on device"
    log = folder / "logs" / "b-0.log"
    assert summary.failures == [Failure("b", (0,), "failed", message, log)]
    found = table("abc", 2, folder)
    assert found["status"].value_counts().to_dict() == {"ok": 10, "missing": 1}
    assert list(folder.glob("**/*.tmp")) == []

    monkeypatch.undo()
    assert run_all([job(name, folder) for name in "abc"], folder, lines).exit_code == 0


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a file system here; the test before this one fakes it")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_fails_what_does_not_fit(small_disk, lines):
    folder = small_disk / "digits"
    jobs = [job(name, folder, does="writes_much", seeds=1) for name in "abcdefghij"]
    summary = run_all(jobs, folder, lines)
    counts = Counter(summary.statuses.values())
    assert counts["ok"] > 1 and counts["failed"] > 1 and len(counts) == 2
    assert {f.message for f in summary.failures} == {"OSError: [Errno 28] No space left on device"}
    remount = ["mount", "-o", "remount,size=16m", str(small_disk)]
    subprocess.run(remount, check=True)
    again = run_all(jobs, folder, lines)
    assert again.exit_code == 0 and len(again.cached) == counts["ok"]


def test_logs_that_cannot_be_written_stop_nothing(folder, lines):
    folder.mkdir()
    (folder / "logs").touch()
    summary = run_all([job("a", folder, does="raises"), job("b", folder)], folder, lines)
    assert summary.line().startswith("2 ok, 2 failed in ")


class BreaksAt(InlineExecutor):
    """Loses the jobs from one submission on, as a pool that broke does, until it is stopped."""

    def __init__(self, *breaks):
        super().__init__()
        self.breaks = breaks
        self.broken = False

    def submit(self, job):
        future = Future()
        if self.broken:
            return future  # never heard of again
        if len(self.submitted) in self.breaks:
            self.submitted.append(None)
            self.broken = True
            future.set_exception(BrokenExecutor("worker lost"))
            return future
        return super().submit(job)

    def stop(self):
        super().stop()
        self.broken = False


def test_a_broken_executor_is_mended_and_nothing_is_lost(folder, lines):
    jobs = [job(name, folder, does="diverges" if name == "d" else "fine") for name in "abcdef"]
    executor = BreaksAt(1, 2, 5)
    summary = run_all(jobs, folder, lines, executor)
    assert summary.line().startswith("11 ok, 1 diverged in ")
    assert executor.stops == 4
    assert len(lines.read()) == 7


def test_an_executor_that_stays_broken_is_given_up(folder, lines):
    executor = BreaksAt(1, 2, 3, 4)
    summary = run_all([job(name, folder) for name in "abcd"], folder, lines, executor)
    assert summary.line().startswith("2 ok, 6 failed in ")
    assert {failure.message for failure in summary.failures} == {"BrokenExecutor: worker lost"}


class Elsewhere(InlineExecutor):
    """Workers that write to a folder of their own under the same path."""

    def submit(self, job):
        return super().submit(replace(job, results=job.results.with_name("elsewhere")))


def test_records_that_never_arrive_are_failures(folder, lines, clock):
    summary = run_all([job("a", folder)], folder, lines, Elsewhere())
    assert summary.statuses == {"a-0": "failed", "a-1": "failed"}
    assert summary.failures[0].message.endswith("do the workers share this folder?")
    assert summary.line().endswith("failed in 1m01s")  # of patience


def test_a_run_outside_the_main_thread_works_without_signals(folder, lines):
    summaries = []
    thread = threading.Thread(
        target=lambda: summaries.append(run_all([job("a", folder)], folder, lines))
    )
    thread.start()
    thread.join(LIMIT)
    assert summaries[0].exit_code == 0
