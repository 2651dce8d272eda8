"""The price of sampling from the prior, of a decoder and data that a user hands over by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from bench.audit.archive import Archive
from bench.audit.imported import imported
from bench.errors import ForeignError, UserError, interrupts, raised, shown
from vaelib.asking.price import price
from vaelib.latent_files.images import Images, read_images
from vaelib.samples.judging import KINDS
from vaelib.samples.priced import Price

__all__ = ["Asked", "price_archive"]

_SUCH_AS = "my_model:decoder"


@dataclass(frozen=True)
class Asked:
    """What a price is asked of.

    Attributes:
        decoder: import path of the decoder, ``"package.module:Name"``.
        images: file of the data that the latents are of.
        features: a name of ``vaelib.samples.judging.KINDS``, or an import path.
    """

    decoder: str
    images: Path
    features: str = "auto"


def price_archive(
    asked: Asked, archive: Archive, prior: str, console: Console, most: int | None = None
) -> Price:
    """Price the prior of an archive.

    Args:
        asked: the decoder and the data.
        archive: the latents, without conditions.
        prior: a name of ``vaelib.priors.PRIORS`` that needs no model.
        console: where what was read is said: standard error.
        most: numbers that one array may hold.

    Returns:
        The price.

    Raises:
        UserError: for data that do not belong to the latents, or what the decoder returns.
        ForeignError: for a decoder, or features, that cannot be imported.
    """
    if archive.groups is not None:
        raise UserError(
            "--decoder is for inputs that are independent of each other, and the file has groups; "
            "keep one input of each group in it, and leave groups out"
        )
    train = archive.train
    if train is None:
        assert archive.z is not None
        train = archive.z, torch.zeros_like(archive.z)
    heldout = archive.heldout
    try:
        rows = None if heldout is None else _of_file(len(heldout[0]), archive.heldout_rows)
        images = read_images(asked.images, _of_file(len(train[0]), archive.rows), rows, most)
        images = images.of_rows(archive.rows, archive.heldout_rows)
    except ValueError as error:
        raise UserError(f"--images {asked.images}: {error}") from error
    console.print(images.said, markup=False, highlight=False)
    decoder = imported(asked.decoder, "--decoder", _SUCH_AS)
    features = _features(asked.features)
    with _running(asked):
        found = price(
            decoder,
            *train,
            images.train,
            None if images.heldout is None else heldout,
            images.heldout if heldout is not None else None,
            labels=_labels(images),
            features=features,
            prior=prior,
            progress=False,
        )
    if archive.left_out:
        found = replace(found, notes=(archive.left_out, *found.notes))
    return replace(found, split="sample") if archive.train is None else found


def _of_file(here: int, rows: torch.Tensor | None) -> int:
    """Inputs that the file has."""
    return here if rows is None else len(rows)


def _labels(images: Images) -> torch.Tensor | None:
    """Those of the inputs that features are fitted to."""
    return images.heldout_labels if images.train is None else images.labels


def _features(name: str) -> Any:  # noqa: ANN401
    if name in KINDS:
        return name
    if ":" not in name:
        raise UserError(
            f"--features must be one of {', '.join(KINDS)} or an import path MODULE:NAME, got "
            f"{shown(name)}"
        )
    return imported(name, "--features", _SUCH_AS)


@contextmanager
def _running(asked: Asked) -> Iterator[None]:
    """Within the block a user's decoder runs: what is wrong with it is one line."""
    try:
        yield
    except ValueError as error:
        option = f"--decoder {asked.decoder}"
        if str(error).startswith(("the features", "features")):
            option = f"--features {asked.features}"
        raise UserError(f"{option}: {error}") from error
    except (Exception, SystemExit) as error:
        if interrupts(error) or isinstance(error, MemoryError):
            raise
        raise ForeignError(
            f"--decoder {asked.decoder}: cannot be priced ({raised(error)})"
        ) from error
