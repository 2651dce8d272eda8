"""Blocks and tiles hold every pair; a sample computes once what several statistics need."""

import math

import pytest
import torch
from scipy.spatial.distance import cdist

from vaelib.numerics import pairs
from vaelib.numerics.pairs import Sample, blocks, nearest_squared


def points(n, dimensions, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, dimensions, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 8), (4, 4), (9, 2)])
def test_blocks_hold_every_pair_once(rows, columns, monkeypatch):
    monkeypatch.setattr(pairs, "_SIDE", 4)
    seen = torch.zeros(rows, columns)
    for down, across in blocks(rows, columns):
        assert max(seen[down, across].shape) <= 4
        seen[down, across] += 1
    assert torch.equal(seen, torch.ones(rows, columns))


@pytest.mark.parametrize("side", [7, 512])
def test_the_nearest_is_that_of_all_distances(side, monkeypatch):
    monkeypatch.setattr(pairs, "_SIDE", side)
    z, train = points(30, 5), points(40, 5, 1)
    train[3] = z[17]
    expected = torch.from_numpy(cdist(z, train, "sqeuclidean").min(1))
    torch.testing.assert_close(nearest_squared(z, train), expected, rtol=1e-12, atol=1e-12)
    chosen = torch.tensor([39, 0, 6, 7, 8])
    others = torch.from_numpy(cdist(train[chosen], train, "sqeuclidean"))
    others[torch.arange(5), chosen] = torch.inf
    found = nearest_squared(train[chosen], train, chosen)
    torch.testing.assert_close(found, others.min(1).values, rtol=1e-12, atol=1e-12)
    assert nearest_squared(z[:1], z[:1], torch.tensor([0])) == torch.inf


def test_a_white_sample_has_mean_0_and_covariance_1_and_the_triangle_its_determinant():
    z = points(2 * 60, 4).view(2, 60, 4) @ points(4, 4, 1) + 3
    white = Sample(z).white.points
    assert float(white.mean(-2).abs().max()) < 1e-12
    torch.testing.assert_close(white.mT @ white / 60, torch.eye(4).double().expand(2, 4, 4))
    centred = z - z.mean(-2, keepdim=True)
    expected = torch.logdet(centred.mT @ centred)
    torch.testing.assert_close(2 * Sample(z).triangle.log().sum(-1), expected)


def test_products_are_those_of_the_pairs(monkeypatch):
    monkeypatch.setattr(pairs, "_TILE", 700)
    z = points(70, 3)
    tiles = zip(Sample(z).tiles(), Sample(z).products(), strict=True)
    for (rows, squared), (again, product) in tiles:
        assert torch.equal(squared, again)
        torch.testing.assert_close(product, z[rows] @ z[rows.start :].T, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("n", "times"), [(90, 1), (110, 2)])
def test_distances_of_few_points_are_kept_and_of_many_made_anew(n, times, monkeypatch):
    monkeypatch.setattr(pairs, "_KEPT", 10_000)
    made, within = [], pairs.tiles_within
    monkeypatch.setattr(pairs, "tiles_within", lambda x: made.append(x) or within(x))
    sample = Sample(points(n, 2))
    first, second = list(sample.tiles()), list(sample.tiles())
    assert len(made) == times and math.ceil(n / 32) >= len(first)
    assert all(torch.equal(a[1], b[1]) for a, b in zip(first, second, strict=True))


def test_tiles_hold_every_pair_and_grow_in_rows_as_fewer_columns_are_left(monkeypatch):
    monkeypatch.setattr(pairs, "_TILE", 4000)
    z = points(100, 3)
    seen = torch.zeros(100, 100, dtype=torch.float64)
    heights = []
    for rows, squared in Sample(z).tiles():
        heights.append(len(squared))
        expected = torch.from_numpy(cdist(z[rows], z[rows.start :], "sqeuclidean"))
        torch.testing.assert_close(squared, expected, rtol=1e-9, atol=1e-12)
        seen[rows, rows.start :] += pairs.pair_weights(squared)
    assert heights == [40, 60]
    assert seen.sum() == 100**2 and seen.triu().count_nonzero() == 5050
