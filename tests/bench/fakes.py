"""Jobs of one millisecond that end in every way a real one can, and an executor in this process."""

import collections
import itertools
import os
import resource
import signal
import time
from concurrent.futures import Future
from pathlib import Path

import numpy as np
from rich.console import Console

from bench.run.executors import LocalExecutor
from bench.run.progress import Lines
from bench.run.runner import run
from bench.run.store import Store
from bench.run.worker import execute


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
    block = list(range(first, first + seeds))
    return {
        "function": f"tests.bench.fakes:{does}",
        "name": name,
        "configuration": {"latent_dim": 2},
        "block": block,
        "cells": {f"{name}-{seed}": seed for seed in block},
        "code": "code",
        "device": "cpu",
        "results": str(folder),
        "timeout": 60.0,
        **changes,
    }


def outcome(cell, value, **changes):
    exact = {"split": "test", "source": "", "metric": "rate", "value": value}
    tested = {"metric": "mmd_test", "standard_error": value / 7, "p_value": 0.25}
    return {
        "cell": cell,
        "status": "ok",
        "message": "",
        "seconds": time.perf_counter() % 1,
        "measurements": [exact, exact | tested],
        **changes,
    }


def number(seed):
    return float(np.random.default_rng(seed).normal())


def fine(job):
    time.sleep(0.001)
    return [outcome(cell, number(seed)) for cell, seed in job["cells"].items()]


def measures_much(job):
    """As many numbers as a real cell."""
    time.sleep(0.001)
    found = [
        {"split": split, "metric": f"metric {i}", "value": number(i), "standard_error": number(i)}
        for split in ("train", "test")
        for i in range(40)
    ]
    return [outcome(cell, 0.0, measurements=found) for cell in job["cells"]]


def slow(job):
    """Says that it always takes as long, so that the rows of two runs are the same to the byte."""
    time.sleep(0.02)
    return [outcome(cell, number(seed), seconds=0.02) for cell, seed in job["cells"].items()]


def writes_much(job):
    noise = np.random.default_rng(0).normal(size=6000)
    return [outcome(cell, 1.0, arrays={"x": noise}) for cell in job["cells"]]


def takes_its_time(job):
    """Says which worker of a cluster it began on: the parent of its forkserver."""
    server = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
    path = Path(job["results"]) / f"began-{job['name']}-{os.getpid()}"
    path.with_suffix(".tmp").write_text(server[1])
    path.with_suffix(".tmp").rename(path)
    victim = Path(job["results"]) / "victim"
    doomed = victim.exists() and victim.read_text() == server[1]
    time.sleep(60.0 if doomed else 0.4)  # whatever the load, it is killed in the middle
    return fine(job)


def with_arrays(job):
    arrays = {"mean": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "b"])}
    return [outcome(cell, 1.0, arrays=arrays) for cell in job["cells"]]


def diverges(job):
    lost = {"status": "diverged", "message": "the loss was not finite at step 3"}
    return [
        outcome(cell, number(seed)) if seed else outcome(cell, 0, measurements=[], **lost)
        for cell, seed in job["cells"].items()
    ]


def infinite(job):
    return [
        outcome(cell, float("nan") if seed else -float("inf"))
        for cell, seed in job["cells"].items()
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
    """Asks for more memory than the machine gives to it, in pieces."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, before[1]))
    try:
        held = []
        while True:
            held.append(np.ones(1 << 24))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def hangs(job):
    time.sleep(3600)


def hangs_in_c(job):
    """Never lets go of the interpreter: no Python signal handler or thread can run."""
    collections.deque(itertools.repeat(0), maxlen=0)


def says_who(job):
    """Leaves its process id where a test finds it, then hangs."""
    path = Path(job["results"]) / f"pid-{job['name']}"
    path.with_suffix(".tmp").write_text(str(os.getpid()))
    path.with_suffix(".tmp").rename(path)
    hangs(job)


def prints(job):
    for i in range(20_000):
        print("a line of no interest", i)
    os.write(2, b"from C\n")
    return fine(job)


def measures_nothing(job):
    return [outcome(cell, 1.0, measurements=[]) for cell in job["cells"]]


def forgets_a_cell(job):
    return fine(job)[1:]


def misspells(job):
    return [outcome(cell, 1.0, status="fine") for cell in job["cells"]]


def returns_objects(job):
    return [outcome(cell, 1.0, arrays={"x": np.array([object()])}) for cell in job["cells"]]


def writes_then_dies(job):
    """Writes its first cell, as `execute` would, and dies before the second."""
    Store(job["results"]).write(fine(job)[0], "code")
    os._exit(4)


def writes_then_hangs(job):
    """Writes its first cell, as `execute` would, and hangs before the second."""
    Store(job["results"]).write(fine(job)[0], "code")
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
    measurements = [{"split": "", "metric": key, "value": value} for key, value in found.items()]
    return [outcome(cell, 1.0, measurements=measurements) for cell in job["cells"]]


def refuses_to_start():
    """A worker initialiser that fails."""
    raise RuntimeError("no such device")


def run_many(folder, jobs):
    """A whole run of slow jobs, for tests that kill it."""
    names = [f"size-{i}" for i in range(jobs)]
    todo = [job(name, folder, does="slow") for name in names]
    summary = run(todo, Store(folder), LocalExecutor(2, preload=()), Lines(Console()))
    print(summary.text())
    return summary.exit_code


def run_forever(folder):
    """A run of two jobs that say who they are and hang."""
    jobs = [job(name, folder, does="says_who", seeds=1, timeout=600.0) for name in "ab"]
    summary = run(jobs, Store(folder), LocalExecutor(2, preload=()), Lines(Console()))
    print(summary.text())
    return summary.exit_code


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
            future.set_result(execute(job))
        except Exception as error:
            future.set_exception(error)
        return future

    def stop(self):
        self.stops += 1
