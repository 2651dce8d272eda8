"""Differences of Fréchet distances: the closed form between Gaussians, coverage, what is refused."""

import pytest
import torch

from vaelib.stats.frechet import FeatureGaussians, frechet_distance, frechet_gaussians
from vaelib.stats.paired_frechet import LEAST, FrechetDistances, most_features


def gaussian(rows, generator, scale=1.0, shift=0.0, d=8):
    noise = torch.randn(rows, d, generator=generator, dtype=torch.float64)
    return shift + scale * noise


def binary(rows, generator, share, d=8):
    return (torch.rand(rows, d, generator=generator, dtype=torch.float64) < share).double()


def test_it_is_the_difference_of_the_distances():
    generator = torch.Generator().manual_seed(0)
    x, y, r = (torch.stack([gaussian(200, generator, s) for _ in range(3)]) for s in (2, 1.2, 1))
    found = FrechetDistances({"x": x, "y": y}, r)
    alone = frechet_distance(FeatureGaussians(x), FeatureGaussians(r))
    assert found.distance("x") == pytest.approx(tuple(alone), rel=1e-9)
    one, other = found.distance("x"), found.distance("y")
    difference = found.difference("x", "y")
    assert difference.value == pytest.approx(one.value - other.value)
    assert difference.high - difference.value == pytest.approx(
        2.0930 * difference.standard_error, 1e-4
    )
    assert found.difference("y", "x").value == -difference.value


def test_what_both_share_cancels():
    generator = torch.Generator().manual_seed(0)
    x, r = gaussian(400, generator, 1.5), gaussian(400, generator)
    near = x + 0.01 * gaussian(400, generator)
    found = FrechetDistances({"x": x, "near": near, "same": x}, r)
    alone = found.distance("x").standard_error
    assert found.difference("near", "x").standard_error < 0.1 * alone
    assert found.difference("same", "x")[:4] == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("name", "truth"),
    [("cost", 0.3**2 + 0.5**2 - 0.2**2), ("none", 0.0), ("binary", 0.0)],
)
def test_its_interval_holds_the_known_difference(name, truth):
    """Of 60 repeats with n = 160 at least 53 do where 95 % should: chance of fewer, 3 in 1,000."""
    if name == "cost":
        laws = [
            (torch.full((8,), float(m)), s**2 * torch.eye(8))
            for m, s in ((0.3, 1.5), (0, 0.8), (0, 1))
        ]
        closed = frechet_gaussians(*laws[0], *laws[2]) - frechet_gaussians(*laws[1], *laws[2])
        assert float(closed) / 8 == pytest.approx(truth, rel=1e-5)
    generator, held = torch.Generator().manual_seed(1), 0
    for _ in range(60):
        if name == "cost":
            parts = [gaussian(160, generator, *law) for law in ((1.5, 0.3), (0.8,), (1,))]
        elif name == "none":
            parts = [gaussian(160, generator, scale) for scale in (0.8, 0.8, 1)]
        else:
            parts = [binary(160, generator, share) for share in (0.3, 0.3, 0.4)]
        found = FrechetDistances({"x": parts[0], "y": parts[1]}, parts[2]).difference("x", "y")
        held += found.low <= truth <= found.high
    assert held >= 53


def test_more_features_than_the_rows_allow_are_refused():
    generator = torch.Generator().manual_seed(0)
    assert most_features(LEAST) == 32
    r = gaussian(LEAST, generator, d=33)
    with pytest.raises(ValueError, match=r"at least 5 rows for each feature.*keep 32 principal"):
        FrechetDistances({"x": r}, r)
    with pytest.raises(ValueError, match="rows must be at least 160, got 159"):
        most_features(LEAST - 1)
    r = gaussian(LEAST, generator)
    with pytest.raises(ValueError, match="x must have as many rows as real, 160, got 200"):
        FrechetDistances({"x": gaussian(200, generator)}, r)
    with pytest.raises(ValueError, match="real features must vary"):
        FrechetDistances({"x": r}, torch.ones(LEAST, 8))
    with pytest.raises(ValueError, match="same nets and dimensions"):
        FrechetDistances({"x": r[:, :3]}, r)
