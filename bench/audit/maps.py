"""Maps of what a file held."""

import torch

from bench.audit.archive import Archive
from vaelib.maps.positions import Maps

__all__ = ["maps_of"]


def maps_of(archive: Archive, generator: torch.Generator) -> tuple[Maps, str]:
    """One z of each position of each input.

    Args:
        archive: as it was read; where rows are inputs, maps without places.
        generator: random stream of the z.

    Returns:
        The maps, and the split that they are of.
    """

    def drawn(pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return pair[0] + pair[1] * torch.randn(pair[0].shape, generator=generator).double()

    fitted = None
    if archive.train is None:
        assert archive.z is not None
        z, split = archive.z, "sample"
    elif archive.heldout is None:
        z, split = drawn(archive.train), "train"
    else:
        fitted, z, split = drawn(archive.train), drawn(archive.heldout), "test"
    return Maps.of_rows(z, archive.places, fitted), split
