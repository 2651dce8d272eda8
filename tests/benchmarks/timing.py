"""Ratios of two things timed in turn in one process."""

import statistics
import time
from contextlib import contextmanager

import torch

from bench.executors import keep_memory

ROUNDS = 5


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


def ratio(benchmark, measured, reference):
    """Median over rounds of time(measured) / time(reference), each pair in turn."""
    reference()
    pairs = []

    def timed_reference():
        start = time.perf_counter()
        reference()
        pairs.append(time.perf_counter() - start)

    benchmark.pedantic(measured, setup=timed_reference, rounds=ROUNDS, warmup_rounds=1)
    ratios = [a / b for a, b in zip(benchmark.stats.stats.data, pairs[-ROUNDS:], strict=True)]
    benchmark.extra_info["ratio"] = statistics.median(ratios)
    return benchmark.extra_info["ratio"]
