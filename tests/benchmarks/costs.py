"""What one call costs, seconds and memory, in a process of its own."""

import ctypes
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

from bench.run.isolation import keep_memory

STATUS = Path("/proc/self/status")
LONG_ENOUGH, TOO_LONG = 0.3, 5.0  # seconds of all calls: at least, and to call only once


def cost(prepare, size, *rest, threads=1, least=None):
    """Seconds and megabytes of what ``prepare(size, *rest)`` returns, called without arguments.

    The seconds are those of the processor with one thread, of the clock with more; the megabytes
    are the most that the first call holds beyond what it is given. A call of the size ``least``
    comes before and pays for what is imported late.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.benchmarks.cases", "torch._dynamo"])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_cost, prepare, (size, least or size), rest, threads).result()


def _cost(prepare, sizes, rest, threads):
    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    size, least = sizes
    prepare(least, *rest)()
    task = prepare(size, *rest)
    ctypes.CDLL(None).malloc_trim(0)  # else the call would begin in what is free
    keep_memory()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _kilobytes("VmRSS")
    times = [_seconds(task, clock)]
    held = _kilobytes("VmHWM") - before
    while sum(times) < LONG_ENOUGH or len(times) == 1 and times[0] < TOO_LONG:
        times.append(_seconds(task, clock))
    return min(times), held * 1024 / 1e6


def _seconds(task, clock):
    start = clock()
    task()
    return clock() - start


def _kilobytes(name):
    return int(STATUS.read_text().split(f"{name}:")[1].split()[0])
