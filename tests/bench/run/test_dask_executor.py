"""A scheduler and two workers as processes of their own, one of them killed in mid-run."""

import io
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from dask import config as dask_config
from rich.console import Console

from bench.cli import main
from bench.rows import rows
from bench.run.dask_executor import ClusterError, DaskExecutor, NoWorkersError, Vigil
from bench.run.executors import JobLost
from bench.run.progress import Lines
from bench.run.runner import run
from bench.run.store import Store
from tests.bench.fakes import InlineExecutor, begun, cells_of, job
from tests.bench.run.processes import LIMIT, alive, kill_group, wait_for

# distributed leaves sockets of its client to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
ROOT = Path(__file__).parents[3]


def dask(kind, *arguments, log):
    command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *map(str, arguments)]
    with log.open("w") as file:
        return subprocess.Popen(
            command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )


def address_in(log):
    """Where a scheduler says it listens, as the command line takes it; None before it does."""
    found = re.search(r"Scheduler at: +tcp://(\S+)", log.read_text())
    return found and f"dask://{found[1]}"


def start_scheduler(log):
    process = dask("scheduler", "--port", 0, "--no-dashboard", "--host", "127.0.0.1", log=log)
    wait_for(lambda: address_in(log))
    return process


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Sets for how long the executor waits for what must come: here as long as it takes.

    No option of a run sets it, as nobody needs to wait longer or less.
    """

    def set_to(seconds):
        monkeypatch.setattr("bench.run.dask_executor._PATIENCE", seconds)

    set_to(LIMIT)
    return set_to


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a scheduler, as the command line takes it."""
    log = tmp_path_factory.mktemp("dask") / "scheduler.log"
    process = start_scheduler(log)
    yield address_in(log)
    kill_group(process)


@pytest.fixture(scope="module")
def start_worker(scheduler, tmp_path_factory):
    """Starts workers of one thread; those that still live are killed in the end."""
    started = []
    folder = tmp_path_factory.mktemp("workers")

    def start(*options):
        log = folder / f"{len(started)}.log"
        address = scheduler.replace("dask", "tcp")
        options = ["--nthreads", 1, "--no-dashboard", "--local-directory", folder, *options]
        started.append(dask("worker", address, *options, log=log))
        wait_for(lambda: "Registered to" in log.read_text())
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            kill_group(process)  # a nanny's worker too


@pytest.fixture(scope="module")
def survivor(start_worker):
    """A worker under a nanny, as `dask worker` starts it."""
    return start_worker()


@pytest.fixture
def run_all(scheduler, tmp_path, patience):
    def run_jobs(jobs, executor=None):
        lines = Lines(Console(file=io.StringIO()))
        executor = DaskExecutor(scheduler) if executor is None else executor
        patience(1.0)  # why: a worker that was killed never answers when it is told to stop
        return run(jobs, Store(tmp_path), executor, lines)

    return run_jobs


def test_a_worker_killed_in_mid_run_costs_nothing_but_time(
    run_all, survivor, start_worker, tmp_path
):
    victim = start_worker("--no-nanny")
    (tmp_path / "victim").write_text(str(victim.pid))
    names = [f"size-{i}" for i in range(10)]
    jobs = [job(name, tmp_path, does="until_one_is_killed") for name in names]

    def kill_when_busy():
        wait_for(lambda: any(int(path.read_text()) == victim.pid for path in begun(tmp_path)))
        victim.send_signal(signal.SIGKILL)

    thread = threading.Thread(target=kill_when_busy, daemon=True)
    thread.start()
    summary = run_all(jobs)
    assert summary.failures == []
    assert summary.line().startswith("20 ok in ")
    thread.join()
    victim.wait()
    assert len(begun(tmp_path)) > len(jobs)  # at least one began twice

    undisturbed = tmp_path / "undisturbed"
    run([job(name, undisturbed) for name in names], Store(undisturbed), InlineExecutor(), LINES)
    tables = [
        rows("digits", cells_of(names, 2), Store(place), {}) for place in (tmp_path, undisturbed)
    ]
    assert tables[0].to_csv() == tables[1].to_csv()


LINES = Lines(Console(file=io.StringIO()))


