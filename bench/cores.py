"""How many cores there are to compute on."""

import os

__all__ = ["cores", "idle_cores"]


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
