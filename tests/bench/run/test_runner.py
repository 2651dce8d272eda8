import errno
import io
import multiprocessing.forkserver
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import BrokenExecutor, Future
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bench.rows import csv_bytes, rows
from bench.run import executors, progress
from bench.run.executors import LocalExecutor
from bench.run.progress import Bar, Lines, duration, progress_on, seeds_text, tally
from bench.run.runner import ordered, run
from bench.run.store import CorruptRecord, LockedError, Store
from bench.run.summary import Failure, Summary
from tests.bench import fakes
from tests.bench.fakes import InlineExecutor, cells_of, job


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "digits"


@pytest.fixture
def lines():
    return Lines(Console(file=io.StringIO(), width=20))


def run_all(jobs, folder, lines, executor=None, **options):
    executor = InlineExecutor() if executor is None else executor
    return run(jobs, Store(folder), executor, lines, **options)


def printed(lines):
    return lines._console.file.getvalue().splitlines()


def table(names, seeds, folder):
    return rows("digits", cells_of(names, seeds), Store(folder), {"rate": "nats"})


# In worker processes.


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
    limits = {"hangs": 3.0, "hangs_in_c": 3.0}
    jobs = [job(name, folder, does=name, timeout=limits.get(name, 60.0)) for name in ends]
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
    assert "in hangs\n" in logs["hangs"] and "in hangs_in_c\n" in logs["hangs_in_c"]

    told = printed(lines)
    assert told[0] == "21 jobs to run, 0 cells cached"
    assert len(told) == 22
    assert any(re.fullmatch(r"\[ ?\d+/21\] died dies seeds 0-1", line) for line in told)
    assert any(re.fullmatch(r"\[ ?\d+/21\] ok fine seeds 0-1 \d\.\ds", line) for line in told)


def test_workers_run_one_thread_and_come_from_a_server_that_never_computed(
    folder, lines, monkeypatch
):
    multiprocessing.forkserver._forkserver._stop()  # of earlier tests
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    before = dict(os.environ)
    jobs = [job(name, folder, does="describes_itself", seeds=1) for name in ("a", "b")]
    assert run_all(jobs, folder, lines, LocalExecutor(1)).exit_code == 0
    assert dict(os.environ) == before
    a, b = (Store(folder).read(f"{name}-0").measurements for name in ("a", "b"))
    assert a == b  # the same process
    found = {measured.metric: measured.value for measured in a}
    assert found.pop("process") != os.getpid()
    assert found == dict.fromkeys(found, 1) and len(found) == 4


def test_a_death_keeps_what_the_job_had_written(folder, lines):
    summary = run_all(
        [job(folder=folder, does="writes_then_dies")], folder, lines, LocalExecutor(1)
    )
    assert summary.statuses == {"a-0": "ok", "a-1": "died"}
    assert printed(lines)[-1] == "[1/1] 1 ok, 1 died a seeds 0-1"


def test_workers_that_cannot_start_fail_every_job(folder, lines, monkeypatch):
    monkeypatch.setattr(executors, "_prepare", fakes.refuses_to_start)
    jobs = [job(name, folder) for name in "abc"]
    summary = run_all(jobs, folder, lines, LocalExecutor(1))
    assert set(summary.statuses.values()) == {"failed"}
    assert len(summary.failures) == 3
    assert summary.failures[0].message == "BrokenProcessPool: All workers expired"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_and_the_same_call_resumes(folder, lines, number):
    jobs = [job(f"size-{i}", folder, does="slow") for i in range(3)]
    jobs += [job("stuck", folder, does="writes_then_hangs", timeout=600)]
    jobs += [job("never", folder, cost=-1.0, configuration={"large": "x" * 1_000_000})]
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    sent = []

    def send_when_stuck():
        wait_for((folder / "cells" / "stuck-0.json").exists)
        sent.append(time.monotonic())
        os.kill(os.getpid(), number)

    threading.Thread(target=send_when_stuck).start()
    summary = run_all(jobs, folder, lines, LocalExecutor(1))
    assert time.monotonic() - sent[0] < 3  # pebble waits that long before it kills
    assert summary.interrupted and summary.exit_code == 2
    expected = {f"size-{i}-{seed}": "ok" for i in range(3) for seed in (0, 1)}
    expected |= {"stuck-0": "ok", "stuck-1": "missing", "never-0": "missing", "never-1": "missing"}
    assert summary.statuses == expected
    assert summary.failures == []
    assert summary.line().startswith("interrupted: 7 ok, 3 missing in ")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers

    jobs[3] = job("stuck", folder)
    summary = run_all(jobs, folder, lines)
    assert (summary.exit_code, len(summary.cached), summary.interrupted) == (0, 7, False)