def test_a_job_ends_on_a_worker_as_it_would_here(run_all, survivor, tmp_path):
    ends = {
        "fine": ("ok", ""),
        "raises": ("failed", "ValueError: scale must be positive, got min -0.3"),
        "dies": ("died", "exited with code 3"),
        "hangs": ("timeout", "ran longer than its timeout; the log shows where"),
    }
    jobs = [job(name, tmp_path, does=name, seeds=1) for name in ends]
    jobs[-1] = replace(jobs[-1], timeout=1.0)  # why: it expires always, this one hangs for ever
    run_all(jobs)
    for name, (status, message) in ends.items():
        record = Store(tmp_path).read(f"{name}-0")
        assert (record.status, record.message) == (status, message)
    assert (tmp_path / "logs" / "dies-0.log").read_text().startswith("last words\ndied")


def test_a_stop_ends_what_runs_on_the_workers(scheduler, survivor, tmp_path):
    executor = DaskExecutor(scheduler)
    assert executor.workers >= 1
    executor.submit(job("a", tmp_path, does="says_who"))
    file = tmp_path / "pid-a"
    wait_for(file.exists)
    process = int(file.read_text())
    assert alive(process)
    executor.stop()
    wait_for(lambda: not alive(process))
    assert executor.workers >= 1  # as it was
    assert survivor.poll() is None


def test_a_worker_of_other_code_is_not_used(run_all, survivor, tmp_path, monkeypatch):
    monkeypatch.setattr("bench.run.dask_executor.code_hash", lambda module: "other")
    summary = run_all([job("a", tmp_path)])
    assert summary.failures[0].status == "failed"
    assert "has other code than this run; install the same version" in summary.failures[0].message


