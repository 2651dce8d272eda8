"""Jobs that end in every way a real one can, a clock, and an executor in this process."""

import collections
import errno
import itertools
import math
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import numpy as np
from rich.console import Console

from bench.run.executors import LocalExecutor
from bench.run.job import Job
from bench.run.progress import Lines
from bench.run.record import CellResult
from bench.run.runner import run
from bench.run.store import Store
from bench.run.worker import execute
from tests.bench.run.processes import LIMIT, wait_for
from vaelib.audits.measurement import Measurement


def cells_of(names, seeds):
    """Cells of made-up configurations, a size each."""
    from bench.matrix.language import (  # imports torch, which killed runs do not need
        Cell,
        Configuration,
    )

    studies = ("sizes", "all")
    found = []
    for size, name in enumerate(names, start=2):
        values = {"dataset": {"name": "digits"}, "latent_dim": size}
        found.append(Configuration(name, values, studies, {"latent_dim": size}))
    return [Cell(f"{c.name}-{seed}", c, seed) for c in found for seed in range(seeds)]


def job(name="a", folder="results", *, does="fine", seeds=2, first=0, **changes):
    """A job of one block of seeds, all of them wanted."""
    block = range(first, first + seeds)
    return Job(
        **{
            "function": f"tests.bench.fakes:{does}",
            "name": name,
            "configuration": {"latent_dim": 2},
            "block": tuple(block),
            "cells": {f"{name}-{seed}": seed for seed in block},
            "code": "code",
            "results": Path(folder),
            "timeout": LIMIT,
            **changes,
        }
    )


def job_of(values, results, *, block=(0,), cells=None, **changes):
    """A real job: trains a configuration and measures it, the one cell "c" by default."""
    changes |= {"function": "bench.run.cell:run_block", "configuration": values, "block": block}
    return job("a", results, cells={"c": 0} if cells is None else cells, **changes)


def outcome(cell, value, **changes):
    measurements = [
        Measurement("test", "rate", value),
        Measurement("test", "mmd_test", value, value / 7, 0.25),
    ]
    return CellResult(cell, **{"seconds": 0.5, "measurements": measurements, **changes})


def keep(store, result, code="code", *, name="", seed=0, data=""):
    """Writes a result as that of a job of its own."""
    return store.write(result, job(name, code=code, data=data, cells={result.cell: seed}))


def number(seed):
    return float(np.random.default_rng(seed).normal())


def fine(job):
    return [outcome(cell, number(seed)) for cell, seed in job.cells.items()]


def measures_much(job):
    """As many numbers as a real cell."""
    time.sleep(0.001)  # why: the work that tests/benchmarks measures the harness beside
    found = [
        Measurement(split, f"metric {i}", number(i), number(i))
        for split in ("train", "test")
        for i in range(40)
    ]
    return [outcome(cell, 0.0, measurements=found) for cell in job.cells]


def slow(job):
    time.sleep(0.02)  # why: leaves a kill something to interrupt; nothing waits for its end
    return fine(job)


def writes_much(job):
    noise = np.random.default_rng(0).normal(size=6000)
    return [outcome(cell, 1.0, arrays={"x": noise}) for cell in job.cells]


def until_one_is_killed(job):
    """Hangs on the worker of a cluster that is to be killed; elsewhere ends once one hangs there.

    A worker of the cluster is the parent of the forkserver that forked this process.
    """
    server = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
    folder = job.results
    victim = (folder / "victim").read_text()
    path = folder / f"began-{job.name}-{os.getpid()}"
    path.with_suffix(".tmp").write_text(server[1])
    path.with_suffix(".tmp").rename(path)
    if server[1] == victim:
        hangs(job)
    wait_for(lambda: any(one.read_text() == victim for one in begun(folder)))
    return fine(job)


def begun(folder):
    """What `until_one_is_killed` wrote: a file for each beginning, with its worker's process."""
    return [path for path in folder.glob("began-*") if path.suffix != ".tmp"]


def with_arrays(job):
    arrays = {"mean": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "b"])}
    return [outcome(cell, 1.0, arrays=arrays) for cell in job.cells]