def start(function, *arguments):
    call = f"from tests.bench import fakes; raise SystemExit(fakes.{function}(*{arguments}))"
    return subprocess.Popen(
        [sys.executable, "-c", call],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


def alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def more_than(known, folder):
    return len(list(folder.glob("cells/*.json"))) > known


def test_a_run_killed_at_ten_random_moments_ends_with_the_same_rows(folder, lines, tmp_path):
    """Each moment is up to .2 s after a first record of its own, by when some twenty jobs ran."""
    moments = np.random.default_rng(0).uniform(0, 0.2, 10)
    names = [f"size-{i}" for i in range(200)]
    kept = set()
    for moment in moments:
        with start("run_many", str(folder), len(names)) as process:
            wait_for(partial(more_than, len(kept), folder))
            time.sleep(moment)
            process.send_signal(signal.SIGKILL)
            output, _ = process.communicate()
        found = {path.stem for path in folder.glob("cells/*.json")}
        assert kept < found
        assert f"{len(kept)} cells cached" in output and "CorruptRecord" not in output
        kept = found
    assert len(kept) < 2 * len(names)

    jobs = [job(name, folder, does="slow") for name in names]
    summary = run_all(jobs, folder, lines, LocalExecutor(2, preload=()))
    assert summary.exit_code == 0
    assert kept <= summary.cached
    assert list(folder.glob("**/*.tmp")) == []

    undisturbed = tmp_path / "undisturbed"
    run_all([job(name, undisturbed, does="slow") for name in names], undisturbed, lines)
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
        wait_for(lambda: not any(map(alive, workers)), seconds=10)


def test_control_c_in_a_terminal_ends_all_processes_and_says_so(folder):
    with start("run_forever", str(folder)) as process:
        files = [folder / "pid-a", folder / "pid-b"]
        wait_for(lambda: all(file.exists() for file in files))
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert re.fullmatch(r"2 jobs to run, 0 cells cached\ninterrupted: 2 missing in .*s\n", output)
    assert not any(alive(int(file.read_text())) for file in files)


# In this process, where the order and the failures of the machine can be arranged.


def test_order_is_longest_first_and_balanced_over_configurations():
    jobs = [
        job(name, first=first, cost=cost)
        for name, cost in (("short", 1.0), ("long", 3.0), ("middle", 2.0))
        for first in (4, 0, 2)
    ]
    order = [(job["name"], job["block"][0]) for job in ordered(jobs)]
    assert order == [(name, first) for first in (0, 2, 4) for name in ("long", "middle", "short")]


def test_jobs_are_submitted_in_that_order_and_a_partial_second_block_keeps_its_place(folder, lines):
    executor = InlineExecutor()
    jobs = [job("a", folder, cost=1.0), job("b", folder, first=2), job("b", folder, cost=2.0)]
    run_all(jobs, folder, lines, executor)
    assert [(j["name"], j["block"]) for j in executor.submitted] == [
        ("b", [0, 1]),
        ("a", [0, 1]),
        ("b", [2, 3]),
    ]
    assert executor.stops == 1


def test_only_missing_failed_and_corrupt_cells_run_again(folder, lines):
    jobs = [job("a", folder), job("b", folder, does="raises"), job("c", folder, does="diverges")]
    first = run_all(jobs, folder, lines)
    assert first.line().startswith("3 ok, 1 diverged, 2 failed in 0.")
    (folder / "cells" / "a-1.json").write_text("")

    executor = InlineExecutor()
    with pytest.warns(CorruptRecord, match="a-1"):
        second = run_all([*jobs[:1], job("b", folder), *jobs[2:]], folder, lines, executor)
    assert [(j["name"], j["cells"], j["block"]) for j in executor.submitted] == [
        ("a", {"a-1": 1}, [0, 1]),  # the whole block trains, one cell is wanted
        ("b", {"b-0": 0, "b-1": 1}, [0, 1]),
    ]
    assert second.line("page").startswith("3 ok, 3 cached (0 stale, 1 diverged) in 0.")
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
    assert executor.submitted == [] and printed(lines) == []


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
    assert len(printed(lines)) == 7


def test_an_executor_that_stays_broken_is_given_up(folder, lines):
    executor = BreaksAt(1, 2, 3, 4)
    summary = run_all([job(name, folder) for name in "abcd"], folder, lines, executor)
    assert summary.line().startswith("2 ok, 6 failed in ")
    assert {failure.message for failure in summary.failures} == {"BrokenExecutor: worker lost"}


class Elsewhere(InlineExecutor):
    """Workers that write to a folder of their own under the same path."""

    def submit(self, job):
        return super().submit({**job, "results": job["results"] + "-elsewhere"})


def test_records_that_never_arrive_are_failures(folder, lines, monkeypatch):
    monkeypatch.setattr("bench.run.runner._PATIENCE", 0.05)
    summary = run_all([job("a", folder)], folder, lines, Elsewhere())
    assert summary.statuses == {"a-0": "failed", "a-1": "failed"}
    assert summary.failures[0].message.endswith("do the workers share this folder?")


def test_nothing_to_measure_is_not_a_pass(folder, lines):
    summary = run_all([], folder, lines)
    assert summary.exit_code == 2
    assert summary.line("page") == "nothing to run in 0.0s -> page"


@pytest.mark.parametrize("status", ["diverged", "failed", "timeout", "died", "missing"])
def test_one_cell_that_is_not_ok_is_not_a_pass(status):
    assert Summary(statuses={"a": "ok"}).exit_code == 0
    assert Summary(statuses={"a": "ok", "b": status}).exit_code == 2


def test_the_summary_names_cause_log_and_command(folder, lines):
    jobs = [
        job("a", folder, does="raises", seeds=3),
        job("b", folder, does="diverges"),
    ]
    summary = run_all(jobs, folder, lines)
    for name in ("a", "b"):
        (folder / "logs" / f"{name}-0.log").write_text("Traceback ...")
    text = summary.text("results/digits.md", "vaebench run {x} --only {name}")
    assert text.splitlines()[:-2] == [
        "failed a seeds 0-2",
        "  cause: ValueError: scale must be positive, got min -0.3",
        f"  log:   {folder / 'logs' / 'a-0.log'}",
        "  again: vaebench run {x} --only a",
        "diverged b seed 0",
        "  cause: the loss was not finite at step 3",
        f"  log:   {folder / 'logs' / 'b-0.log'}",
    ]
    pattern = r"1 ok, 1 diverged, 3 failed in \d\.\ds -> results/digits\.md"
    assert re.fullmatch(pattern, text.splitlines()[-1])


def test_a_run_outside_the_main_thread_works_without_signals(folder, lines):
    summaries = []
    thread = threading.Thread(
        target=lambda: summaries.append(run_all([job("a", folder)], folder, lines))
    )
    thread.start()
    thread.join(10)
    assert summaries[0].exit_code == 0


def test_a_terminal_shows_one_bar_with_counts(folder):
    console = Console(file=io.StringIO(), force_terminal=True, width=150)
    progress = progress_on(console)
    assert isinstance(progress, Bar)
    run_all([job("a", folder)], folder, Lines(Console(file=io.StringIO())))
    jobs = [job("a", folder), job("b[x]", folder), job("c", folder, does="raises")]
    run_all(jobs, folder, progress)
    shown = re.sub(r"\x1b\[[^m]*m", "", console.file.getvalue())
    assert "2/2 jobs 2 cached, 2 ok, 2 failed" in shown
    assert isinstance(progress_on(Console(file=io.StringIO())), Lines)


def test_lines_say_what_runs_where_nothing_ends_for_long(lines, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    lines.start([job("a"), job("b")], 0)
    for now[0] in (1.0, 179.0, 181.0, 182.0, 362.5):
        lines.show(["b[x]", "a", "a"])
    now[0] = 500.0
    lines.finish(job("a"), ["ok"], 500.0)
    for now[0] in (679.0, 681.0):
        lines.show(["b[x]"])
    now[0] = 1000.0
    lines.show([])
    assert printed(lines) == [
        "2 jobs to run, 0 cells cached",
        "[0/2] after 3m01s, running: b[x], a",
        "[0/2] after 6m02s, running: b[x], a",
        "[1/2] ok a seeds 0-1 8m20s",
        "[1/2] after 11m21s, running: b[x]",
    ]


def test_the_bar_names_what_runs():
    console = Console(file=io.StringIO(), force_terminal=True, width=150)
    bar = Bar(console)
    bar.start([job("a")], 0)
    bar.show(["latent_dim-4", "b[x]", "latent_dim-4"])
    bar.stop()
    assert "latent_dim-4, b[x]" in console.file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0s"),
        (28.14, "28.1s"),
        (59.94, "59.9s"),
        (59.96, "1m00s"),
        (192, "3m12s"),
        (3599.4, "59m59s"),
        (3599.6, "1h00m"),
        (90061, "25h01m"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_few_words():
    assert seeds_text([3]) == "seed 3"
    assert seeds_text([2, 0, 1]) == "seeds 0-2"
    assert seeds_text([5, 0, 2]) == "seeds 0,2,5"
    assert tally(["ok", "ok"]) == "ok"
    assert tally(["ok", "failed", "ok"]) == "2 ok, 1 failed"


def test_a_local_executor_needs_a_worker():
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        LocalExecutor(0)


BUSY = """
import os, time
from bench.worker import _shown

def deep(n):
    return n if n == 0 else deep(n - 1) + len([x for x in (lambda y: [y])(n)])

with open(os.devnull, "wb", buffering=0) as log:
    for _ in range(600):
        with _shown(log, 0.001, 0.5):
            end = time.monotonic() + 0.003
            while time.monotonic() < end:
                deep(40)
print("survived")
"""


def test_a_traceback_of_a_busy_job_does_not_kill_it():
    """The standard library's own, dump_traceback_later, did so once in some 500 times."""
    done = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "survived\n", done.stderr[-2000:]
