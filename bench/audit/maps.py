"""Maps of what a file held."""

import torch

from bench.audit.archive import Archive
from vaelib.maps.positions import Maps, drawn_maps

__all__ = ["maps_of"]


def maps_of(archive: Archive, generator: torch.Generator) -> tuple[Maps, str]:
    """One z of each position of each input.

    Args:
        archive: as it was read; where rows are inputs, maps without places.
        generator: random stream of the z.

    Returns:
        The maps, and the split that they are of.
    """
    train, split = archive.train, "train" if archive.heldout is None else "test"
    if train is None:
        assert archive.z is not None
        train, split = (archive.z, torch.zeros_like(archive.z)), "sample"
    return drawn_maps(train, archive.heldout, archive.places, generator), split
