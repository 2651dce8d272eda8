"""The whole path of one configuration: data, models, training, posteriors, measurements."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.stages import Laps
from bench.trained import dataset_of, trained
from vaelib.audit import Measurement, audit
from vaelib.datasets import Dataset, Splits
from vaelib.models import VAE
from vaelib.seeding import stream
from vaelib.stats.bounds import evidence_lower_bound
from vaelib.stats.nulls import NormalNull
from vaelib.training import Outcome

__all__ = ["run_block"]


def run_block(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Train a block of replicates together and measure those that are wanted.

    Args:
        job: ``configuration`` (resolved values), ``block`` (the seeds that train together),
            ``cells`` (cell id -> seed, of those whose records are wanted), ``device`` (``"auto"``:
            what this machine has), ``results`` (the matrix's folder; simulated nulls are kept in
            ``cache`` beside it), ``trains`` (hash of the code that trains; models that were stored
            under it are not trained again).

    Returns:
        One record per wanted cell: status, message, seconds, stages, measurements and arrays.
    """
    laps = Laps()
    data = dataset_of(job["configuration"]["dataset"])
    x = data.x.to(_device(job["device"]))
    replicates = trained(job, data, x)
    laps("training")
    null = NormalNull(folder=Path(job["results"]).parent / "cache" / "nulls")
    records = []
    for cell, replicate in replicates.items():
        stages = Laps()
        model, outcome, split = replicate.model, replicate.outcome, replicate.split
        record = _measure(model, outcome, data, x, split, replicate.seed, null, stages)
        stages("statistics")
        seconds = replicate.seconds + sum(stages.values())
        stages["training"] = laps["training"] / len(replicates)
        records.append(record | {"cell": cell, "seconds": seconds, "stages": dict(stages)})
    return records


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _measure(
    model: VAE,
    outcome: Outcome,
    data: Dataset,
    x: Tensor,
    split: Splits,
    seed: int,
    null: NormalNull,
    stages: Laps,
) -> dict[str, Any]:
    if outcome.diverged_at is not None:
        message = f"the loss was not finite at step {outcome.diverged_at}"
        return {"status": "diverged", "message": message, "measurements": []}
    parts = {"train": split.train, "test": split.test}
    posteriors = {}
    for name, index in parts.items():
        mean, scale = model.posterior(x[index])
        posteriors[name] = mean.cpu(), scale.cpu()
    stages("latents")
    mean, scale = posteriors["train"]
    rows = audit(mean, scale, model.prior, posteriors["test"], seed=seed, null=null)
    for name, index in parts.items():
        bound = evidence_lower_bound(model, x[index], stream(f"elbo {name}", seed))
        error = bound.standard_error
        rows.append(Measurement(name, "elbo", bound.elbo, error))
        rows.append(Measurement(name, "reconstruction", bound.reconstruction, error))
    arrays = {
        f"{name}_{part}": tensor.numpy()
        for name, pair in posteriors.items()
        for part, tensor in zip(("mean", "scale"), pair, strict=True)
    }
    if data.labels is not None:
        arrays |= {f"{name}_labels": data.labels[index].numpy() for name, index in parts.items()}
    return {
        "status": "ok",
        "message": "",
        "measurements": [row.__dict__ for row in rows],
        "arrays": arrays,
    }
