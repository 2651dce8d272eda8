"""Ratios of two things timed in turn in one process."""

import time
from contextlib import contextmanager

import torch

from bench.run.isolation import keep_memory

ROUNDS = 2


@contextmanager
def like_a_worker():
    """One thread, and memory kept between allocations, as in the workers of the harness."""
    keep_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cpu_seconds(function):
    """CPU time of one call: waiting for a shared core is nobody's cost."""
    start = time.process_time()
    function()
    return time.process_time() - start


def quotient(measured, reference):
    """CPU time of one over that of the other, the least of a few calls of each in turn."""
    times = [(cpu_seconds(measured), cpu_seconds(reference)) for _ in range(1 + ROUNDS)]
    return min(t for t, _ in times) / min(t for _, t in times)


def ratios(benchmark, measured, reference, rounds=ROUNDS):
    """CPU time of ``measured`` over ``reference``, once per round, and the noise of the latter.

    The reference runs before and after each measured call: their mean is compared with, and how
    far the second is from the first says how much a ratio of equal things varies here.
    """
    before, after = [], []
    reference()
    measured()
    benchmark.pedantic(
        measured,
        setup=lambda: before.append(cpu_seconds(reference)),
        teardown=lambda: after.append(cpu_seconds(reference)),
        rounds=rounds,
    )
    times = benchmark.stats.stats.data
    quotients = [2 * t / (a + b) for t, a, b in zip(times, before, after, strict=True)]
    return quotients, max(abs(b / a - 1) for a, b in zip(before, after, strict=True))
