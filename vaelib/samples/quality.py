"""What sampling from the prior costs: the quality of images decoded from each latent source.

Three disjoint real parts keep the comparison honest: the training images, which models, feature
nets and samplers are fitted to; the reference, which generated images are compared with; and
images that are encoded, for reconstructions and for fresh z of the aggregate posterior. The latter
two are halves of the test images, with those of validation where the test images are few, in
random order. All sources give as many images as the reference has, and all are measured by the
same nets, so that differences between them pair.

Beside the sources stand those of ``vaelib.samples.image_reference`` that need no model. Images
from the prior's lowest and highest decile of log q_N are not a sample of the data, so they have the
two measures that judge single images, precision and density.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vaelib.audits.measurement import Measurement
from vaelib.box_posterior import aggregate
from vaelib.datasets import Dataset, Splits
from vaelib.families import PointFamily
from vaelib.models import BATCH, VAE
from vaelib.samples.features import FEATURES
from vaelib.samples.image_reference import Judge, judge_of, real_parts
from vaelib.samples.latent_samplers import LATENT_SOURCES, Latents, PriorSampler
from vaelib.samples.options import DECILES, Quality
from vaelib.seeding import stream

__all__ = ["check", "sample_quality"]

_FEWEST = 40  # rows that the jackknife needs
_SHOWN = 64  # images that are kept to look at


def check(data: Dataset, options: Quality) -> None:
    """Say before any training whether sample quality can be measured on a data set.

    Args:
        data: the data set.
        options: what is wanted.

    Raises:
        ValueError: for data without the labels or the shape that the features need, or too few
            points for two real parts.
    """
    if not options.sources:
        return
    reference, _ = real_parts(data.split(0), 0)
    if len(reference) < _FEWEST:
        raise ValueError(
            f"sample quality needs {2 * _FEWEST} points outside the training part, got "
            f"{2 * len(reference)}; give more data or set quality.sources = []"
        )
    if options.features == "classifier" and data.labels is None:
        raise ValueError(
            f'quality.features = "classifier" needs labels, and {data.name} has none; '
            'set quality.features = "pca"'
        )
    if options.features == "pretrained":
        FEATURES["pretrained"](data.x[:3], None, None, False)


def sample_quality(
    model: VAE,
    data: Dataset,
    x: Tensor,
    split: Splits,
    seed: int,
    options: Quality = Quality(),  # noqa: B008  # frozen
    folder: Path | None = None,
    *,
    keeps: bool = True,
) -> tuple[list[Measurement], dict[str, np.ndarray]]:
    """Measure the images that a model decodes from each latent source.

    An image is the decoder's mean E[x|z], without the likelihood's noise.

    Args:
        model: a trained model.
        data: the data set that it was trained on.
        x: its points on the model's device.
        split: of the replicate.
        seed: its seed.
        options: what to measure.
        folder: where trained feature nets are kept.
        keeps: whether new ones are kept there; else it is only read.

    Returns:
        Measurements of split ``"test"``, and small arrays: ``"samples_<source>"``, 64 images as
        uint8, of every source, of the prior draws of lowest and highest log q_N, and real.
    """
    if not options.sources:
        return [], {}
    judge = judge_of(data, x, split, seed, options.features, folder, keeps)
    size = len(judge.reference)
    mean, scale = model.posterior(x[judge.encoded])
    family = model.family
    train = aggregate(family, *model.posterior(x[split.train]))
    held = aggregate(family, mean, scale)
    with torch.no_grad():
        latents = Latents(model.resolved_prior(), train, held, seed)
    rows, samples = [], {"real": x[judge.reference]}
    for source in options.sources:
        try:
            z = mean
            if source != "reconstruction":
                z = _draw(latents, source, size)
            images = _decoded(model, z, x)
            rows += judge.measure(images, source)
        except ValueError as error:  # of one source: the others are measured
            rows.append(Measurement("test", "frechet", None, source=source, message=str(error)))
            continue
        samples[source] = images
    if "prior" in samples and family != PointFamily():
        try:
            deciles, extremes = _by_density(model, latents, judge, x)
        except ValueError as error:
            note = str(error)
            deciles = [Measurement("test", "precision", None, source=DECILES[0], message=note)]
            extremes = {}
        rows += deciles
        samples |= extremes
    arrays = {}
    if len(data.data_shape) == 3:
        arrays = {f"samples_{name}": _shown(images) for name, images in samples.items()}
    return [*rows, *judge.references], arrays


def _draw(latents: Latents, source: str, size: int) -> Tensor:
    """Latents of a source, shuffled: a sampler may return them sorted by component."""
    sampler = LATENT_SOURCES[source](latents)
    generator = stream(f"latents {source}", latents.seed)
    z = sampler.sample(size, generator)
    return z[torch.randperm(len(z), generator=generator)]


@torch.no_grad()
def _decoded(model: VAE, z: Tensor, x: Tensor) -> Tensor:
    z = z.to(x)
    return torch.cat([model.decode(part) for part in torch.split(z, BATCH)])


def _by_density(
    model: VAE, latents: Latents, judge: Judge, x: Tensor
) -> tuple[list[Measurement], dict[str, Tensor]]:
    """Images from where q_N is least and most dense among draws of the prior."""
    size = len(judge.reference)
    z = PriorSampler(latents).sample(10 * size, stream("latents by density", latents.seed))
    order = latents.train.log_prob(z.to(x.device)).argsort().cpu()
    lowest, highest = (_decoded(model, z[part], x) for part in (order[:size], order[-size:]))
    rows = judge.single(lowest, DECILES[0]) + judge.single(highest, DECILES[1])
    step = max(1, size // _SHOWN)  # evenly over each tenth: the densest of all look the same
    return rows, {"deepest": lowest[::step], "densest": highest[::step]}


def _shown(images: Tensor) -> np.ndarray:
    shown: np.ndarray = (images[:_SHOWN].clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    return shown
