"""How many cores there are to compute on."""

import math

import torch

from bench.errors import UserError
from bench.run.executors import Executor, LocalExecutor
from bench.run.request import Request
from vaelib.asking.threads import cores, idle_cores

__all__ = ["cores", "device_of", "executor_of", "idle_cores"]


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