def test_a_worker_of_other_plug_ins_is_not_used(run_all, survivor, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("class Own: ...", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    own = {"prior": {"name": "only_here:Own"}}
    summary = run_all([job("a", tmp_path, configuration=own), job("b", tmp_path)])
    assert [failure.name for failure in summary.failures] == ["a"]
    assert "has other code of only_here than this run, or none" in summary.failures[0].message


@pytest.mark.slow
def test_a_worker_without_the_package_says_so(tmp_path, patience):
    process = start_scheduler(tmp_path / "log")
    address = address_in(tmp_path / "log")
    script = "import sys; sys.modules['bench'] = None; sys.argv[0] = 'dask-worker'\n"
    script += "from distributed.cli.dask_worker import main; main()"
    options = ["--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory"]
    command = [sys.executable, "-c", script, address.replace("dask", "tcp"), *options]
    with (tmp_path / "worker").open("w") as log:
        worker = subprocess.Popen(
            [*command, tmp_path], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    executor = DaskExecutor(address)
    executor.await_workers()
    future = executor.submit(job("a", tmp_path))
    with pytest.raises(JobLost, match="a worker has no package bench; install the same version"):
        future.result(LIMIT)
    patience(1.0)  # why: that worker cannot be told to stop, as it knows no function of ours
    executor.stop()
    kill_group(worker)
    kill_group(process)


def test_a_scheduler_without_workers_is_said_and_given_up():
    lines, now = [], [0.0]
    vigil = Vigil("tcp://here:1", 200, lines.append, lambda: now[0])
    vigil.look(0)
    for second in range(1, 200):
        now[0] = float(second)
        vigil.look(0)
        if second in (9, 10, 59, 60, 119, 120, 180, 199):
            assert len(lines) == {9: 0, 10: 1, 59: 1, 60: 2, 119: 2, 120: 3}.get(second, 4)
    assert (
        lines[1] == "no worker at tcp://here:1 for 1m00s; start one with `dask worker tcp://here:1`"
    )
    now[0] = 200.0
    with pytest.raises(NoWorkersError, match="got none for 3m20s, which is the timeout of a job"):
        vigil.look(0)
    vigil.look(1)
    vigil.look(0)
    now[0] = 399.0
    vigil.look(0)
    assert len(lines) == 5, "a worker came in between, so the time begins anew"


@pytest.mark.slow
def test_workers_that_never_come_and_never_come_back_end_the_run(tmp_path, capfd):
    process = start_scheduler(tmp_path / "log")
    address = address_in(tmp_path / "log")
    results = tmp_path / "results"
    command = ["run", "ci", "--executor", address, "--results", str(results), "--timeout", "0.1"]
    assert main(command) == 2
    error = capfd.readouterr().err
    assert error.startswith("vaebench: expected workers at tcp://") and error.count("\n") == 1
    assert not (results / "ci").exists()
    executor = DaskExecutor(address, 0.1)  # as if its workers had been lost
    with pytest.raises(JobLost, match="expected workers at .*, got none for 0.1s"):
        executor.submit(job("a", tmp_path)).result(LIMIT)
    executor.stop()
    kill_group(process)


def test_a_scheduler_that_is_lost_is_given_up(run_all, tmp_path, patience):
    process = start_scheduler(tmp_path / "log")
    patience(1.0)  # ends always: nobody answers any more

    def connected():
        with suppress(ClusterError):  # the load may make one second too little for now
            return DaskExecutor(address_in(tmp_path / "log"))

    executor = connected()
    while executor is None:
        executor = connected()
    submit = executor.submit

    def submit_and_kill(job):
        future = submit(job)
        if process.poll() is None:
            kill_group(process)
        return future

    executor.submit = submit_and_kill
    summary = run_all([job("a", tmp_path)], executor)
    assert summary.failures[0].status == "failed"
    assert "the scheduler is lost" in summary.failures[0].message


CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout key.pem -out cert.pem"
)


def test_settings_that_cannot_reach_a_cluster_are_one_line(tmp_path):
    (tmp_path / "cert.pem").write_text("no certificate")
    tls, file = "distributed.comm.tls", str(tmp_path / "cert.pem")
    files = {f"{tls}.ca-file": file, f"{tls}.client.cert": file}
    for address, settings, reason in (
        ("dask+tls://127.0.0.1:1", {}, "tls names no ca-file"),
        ("dask://127.0.0.1:1", {"distributed.comm.require-encryption": True}, "only dask.tls://"),
        ("dask+tls://127.0.0.1:1", files, "PEM|X509"),
    ):
        with dask_config.set(settings), pytest.raises(ClusterError, match=reason) as caught:
            DaskExecutor(address)
        assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_a_scheduler_is_reached_by_tls_and_not_without_its_certificate(
    tmp_path, monkeypatch, patience
):
    subprocess.run(CERTIFICATE.split(), cwd=tmp_path, check=True, capture_output=True)
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    settings = {"distributed.comm.require-encryption": True, "distributed.comm.tls.ca-file": cert}
    for who in ("scheduler", "worker", "client"):
        place = f"distributed.comm.tls.{who}"
        settings |= {f"{place}.cert": cert, f"{place}.key": key}
    for name, value in settings.items():
        variable = name.replace(".", "__").replace("-", "_").upper()
        monkeypatch.setenv(f"DASK_{variable}", str(value))
    log = tmp_path / "scheduler.log"
    options = ("--port", 0, "--no-dashboard", "--host", "127.0.0.1", "--protocol", "tls")
    process = dask("scheduler", *options, log=log)
    try:
        wait_for(lambda: re.search(r"Scheduler at: +tls://(\S+)", log.read_text()))
        place = re.search(r"Scheduler at: +tls://(\S+)", log.read_text())[1]
        with dask_config.set(settings):
            executor = DaskExecutor(f"dask+tls://{place}")
            assert executor.workers == 0
            executor.stop()
        patience(2.0)  # ends always
        with pytest.raises(ClusterError, match="got no answer"):
            DaskExecutor(f"dask://{place}")
    finally:
        kill_group(process)


def test_no_scheduler_is_one_line(tmp_path, capfd, patience):
    patience(0.5)  # ends always
    with socket.socket() as taken:  # a port that is nobody else's, where nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(
            ClusterError, match=f"expected a dask scheduler at tcp://{address}, got"
        ):
            DaskExecutor(f"dask://{address}")
        options = ["--results", str(tmp_path), "--executor", f"dask://{address}"]
        assert main(["run", "digits", *options]) == 64
    error = capfd.readouterr().err
    assert error.startswith("vaebench: expected a dask scheduler") and error.count("\n") == 1
