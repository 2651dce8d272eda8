"""Trained models, kept: what was trained once serves as long as the code that trains is the same.

Training is most of the cost of a cell, so each trained model is kept in ``<results>/models/``,
under the hash of all that decides its training. Other statistics, a new metric, other options of
the measurement or a crash while measuring need no second training.
"""

import hashlib
import json
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.errors import unread
from bench.run.job import Job
from bench.run.models import Replicate, build_model, train_block
from bench.run.record import one_line
from vaelib.datasets import Dataset
from vaelib.reading import read_bytes
from vaelib.sealed import CacheWarning, SealError, identity_of, keep, unpacked
from vaelib.training import TrainingOutcome

__all__ = ["is_stored", "trained"]

_MEASURING = ("quality",)  # keys of a configuration that concern no training
_LARGEST = 1 << 36  # bytes of a model that is read again
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
    path, identity = _place(job, seed)
    try:
        return identity_of(path) == identity
    except (OSError, SealError):
        return False


def _store(job: Job, replicate: Replicate) -> None:
    """Keeps a model; one that cannot be kept is only a loss of time later."""
    if not job.trains or replicate.outcome.diverged_at is not None:
        return
    path, identity = _place(job, replicate.seed)
    state = replicate.model.state_dict().items()
    try:
        arrays = {_STATE + name: tensor.cpu().numpy() for name, tensor in state}
    except TypeError as error:  # numbers that numpy does not have
        _warn(f"the model of seed {replicate.seed} cannot be kept: {one_line(error)}")
        return
    arrays |= {
        "seconds": np.asarray(replicate.seconds),
        "losses": replicate.outcome.losses.numpy(),
    }
    keep(path, arrays, identity)


def _stored(job: Job, seed: int, data: Dataset, device: torch.device) -> Replicate | None:
    """A model as it was after training; None where it must be trained."""
    if not job.trains:
        return None
    path, identity = _place(job, seed)
    try:
        held = identity_of(path)
        if held == identity | {"trains": held.get("trains", "")} != identity:
            return None  # of other code, not of another model
        arrays = unpacked(read_bytes(path, _LARGEST), identity)
        model = build_model(job.configuration, data.data_shape, seed)
        model.load_state_dict(
            {
                name.removeprefix(_STATE): torch.from_numpy(array)
                for name, array in arrays.items()
                if name.startswith(_STATE)
            }
        )
        outcome = TrainingOutcome(torch.from_numpy(arrays["losses"]), None)
        seconds = float(arrays["seconds"])
    except FileNotFoundError:
        return None
    except Exception as error:  # a model of other shapes raises anything
        aside = ""
        with suppress(OSError):
            if not unread(error):
                path.rename(path.with_name(f"{path.name}.corrupt"))
                aside = f"set aside as {path.name}.corrupt and "
        why = str(error) if isinstance(error, SealError) else one_line(error)
        _warn(f"model {path.name} of seed {seed} {aside}trained again: {why}")
        return None
    return Replicate(model.to(device).eval(), outcome, data.split(seed), seed, seconds)


def _warn(text: str) -> None:
    warnings.warn(text, CacheWarning, stacklevel=3)


def _place(job: Job, seed: int) -> tuple[Path, dict[str, str]]:
    """Where a model lies, and what the file says that it is."""
    values = {k: table for k, table in job.configuration.items() if k not in _MEASURING}
    text = json.dumps([values, list(job.block), job.data, seed], sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()
    path = job.results / "models" / f"{name[:16]}.npz"
    return path, {"model": name, "trains": job.trains}
