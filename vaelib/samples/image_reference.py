"""Measures images of one replicate against real ones, by nets that all its configurations share.

Beside what a model makes stand four sources that need none: ``floor``, the encoded real images
themselves; ``training``, real training images, which copy; ``marginals``, every pixel drawn by
itself; and ``blur``.
"""

from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from vaelib.audits.measurement import Measurement
from vaelib.datasets import Dataset, Splits
from vaelib.samples.features import FEATURES, PCAFeatures
from vaelib.seeding import stream
from vaelib.stats.classifier import classifier_test
from vaelib.stats.frechet import FeatureGaussians, frechet_distance
from vaelib.stats.image_mmd import KernelReference, image_mmd
from vaelib.stats.neighbours import Balls, authenticity, expected_coverage, neighbour_shares

__all__ = ["Judge", "judge_of", "real_parts"]

_MOST = 2500  # images of the reference, and of each source
_CLASSIFIED = 8  # principal components that the classifier sees; with more it tells every VAE


def real_parts(split: Splits, seed: int) -> tuple[Tensor, Tensor]:
    """Two disjoint parts of equal size of the images that nothing was fitted to.

    Args:
        split: of the replicate.
        seed: its seed.

    Returns:
        Indices of the reference and of the images that are encoded, each of shape (n,).
    """
    few = len(split.test) < 2 * _MOST
    rest = torch.cat([split.validation, split.test]) if few else split.test
    rest = rest[torch.randperm(len(rest), generator=stream("real parts", seed))]
    size = min(len(rest) // 2, _MOST)
    return rest[:size], rest[len(rest) // 2 :][:size]


class Judge:
    """Measures generated images of one replicate against its reference.

    Args:
        data: the data set.
        x: its points on the device to work on.
        split: of the replicate.
        seed: its seed.
        features: a name of ``vaelib.samples.features.FEATURES``.
        folder: where trained feature nets are kept.
        keeps: whether new ones are kept there; else it is only read.
    """

    def __init__(
        self,
        data: Dataset,
        x: Tensor,
        split: Splits,
        seed: int,
        features: str,
        folder: Path | None = None,
        keeps: bool = True,
    ) -> None:
        self.x, self.seed, self.train = x, seed, split.train
        self.reference, self.encoded = real_parts(split, seed)
        images = x[split.train]
        labels = None if data.labels is None else data.labels[split.train]
        self.features = FEATURES[features](images, labels, folder, keeps)
        self.components = PCAFeatures(images)
        real = self.features(x[self.reference])
        self.gaussians, self.kernel = FeatureGaussians(real), KernelReference(real)
        self.balls = Balls(real)
        self.pca = self.components(x[self.reference])
        self.pca_gaussians = FeatureGaussians(self.pca)
        self.pca_train = self.components(images)[0]

    def measure(self, images: Tensor, source: str) -> list[Measurement]:
        """Every measure of a sample.

        Args:
            images: as many as the reference has, in random order, shape (n, *data_shape).
            source: where they come from.

        Returns:
            The measurements.
        """
        features, pca = self.features(images), self.components(images)
        values = {"frechet": frechet_distance(FeatureGaussians(features), self.gaussians)}
        values["frechet_pca"] = frechet_distance(FeatureGaussians(pca), self.pca_gaussians)
        values["image_mmd"] = image_mmd(features, self.kernel)
        values |= neighbour_shares(features, self.balls)
        values["authenticity"] = authenticity(pca[0], self.pca_train)
        generator = stream("image classifier", self.seed)
        few = slice(None), slice(_CLASSIFIED)
        auc = classifier_test(pca[0][few], self.pca[0][few], generator=generator).statistic
        rows = [Measurement("test", name, *value, source=source) for name, value in values.items()]
        return [*rows, Measurement("test", "image_auc", auc, source=source)]

    def single(self, images: Tensor, source: str) -> list[Measurement]:
        """Precision and density, which are means over images that need not be a fair sample."""
        shares = neighbour_shares(self.features(images), self.balls)
        return [
            Measurement("test", name, *shares[name], source=source)
            for name in ("precision", "density")
        ]

    @cached_property
    def references(self) -> list[Measurement]:
        """The rows that need no model."""
        size = len(self.reference)
        generator = stream("reference samples", self.seed)
        real = self.x[self.encoded]
        images = self.x[self.train]
        chosen = torch.randperm(len(images), generator=generator)
        while len(chosen) < size:
            chosen = torch.cat([chosen, chosen])
        flat = images.flatten(1)
        mixed = torch.randint(len(flat), (size, flat.shape[1]), generator=generator)
        samples = {
            "floor": real,
            "training": images[chosen[:size].to(images.device)],
            "marginals": flat.gather(0, mixed.to(flat.device)).view_as(real),
        }
        if real.dim() == 4:
            samples["blur"] = _blurred(real)
        rows = [row for name, sample in samples.items() for row in self.measure(sample, name)]
        expected = expected_coverage(size, size)
        note = f"{expected:.3f} is expected of real images; n = {size:,} for all sources"
        return [
            Measurement(**{**row.__dict__, "message": note})
            if (row.metric, row.source) == ("coverage", "floor")
            else row
            for row in rows
        ]


def _blurred(images: Tensor) -> Tensor:
    """Images blurred by a Gaussian of a sixteenth of their height."""
    from torchvision.transforms.functional import gaussian_blur

    width = images.shape[-1] / 16
    blurred: Tensor = gaussian_blur(images, [2 * round(2 * width) + 1] * 2, [width, width])
    return blurred


_JUDGES: dict[tuple[object, ...], Judge] = {}


def judge_of(
    data: Dataset,
    x: Tensor,
    split: Splits,
    seed: int,
    features: str,
    folder: Path | None,
    keeps: bool = True,
) -> Judge:
    """The judge of a replicate, which all its configurations share; the last few are kept.

    Args:
        data: the data set.
        x: its points on the device to work on.
        split: of the replicate.
        seed: its seed.
        features: a name of ``vaelib.samples.features.FEATURES``.
        folder: where trained feature nets are kept.
        keeps: whether new ones are kept there; else it is only read.

    Returns:
        A new one, or the one that an earlier call made.
    """
    key = (data.fingerprint, seed, features, x.device.type, folder)
    if key not in _JUDGES:
        while len(_JUDGES) >= 10:
            del _JUDGES[next(iter(_JUDGES))]
        _JUDGES[key] = Judge(data, x, split, seed, features, folder, keeps)
    return _JUDGES[key]