def diverges(job):
    lost = {"status": "diverged", "message": "the loss was not finite at step 3"}
    return [
        outcome(cell, number(seed)) if seed else outcome(cell, 0, measurements=[], **lost)
        for cell, seed in job.cells.items()
    ]


def infinite(job):
    return [
        outcome(cell, float("nan") if seed else -float("inf")) for cell, seed in job.cells.items()
    ]


def raises(job):
    print("on the way")
    raise ValueError("scale must be positive,\n  got min -0.3")


def raises_memory_error(job):
    raise MemoryError


def raises_what_cannot_be_pickled(job):
    class Local(Exception):
        pass

    raise Local(lambda: None)


def exits(job):
    raise SystemExit("no more")


def dies(job):
    print("last words")
    os._exit(3)


def exits_well(job):
    os._exit(0)


def kills_itself(job):
    os.kill(os.getpid(), signal.SIGKILL)


def segfaults(job):
    import ctypes

    ctypes.string_at(0)


def allocates(job):
    """Asks for more memory than it may have, in pieces that it never touches."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, before[1]))
    try:
        held = []
        while True:
            held.append(np.empty(1 << 24))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def kills_its_server(job):
    """Kills what forked it once another one runs, about which nobody knows anything then."""
    wait_for((job.results / "beside").exists)
    (job.results / "struck").touch()
    os.kill(os.getppid(), signal.SIGKILL)
    hangs(job)


def runs_beside(job):
    """Is run once more after it was lost, and well."""
    if not (job.results / "struck").exists():
        job.results.mkdir(exist_ok=True)
        (job.results / "beside").touch()
        hangs(job)
    return fine(job)


def hangs(job):
    while True:
        signal.pause()


def hangs_in_c(job):
    """Never lets go of the interpreter: no Python signal handler or thread can run."""
    collections.deque(itertools.repeat(0), maxlen=0)


def says_who(job):
    """Leaves its process id where a test finds it, then hangs."""
    path = job.results / f"pid-{job.name}"
    path.with_suffix(".tmp").write_text(str(os.getpid()))
    path.with_suffix(".tmp").rename(path)
    hangs(job)


def prints(job):
    for i in range(20_000):
        print("a line of no interest", i)
    os.write(2, b"from C\n")
    return fine(job)


def measures_nothing(job):
    return [outcome(cell, 1.0, measurements=[]) for cell in job.cells]


def forgets_a_cell(job):
    return fine(job)[1:]


def misspells(job):
    return [outcome(cell, 1.0, status="fine") for cell in job.cells]


def returns_objects(job):
    return [outcome(cell, 1.0, arrays={"x": np.array([object()])}) for cell in job.cells]


def writes_then_dies(job):
    """Writes its first cell, as `execute` would, and dies before the second."""
    Store(job.results).write(fine(job)[0], job)
    os._exit(4)


def writes_then_hangs(job):
    """Writes its first cell, as `execute` would, and hangs before the second."""
    Store(job.results).write(fine(job)[0], job)
    hangs_in_c(job)


def describes_itself(job):
    """The worker's settings, as numbers, and the threads of the server that forked it."""
    import torch

    server = Path(f"/proc/{os.getppid()}/environ").read_bytes()
    found = {
        "torch threads": torch.get_num_threads(),
        "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"],
        "server's OMP_NUM_THREADS": server.split(b"OMP_NUM_THREADS=")[1][:1],
        "server threads": len(os.listdir(f"/proc/{os.getppid()}/task")),
        "process": os.getpid(),
    }
    measurements = [Measurement("train", key, int(value)) for key, value in found.items()]
    return [outcome(cell, 1.0, measurements=measurements) for cell in job.cells]


def looks_around(job):
    """What of this process another job could have changed, as numbers."""
    import torch

    found = {
        "dtype": torch.get_default_dtype().itemsize,
        "device": len(torch.get_default_device().type),
        "gradients": torch.is_grad_enabled(),
        "precision": len(torch.get_float32_matmul_precision()),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "seed": torch.initial_seed() % 2**31,
        "root of 2": math.sqrt(2),
        "folder": len(os.getcwd()),
        "environment": len(os.environ.get("VAEBENCH_SPOILED", "")),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "handler": signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL,
        "errors of numpy": len(np.geterr()["over"]),
    }
    measurements = [Measurement("train", key, float(value)) for key, value in found.items()]
    return [outcome(cell, 1.0, measurements=measurements) for cell in job.cells]


