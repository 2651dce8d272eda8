"""Sample quality on a full-size data set against the distances that it cannot do without."""

from functools import partial

import torch

from vaelib.seeding import stream
from vaelib.stats.neighbours import authenticity

IMAGES, TRAINING, D, ROWS = 500, 54_000, 32, 32


def nearest(x, y):
    """One float64 product of the distances' shape, ROWS rows at a time, and each row's minimum."""
    factors = torch.cat([x, torch.ones(len(x), 2, dtype=x.dtype)], 1).split(ROWS)
    others = torch.cat([y, torch.ones(len(y), 2, dtype=y.dtype)], 1).T
    return [(rows @ others).min(1) for rows in factors]


def test_authenticity(compare):
    x, y = (
        torch.randn(count, D, generator=stream("benchmark", count), dtype=torch.float64)
        for count in (IMAGES, TRAINING)
    )
    compare(
        f"authenticity of {IMAGES} images, {D} components, against {TRAINING:,} training images",
        partial(authenticity, x, y),
        partial(nearest, x, y),
        reference="one float64 product of that shape, by blocks, and the minimum of each row",
        target=3,
        cause="There are two such products: to the training images, and from the nearest of them "
        "to its own neighbour.",
    )
