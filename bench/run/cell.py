"""The whole path of one configuration: data, models, training, posteriors, measurements."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from bench.metrics.own import Encoded, measured
from bench.run.job import Job
from bench.run.model_store import trained
from bench.run.models import Replicate, dataset_of
from bench.run.record import KEPT, CellResult
from vaelib.audits.audit import audit
from vaelib.audits.measurement import Measurement, Terms
from vaelib.datasets import Dataset, cache_folder
from vaelib.families import PointFamily
from vaelib.likelihood_bounds import evidence_lower_bound, point_reconstruction, tighter_bound
from vaelib.models import VAE
from vaelib.numerics.matmul import exact_convolutions
from vaelib.samples.options import Quality
from vaelib.samples.quality import sample_quality
from vaelib.seeding import stream
from vaelib.simulation import encoder_calibration
from vaelib.stats.nulls import NormalNull

__all__ = ["run_block"]


class _Laps(dict[str, float]):
    """Seconds by stage: each call ends the stage that it names and begins the next."""

    def __init__(self) -> None:
        super().__init__()
        self._last = time.perf_counter()

    def __call__(self, stage: str) -> None:
        """Adds what has passed since the last call to a stage."""
        now = time.perf_counter()
        self[stage] = self.get(stage, 0.0) + now - self._last
        self._last = now


@exact_convolutions()
def run_block(job: Job) -> list[CellResult]:
    """Train a block of replicates together and measure those that are wanted.

    Args:
        job: what is wanted.

    Returns:
        One result per wanted cell; the first of the wanted seeds keeps images to look at. What is
        simulated where a user's own code runs is kept in no cache: other jobs would read it.

    Raises:
        ValueError: where the data set is not the one that the job was planned with.
    """
    laps = _Laps()
    data = _planned_data(job)
    x = data.x.to(_device(job.device))
    replicates = trained(job, data, x)
    laps("training")
    quality = Quality(**job.configuration["quality"])
    cache = cache_folder(job.results.parent / "cache")
    results = []
    for cell, replicate in replicates.items():
        stages = _Laps()
        result = _measure(cell, replicate, data, x, quality, cache, job, stages)
        seconds = replicate.seconds + sum(stages.values())
        stages["training"] = laps["training"] / len(replicates)
        arrays = result.arrays
        if replicate.seed != min(job.cells.values()):
            arrays = {key: kept for key, kept in arrays.items() if not key.startswith("samples_")}
        results.append(replace(result, arrays=arrays, seconds=seconds, stages=dict(stages)))
    return results


def _planned_data(job: Job) -> Dataset:
    """The data set of a job; nothing is trained on another one than that of its cells."""
    table = job.configuration["dataset"]
    data = dataset_of(table)
    if job.data and data.fingerprint != job.data:
        name = " ".join(str(table[key]) for key in ("name", "path") if key in table)
        raise ValueError(
            f"expected the data that was planned ({job.data}), got other data in {name} "
            f"({data.fingerprint}); give the command again"
        )
    return data


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _measure(
    cell: str,
    replicate: Replicate,
    data: Dataset,
    x: Tensor,
    quality: Quality,
    cache: Path,
    job: Job,
    stages: _Laps,
) -> CellResult:
    model, split, seed = replicate.model, replicate.split, replicate.seed
    if (step := replicate.outcome.diverged_at) is not None:
        message = f"the loss was not finite at step {step}"
        return CellResult(cell, "diverged", message)
    inputs = {"train": split.train, "test": split.test}
    posteriors = {name: model.posterior(x[index]) for name, index in inputs.items()}
    stages("latents")
    mean, scale = posteriors["train"]
    null = NormalNull(folder=cache / "nulls", keeps=not job.has_own_code)
    with torch.no_grad():
        prior = model.resolved_prior()
    terms: dict[str, Tensor] = {}

    def keep(name: str, metric: str, values: Tensor) -> None:
        """Where all seeds share their test inputs, what each input adds to a mean."""
        if name == "test" and data.official_test:
            terms[f"terms_{metric}"] = values.float()

    rows = audit(mean, scale, prior, posteriors["test"], seed=seed, null=null, terms=keep)
    for name, index in inputs.items():
        rows += _bounds(model, x[index], name, seed, quality, keep)
    calibrated, counts = encoder_calibration(model, x, seed, quality.sbc_draws)
    rows += calibrated
    stages("statistics")
    nets, keeps = cache / "features", not job.has_own_code
    scores, samples = sample_quality(model, data, x, split, seed, quality, nets, keeps=keeps)
    rows += scores
    stages("quality")
    few, codes = {}, {}
    for name, (mean, scale) in posteriors.items():
        kept = _kept(len(mean), stream(f"encoded {name}", seed))
        few[name], codes[name] = inputs[name][kept], (mean[kept].cpu(), scale[kept].cpu())
    rows += _own(job.metrics, model, codes, data, x, few, seed)
    stages("statistics")
    arrays = (
        samples
        | counts
        | {name: values.numpy() for name, values in terms.items()}
        | {
            f"{name}_{part}": tensor.numpy()
            for name, pair in codes.items()
            for part, tensor in zip(("mean", "scale"), pair, strict=True)
        }
    )
    if data.labels is not None:
        arrays |= {f"{name}_labels": data.labels[index].numpy() for name, index in few.items()}
    return CellResult(cell, measurements=rows, arrays=arrays)


def _bounds(
    model: VAE, x: Tensor, split: str, seed: int, quality: Quality, terms: Terms
) -> Iterator[Measurement]:
    """The evidence lower bound, its reconstruction, and on test inputs a tighter bound."""
    if model.family == PointFamily():
        yield Measurement(split, "elbo", None, message="not defined: the encoder is deterministic")
        yield Measurement(split, "reconstruction", point_reconstruction(model, x))
        return
    bound = evidence_lower_bound(model, x, stream(f"elbo {split}", seed))
    terms(split, "elbo", bound.terms)
    yield Measurement(split, "elbo", bound.elbo, bound.standard_error)
    yield Measurement(split, "reconstruction", bound.reconstruction, bound.reconstruction_error)
    if split == "test":
        yield from tighter_bound(model, x, bound, seed, quality.bound_inputs)


def _kept(count: int, generator: torch.Generator) -> Tensor:
    """Which of a part to keep: all, or a random choice."""
    if count <= KEPT:
        return torch.arange(count)
    return torch.randperm(count, generator=generator)[:KEPT]


def _own(
    metrics: Sequence[str],
    model: VAE,
    posteriors: Mapping[str, tuple[Tensor, Tensor]],
    data: Dataset,
    x: Tensor,
    inputs: Mapping[str, Tensor],
    seed: int,
) -> Iterator[Measurement]:
    """The user's own metrics."""
    if not metrics:
        return
    for name, index in inputs.items():
        labels = None if data.labels is None else data.labels[index]
        generator = stream(f"metrics {name}", seed)
        encoded = Encoded(*posteriors[name], model, x[index], labels, generator)
        yield from measured(metrics, name, encoded)
