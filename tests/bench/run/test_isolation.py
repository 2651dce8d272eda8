"""What a job leaves behind reaches no other one, and nothing that it starts outlives it."""

import math
import os
import subprocess
import sys
from concurrent.futures import BrokenExecutor

import pytest

from bench.run.executors import LocalExecutor
from bench.run.isolation import Alone, Died
from bench.run.store import Store
from tests.bench import fakes
from tests.bench.fakes import job
from tests.bench.run.processes import LIMIT, alive, wait_for
from tests.bench.run.runs import run_all


def test_no_job_sees_what_another_one_did_to_its_process(folder, lines):
    jobs = [
        job("before", folder, does="looks_around", seeds=1),
        job("spoils", folder, does="spoils_its_process", seeds=1),
        job("after", folder, does="looks_around", seeds=1),
    ]
    summary = run_all(jobs, folder, lines, LocalExecutor(1))
    assert summary.exit_code == 0
    before, spoiled, after = (Store(folder).read(f"{one.name}-0").measurements for one in jobs)
    assert before == after
    changed = [old.metric for old, new in zip(before, spoiled, strict=True) if old != new]
    assert changed == [measured.metric for measured in before]


def test_relative_paths_of_a_configuration_begin_where_the_run_was_started(folder, lines):
    (folder / "there").mkdir(parents=True)
    (folder / "there" / "data.txt").write_text("7")
    jobs = [
        job("there", folder, does="reads_a_file", place=str(folder / "there")),
        job("nowhere", folder, does="reads_a_file", place=str(folder / "no such folder")),
    ]
    summary = run_all(jobs, folder, lines, LocalExecutor(1))
    assert summary.statuses["there-0"] == "ok"
    assert summary.failures[0].message.endswith("No such file or directory: 'data.txt'")


NAMES = ("starts_children", "starts_daemons", "forks_and_returns", "forks_and_raises")


def test_who_kills_what_forks_them_all_takes_nobody_with_it(folder, lines):
    jobs = [
        job("hostile", folder, does="kills_its_server", seeds=1),
        job("beside", folder, does="runs_beside", seeds=1),
        job("after", folder, does="fine", seeds=1),
    ]
    run_all(jobs, folder, lines, LocalExecutor(2))
    found = {one.name: Store(folder).read(f"{one.name}-0") for one in jobs}
    assert found["hostile"].message.startswith("ran alone while the process that forks all jobs")
    assert {name: record.status for name, record in found.items()} == {
        "hostile": "died",
        "beside": "ok",
        "after": "ok",
    }


def test_a_process_has_the_environment_of_when_it_starts(monkeypatch):
    """Not that of the server, which started before."""
    for value in ("one", "two"):
        monkeypatch.setenv("VAEBENCH_CACHE", value)
        alone = Alone(os.getenv, "VAEBENCH_CACHE")
        assert alone.result(LIMIT) == value
        alone.end()


def test_a_process_starts_where_the_output_is_closed():
    script = "import sys; from bench.run.isolation import Alone; one = Alone(abs, -3); "
    script += "sys.stderr.write(f'{one.result(600)}'); one.end()"
    command = ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, script]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "3")


@pytest.mark.parametrize("end", ["fine", "dies", "hangs"])
def test_children_and_copies_of_a_job_die_with_it(folder, lines, end):
    jobs = [job(name, folder, does=name, configuration={"end": end}) for name in NAMES]
    executor = LocalExecutor(len(jobs))
    if end == "hangs":
        futures = [executor.submit(one) for one in jobs]
        wait_for(lambda: len(list(folder.glob("pid-*.txt"))) == 2 * len(jobs))
        executor.stop()
        for future in futures:
            with pytest.raises(BrokenExecutor, match="the executor was stopped"):
                future.result(0)
    else:
        summary = run_all(jobs, folder, lines, executor)
        status = {"fine": "ok", "dies": "died"}[end]
        assert summary.statuses == {cell: status for one in jobs for cell in one.cells}
        assert sum(line.startswith("[") for line in lines.read()) == len(jobs)
    started = [int(path.read_text()) for path in folder.glob("pid-*.txt")]
    assert len(started) == 2 * len(jobs)
    wait_for(lambda: not any(map(alive, started)))


def test_a_call_alone_returns_raises_dies_or_takes_too_long():
    def outcome(function, argument, timeout=LIMIT):
        alone = Alone(function, argument)
        try:
            return alone.result(timeout)
        finally:
            alone.end()

    assert outcome(fakes.doubles, [1, "x"]) == [1, "x", 1, "x"]
    assert outcome(len, "x" * 10**6) == 10**6
    with pytest.raises(TypeError, match="must be real number, not str"):
        outcome(math.sqrt, "x")
    with pytest.raises(FileNotFoundError):  # no failure of the processes themselves
        outcome(os.stat, "/no/such/file")
    with pytest.raises(TypeError, match="cannot pickle|pickle"):
        outcome(fakes.returns_a_lock, 0)
    for code in (0, 3):
        with pytest.raises(Died) as caught:
            outcome(os._exit, code)
        assert caught.value.exitcode == code
    with pytest.raises(TimeoutError):
        outcome(fakes.sleeps_for_ever, 0, timeout=0.1)  # why: it expires always
    with pytest.raises(Exception, match="pickle"):
        outcome(len, (lambda: 0,))
