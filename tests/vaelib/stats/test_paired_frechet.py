"""Differences of Fréchet distances: the closed form of Gaussians, coverage, what is refused."""

import pytest
import torch

from tests.price_coverage import WORLDS, _truth, covered
from vaelib.stats.frechet import FeatureGaussians, frechet_distance, frechet_gaussians
from vaelib.stats.paired_frechet import LEAST, FrechetDistances, most_features


def gaussian(rows, generator, scale=1.0, shift=0.0, d=8):
    noise = torch.randn(rows, d, generator=generator, dtype=torch.float64)
    return shift + scale * noise


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


def test_the_closed_form_of_the_world_that_is_too_wide():
    """N(0, 1.4² I) costs .4² of the variance of N(0, I), and the features' own moments say so."""
    laws = [(torch.zeros(8), scale**2 * torch.eye(8)) for scale in (1.4, 1.0)]
    assert float(frechet_gaussians(*laws[0], *laws[1])) / 8 == pytest.approx(0.16, rel=1e-5)
    assert _truth(WORLDS["too wide"], 8) == pytest.approx(0.16, abs=0.003)


@pytest.mark.parametrize("name", [name for name in WORLDS if name != "heavy tails"])
def test_its_interval_holds_the_known_difference(name):
    """Of 40 repeats at least 34, and above it in 3 at most: chances of 1 in 100 at 95 %."""
    held, above = covered(name, LEAST, 8, repeats=40, seed=1)
    assert held >= 34 / 40 and above <= 3 / 40


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
