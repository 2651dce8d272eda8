"""How many cores there are to compute on."""

import math
import os

import torch

from bench.errors import UserError
from bench.run.executors import Executor, LocalExecutor
from bench.run.request import Request

__all__ = ["cores", "device_of", "executor_of", "idle_cores"]


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


def device_of(request: Request) -> str:
    """The device that the jobs of a request compute on.

    Args:
        request: what was asked for.

    Returns:
        cpu or cuda; of a cluster also auto, for what a worker has is the worker's to say.

    Raises:
        UserError: for a device that is not there.
    """
    if request.executor != "local":
        return request.device
    if request.device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda needs a CUDA device, and torch sees none")
    if request.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return request.device


def executor_of(request: Request, timeout: float = math.inf) -> Executor:
    """Where a request wants its jobs to run.

    Args:
        request: what was asked for.
        timeout: seconds for which a cluster may be without workers.

    Returns:
        The executor; no worker of this machine has started yet.

    Raises:
        UserError: for a cluster without the package that it needs, or without a scheduler.
        NotDoneError: for one whose workers do not come.
    """
    if request.executor == "local":
        return LocalExecutor(request.workers or cores())
    try:
        from bench.run.dask_executor import DaskExecutor
    except ModuleNotFoundError as error:
        raise UserError(
            f"--executor {request.executor} needs the package {error.name}; install it with "
            f"`python -m pip install {error.name}`"
        ) from error
    executor = DaskExecutor(request.executor, timeout)
    executor.await_workers()
    return executor
