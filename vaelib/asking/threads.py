"""How many threads to compute on: more than help cost, and wait for each other at every step.

An audit makes hundreds of thousands of small products and sums. On two threads or more their
meetings cost many times what they save, so below 5,000 inputs it runs on one.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

__all__ = ["FEW", "cores", "fastest", "idle_cores", "on_threads"]

FEW = 5000
"""Inputs up to which one thread is fastest."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def idle_cores() -> int:
    """Cores that nothing kept busy for the last minute, at least one.

    Threads wait for each other at every step: two that share one core take far longer than one.

    Returns:
        A count.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1, cores() - round(load))


def fastest(inputs: int, most: float = math.inf) -> int:
    """The number of threads on which an audit takes least.

    Args:
        inputs: N, or n where that is more.
        most: threads that it may use.

    Returns:
        1 up to 5,000 inputs, above them one per idle core, but no more than it may use.

    Example:
        >>> fastest(5000), fastest(6000, most=1)
        (1, 1)
    """
    return 1 if inputs <= FEW else max(1, int(min(idle_cores(), most)))


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Within the block torch, BLAS and OpenMP compute on so many threads; afterwards as before.

    Args:
        count: of threads.

    Yields:
        None.
    """
    before = torch.get_num_threads()
    with threadpool_limits(limits=count):
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)
