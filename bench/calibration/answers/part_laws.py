"""Laws that differ from N(0, I) in a part of the inputs alone, each with any KL.

An upper end is a mean over inputs: where hardly any of n inputs lie in the part that carries the
KL, it is counted too little, and a "yes" may be wrong.
"""

import functools
import math
from collections.abc import Callable

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from bench.calibration.answers.gaussian_laws import INSIDE, solved
from bench.calibration.answers.laws import beside, line_kl
from bench.calibration.answers.matches import readable_scale
from bench.calibration.samples import normal
from vaelib.numerics.arrays import Floats
from vaelib.worlds.world import World, log_normal

__all__ = ["PART_LAWS", "RARE"]

_Parameter = tuple[float, float, float]  # share of the part, centre, standard deviation


def _part(dimensions: int, parameter: _Parameter) -> World:
    """On the first axis a share of the inputs is a Gaussian of its own, the others are N(0, 1)."""
    share, centre, width = parameter
    main = readable_scale(dimensions)
    thin = min(main, INSIDE * width)

    def own(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        part = torch.rand(n, 1, generator=generator, dtype=torch.float64) < share
        noise = normal(n, 1, generator)
        inside = centre + math.sqrt(width**2 - thin**2) * noise
        mean = torch.where(part, inside, math.sqrt(1 - main**2) * noise)
        return mean, torch.where(part, thin, main).double()

    def log_ratio(z: Tensor) -> Tensor:
        x = z[:, 0]
        part = torch.as_tensor(log_normal(x, centre, width**2) - log_normal(x)) + math.log(share)
        return torch.logaddexp(part, torch.full_like(part, math.log1p(-share)))

    return beside(dimensions, own, log_ratio, lambda: _loss(parameter))


def _loss(parameter: _Parameter) -> float:
    """The KL of such a part, in nats."""
    share, centre, width = parameter

    def density(z: Floats) -> Floats:
        main, part = stats.norm.pdf(z), stats.norm.pdf(z, centre, width)
        return np.asarray((1 - share) * main + share * part, np.float64)

    return line_kl(density, edge=12 * max(1.0, width) + centre)


def _far(dimensions: int, kl: float) -> World:
    """A thin mode ten standard deviations away, of the share that gives the KL."""
    share = solved(lambda share: _loss((share, 10.0, 0.5)), kl, 1e-9, 0.1)
    return _part(dimensions, (share, 10.0, 0.5))


def _wide(share: float, dimensions: int, kl: float) -> World:
    """A given share of the inputs, as wide as gives the KL."""
    width = solved(lambda width: _loss((share, 0.0, width)), kl, 1, 60)
    return _part(dimensions, (share, 0.0, width))


_SMALL = {f"{100 * share:g} % of the inputs wide": share for share in (0.005, 0.02, 0.05)}

PART_LAWS: dict[str, tuple[Callable[[int, float], World], int]] = {
    "rare far mode": (_far, 1),
    **{name: (functools.partial(_wide, share), 1) for name, share in _SMALL.items()},
    "20 % of the inputs wide": (functools.partial(_wide, 0.2), 1),
}
"""By name: maps D and a KL in nats to the world; the smallest D."""

RARE = frozenset(["rare far mode", *_SMALL])
"""Those of which few inputs show the KL, which a "yes" cannot exclude."""
