"""Trained models, kept: what was trained once serves as long as the code that trains is the same.

Training is most of the cost of a cell, so each trained model is kept in ``<results>/models/``,
under the hash of all that decides its training. Other statistics, a new metric, other options of
the measurement or a crash while measuring need no second training.
"""

import hashlib
import io
import json
import sys
import traceback
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.run.job import Job
from bench.run.models import Replicate, build_model, train_block
from vaelib.datasets import Dataset
from vaelib.files import write_atomically
from vaelib.training import TrainingOutcome

__all__ = ["is_stored", "trained"]

_MEASURING = ("quality",)  # keys of a configuration that concern no training
_STATE = "state."  # before the names of a stored model's parameters and buffers


def trained(job: Job, data: Dataset, x: Tensor) -> dict[str, Replicate]:
    """The models of the wanted cells: as they are stored, or trained together with their block.

    Args:
        job: what is wanted. Without ``trains`` nothing is read or stored.
        data: its data set.
        x: the data, shape (n, *data_shape), on the device to compute on.

    Returns:
        Cell id -> replicate, in the order of ``cells``.
    """
    stored = {cell: _stored(job, seed, data, x.device) for cell, seed in job.cells.items()}
    usable = {cell: replicate for cell, replicate in stored.items() if replicate is not None}
    if len(usable) == len(stored):
        return usable
    block = train_block(job.configuration, job.block, data, x)
    fresh = {cell: block[seed] for cell, seed in job.cells.items()}
    for replicate in fresh.values():
        _store(job, replicate)
    return fresh


def is_stored(job: Job, seed: int) -> bool:
    """Whether a model of a job is stored and the code that trains is still the same.

    Args:
        job: that it belongs to.
        seed: the training seed.

    Returns:
        True where nothing needs training; damage inside the file shows when it is loaded.
    """
    if not job.trains:
        return False
    try:
        with _path(job, seed).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return str(arrays["trains"]) == job.trains
    except Exception:  # missing, or damaged in any way
        return False


def _store(job: Job, replicate: Replicate) -> None:
    """Keeps a model; one that cannot be kept is only a loss of time later."""
    if not job.trains or replicate.outcome.diverged_at is not None:
        return
    state = replicate.model.state_dict().items()
    buffer = io.BytesIO()
    try:
        np.savez(
            buffer,
            trains=job.trains,
            seconds=replicate.seconds,
            losses=replicate.outcome.losses.numpy(),
            **{_STATE + name: tensor.cpu().numpy() for name, tensor in state},
        )
        write_atomically(_path(job, replicate.seed), buffer.getvalue())
    except (OSError, TypeError):  # a full disk, or numbers that numpy does not have
        with suppress(OSError):
            traceback.print_exc(file=sys.stderr)


def _stored(job: Job, seed: int, data: Dataset, device: torch.device) -> Replicate | None:
    """A model as it was after training; None where it must be trained."""
    if not is_stored(job, seed):
        return None
    try:
        with _path(job, seed).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
        state = {
            name.removeprefix(_STATE): torch.from_numpy(array)
            for name, array in arrays.items()
            if name.startswith(_STATE)
        }
        model = build_model(job.configuration, data.data_shape, seed)
        model.load_state_dict(state)
        outcome = TrainingOutcome(torch.from_numpy(arrays["losses"]), None)
        seconds = float(arrays["seconds"])
    except Exception:  # damaged bytes raise anything
        traceback.print_exc(file=sys.stderr)
        return None
    return Replicate(model.to(device).eval(), outcome, data.split(seed), seed, seconds)


def _path(job: Job, seed: int) -> Path:
    values = {k: table for k, table in job.configuration.items() if k not in _MEASURING}
    identity = json.dumps([values, list(job.block), job.data, seed], sort_keys=True)
    name = hashlib.sha256(identity.encode()).hexdigest()[:16]
    return job.results / "models" / f"{name}.npz"
