"""How often the interval of a prior's cost holds it: ``python -m tests.price_coverage``.

As an audit does it, with four samples of the prior, four of the aggregate posterior of the same
encoded inputs, and one reference; 200 repeats of all settings take ten minutes on one core.
"""

import torch

from vaelib.samples.price import _REPEATS
from vaelib.stats.frechet import frechet_gaussians
from vaelib.stats.paired_frechet import FrechetDistances

__all__ = ["WORLDS", "covered"]

_LARGE = 400_000  # draws of which a law without closed moments takes them


def _normal(rows, d, generator):
    return torch.randn(rows, d, generator=generator, dtype=torch.float64)


def gaussian(rows, d, generator, scale=1.0):
    """Real N(0, I), aggregate N(0, I) too, prior N(0, scale² I)."""
    encoded = 0.8 * _normal(rows, d, generator)
    aggregate = [encoded + 0.6 * _normal(rows, d, generator) for _ in range(_REPEATS)]
    prior = [scale * _normal(rows, d, generator) for _ in range(_REPEATS)]
    return _normal(rows, d, generator), torch.stack(aggregate), torch.stack(prior)


def binary(rows, d, generator, share=0.3):
    """Features that are 0 or 1, and 1 with chance .3, or in those of the prior another."""

    def draw(chance):
        return (torch.rand(rows, d, generator=generator, dtype=torch.float64) < chance).double()

    parts = [[draw(chance) for _ in range(_REPEATS)] for chance in (0.3, share)]
    return draw(0.3), torch.stack(parts[0]), torch.stack(parts[1])


def heavy(rows, d, generator):
    """On a plane of four dimensions, where one of twenty z of the prior lies four times as far."""
    weight = _normal(4, d, torch.Generator().manual_seed(5))

    def far(rows):
        z = 1.4 * _normal(rows, 4, generator)
        often = torch.rand(rows, 1, generator=generator) < 0.05
        return z * torch.where(often, 4.0, 1.0) @ weight

    real = _normal(rows, 4, generator) @ weight + 0.5 * _normal(rows, d, generator)
    aggregate = [_normal(rows, 4, generator) @ weight for _ in range(_REPEATS)]
    return real, torch.stack(aggregate), torch.stack([far(rows) for _ in range(_REPEATS)])


WORLDS = {
    "no cost": gaussian,
    "too wide": lambda *of: gaussian(*of, scale=1.4),
    "binary, no cost": binary,
    "binary": lambda *of: binary(*of, share=0.5),
    "heavy tails": heavy,
}
"""From rows, d and a generator to real features, four of the aggregate, four of the prior."""


def _truth(make, d):
    """The known cost, from the moments of many draws; exactly 0 where both laws are one."""
    real, aggregate, prior = make(_LARGE // 4, d, torch.Generator().manual_seed(99))
    laws = [(x.reshape(-1, d).mean(0), x.reshape(-1, d).T.cov()) for x in (real, aggregate, prior)]
    cost = frechet_gaussians(*laws[2], *laws[0]) - frechet_gaussians(*laws[1], *laws[0])
    return float(cost / laws[0][1].trace())


def covered(name, rows, d, repeats=200, seed=0):
    """Shares of the repeats in which the interval holds the cost, and lies wholly above it."""
    make, generator = WORLDS[name], torch.Generator().manual_seed(seed)
    truth = 0.0 if name.endswith("no cost") else _truth(make, d)
    held = above = 0
    for _ in range(repeats):
        real, aggregate, prior = make(rows, d, generator)
        found = FrechetDistances(
            {"prior": prior, "aggregate": aggregate}, real.repeat(_REPEATS, 1, 1)
        ).difference("prior", "aggregate")
        held += found.low <= truth <= found.high
        above += found.low > truth
    return held / repeats, above / repeats


def main():
    """Print the table."""
    for d, rows in ((8, 160), (16, 160), (32, 160), (32, 320)):
        for name in WORLDS:
            held, above = covered(name, rows, d)
            print(
                f"{name}, {d} features, n = {rows}: {held:.3f} held, {above:.3f} above", flush=True
            )


if __name__ == "__main__":
    main()