def spoils_its_process(job):
    """Changes all that `looks_around` looks at, then looks."""
    import torch

    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    torch.set_float32_matmul_precision("medium")
    torch.set_num_threads(7)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(7)
    math.sqrt = lambda x: 1.0
    os.chdir(job.results.absolute())
    os.environ["VAEBENCH_SPOILED"] = "yes"
    resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99))
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    np.seterr(over="raise")
    return looks_around(job)


def reads_a_file(job):
    """As a data set by relative path does."""
    return [outcome(cell, float(Path("data.txt").read_text())) for cell in job.cells]


def starts_children(job):
    """Leaves two processes behind, and their ids."""
    for number in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", "import signal; signal.pause()"], start_new_session=number == 1
        )
        _tells(job, number, child.pid)
    return _ends(job)


def starts_daemons(job):
    """Leaves processes whose parents have ended, in sessions of their own, as services are."""
    for number in range(2):
        reads, writes = os.pipe()
        if not os.fork():
            os.setsid()
            if daemon := os.fork():
                os.write(writes, str(daemon).encode())
                os._exit(0)
            signal.pause()
        _tells(job, number, int(os.read(reads, 99)))
        os.wait()
    return _ends(job)


def forks_and_returns(job):
    """Leaves a copy that hangs, and one that goes on as if it were the job."""
    return _forks(job, lambda: fine(job)[::-1])


def forks_and_raises(job):
    """Leaves a copy that hangs, and one that ends as programs do that fork."""
    return _forks(job, sys.exit)


def _forks(job, then):
    for number, does in enumerate((lambda: hangs(job), then)):
        reads, writes = os.pipe()
        if not (copy := os.fork()):
            os.read(reads, 1)  # until its id is written
            return does()
        _tells(job, number, copy)
        os.write(writes, b"x")
    return _ends(job)


def _tells(job, number, process):
    path = job.results / f"pid-{job.name}-{number}"
    path.write_text(str(process))
    path.rename(path.with_suffix(".txt"))


def _ends(job):
    return {"fine": fine, "dies": dies, "hangs": hangs}[job.configuration["end"]](job)


def doubles(value):
    return value * 2


def returns_a_lock(_):
    return threading.Lock()


def sleeps_for_ever(_):
    signal.pause()


def refuses_to_start(function, argument, preload):
    """Stands in for `bench.run.isolation.Alone` on a machine that is full of processes."""
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def run_many(folder, jobs, able):
    """A run of slow jobs, of which only so many end, for tests that kill it."""
    todo = [job(f"size-{i}", folder, does="slow" if i < able else "hangs") for i in range(jobs)]
    summary = run(
        todo, Store(folder), LocalExecutor(2, preload=("tests.bench.fakes",)), Lines(Console())
    )
    print(summary.text())
    return summary.exit_code


def run_forever(folder):
    """A run of two jobs that say who they are and hang."""
    jobs = [job(name, folder, does="says_who", seeds=1) for name in "ab"]
    summary = run(
        jobs, Store(folder), LocalExecutor(2, preload=("tests.bench.fakes",)), Lines(Console())
    )
    print(summary.text())
    return summary.exit_code


def execute_alone(name, folder, limit):
    """A job without the executor that would end it at its limit."""
    execute(job(name, folder, does=name, timeout=limit).to_dict())


class Clock:
    """Stands in for the module `time`: goes on only while something sleeps, or is told to.

    Args:
        tick: seconds that each look at it takes.
    """

    def __init__(self, tick=0.0):
        self.now = 0.0
        self._tick = tick

    def monotonic(self):
        self.now += self._tick
        return self.now

    perf_counter = monotonic

    def sleep(self, seconds):
        self.now += seconds


class InlineExecutor:
    """Runs each job at once, in this process."""

    workers = 1

    def __init__(self):
        self.submitted = []
        self.stops = 0

    def submit(self, job):
        self.submitted.append(job)
        future = Future()
        try:
            future.set_result(execute(job.to_dict()))
        except Exception as error:
            future.set_exception(error)
        return future

    def stop(self):
        self.stops += 1
