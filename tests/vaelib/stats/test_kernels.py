import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, pdist

from tests.vaelib.stats.samples import normal
from vaelib.numerics.gaussian_kernel import gaussian
from vaelib.stats import kernels

REFERENCE = {
    "gaussian": lambda r, h: np.exp(-(r**2) / (2 * h**2)),
    "imq": lambda r, h: (1 + r**2 / h**2) ** -0.5,
    "laplace": lambda r, h: np.exp(-r / h),
}


def sample(n, dimensions, seed):
    return normal(n, dimensions, torch.Generator().manual_seed(seed))


def test_every_kernel_has_a_reference():
    assert REFERENCE.keys() == kernels.KERNELS.keys()


@pytest.mark.parametrize("name", REFERENCE)
def test_kernels_are_their_formulas_and_leave_their_input(name):
    x = sample(20, 3, 0)
    squared = kernels.squared_distances(x, x)
    before = squared.clone()
    values = kernels.KERNELS[name](squared, 0.7)
    assert np.allclose(values, REFERENCE[name](cdist(x, x), 0.7), atol=1e-7)
    assert torch.equal(squared, before)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.floats(-1e6, 1e6))
def test_squared_distances_keep_their_digits_far_from_the_origin(n, m, dimensions, offset):
    x, y = sample(n, dimensions, 0), sample(m, dimensions, 1)
    squared = kernels.squared_distances(x + offset, y + offset)
    assert squared.min() >= 0
    assert np.allclose(squared, cdist(x, y, "sqeuclidean"), rtol=1e-8, atol=1e-7)


def test_an_outlier_leaves_the_other_distances():
    x = sample(30, 3, 0)
    outlier = torch.cat([torch.full((1, 3), 1e30), x])
    squared = kernels.squared_distances(outlier, outlier)
    assert np.allclose(squared[1:, 1:], cdist(x, x, "sqeuclidean"), atol=1e-12)


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize("n", [2, 255, 256, 257, 600])
def test_kernel_sums_do_not_depend_on_the_blocks(name, n):
    x, y = sample(n, 2, 0), sample(300, 2, 1)
    bandwidths = [0.3, 1.0, 2.0, 4.0, 5.0]
    within = kernels.kernel_sums(kernels.KERNELS[name], bandwidths, x)
    cross = kernels.kernel_sums(kernels.KERNELS[name], bandwidths, x, y)
    for sums, other in ((within, x), (cross, y)):
        expected = [REFERENCE[name](cdist(x, other), h).sum() for h in bandwidths]
        assert np.allclose(sums, expected, rtol=1e-10)


def test_kernel_sums_of_a_batch_are_those_of_its_sets():
    x = sample(3 * 70, 4, 0).reshape(3, 70, 4)
    sums = kernels.kernel_sums(gaussian, [0.5, 1.0], x)
    alone = [kernels.kernel_sums(gaussian, [0.5, 1.0], z) for z in x]
    assert torch.allclose(sums, torch.stack(alone), rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 300])
def test_symmetric_tiles_hold_each_pair_once_and_zeros_for_equal_points(n):
    x, seen = sample(n, 3, 0), torch.zeros(n, n)
    for rows, squared in kernels.symmetric_tiles(x, rows=64):
        assert torch.equal(squared.diagonal(), torch.zeros(len(squared), dtype=torch.float64))
        seen[rows, rows.start :] += 1
    upper = torch.ones(n, n).triu(64)
    assert torch.equal(seen * upper, upper)
    assert kernels.pair_total(torch.ones(3, 10)) == 2 * 30 - 9


def test_bandwidth_grid_is_fixed_by_the_dimension():
    assert kernels.bandwidth_grid(4) == (0.5, 1.0, 2.0, 4.0, 8.0)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        kernels.bandwidth_grid(0)


def test_median_bandwidth_is_the_median_distance():
    x = sample(46, 5, 0)  # 1035 distances: an odd number has one median
    assert math.isclose(kernels.median_bandwidth(x), np.median(pdist(x)), rel_tol=1e-9)
    assert math.isclose(kernels.median_bandwidth(3 * x), 3 * kernels.median_bandwidth(x))
    thinned = kernels.median_bandwidth(sample(5000, 5, 0), rows=200)
    assert math.isclose(thinned, math.sqrt(2 * 4.35), rel_tol=0.05)  # median of chi²(5) is 4.35


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8])
def test_median_bandwidth_of_equal_rows_is_an_error(value):
    x = sample(20, 3, 0)
    x[:16] = x[0] + value  # most pairs are equal
    with pytest.raises(ValueError, match="median distance of 0"):
        kernels.median_bandwidth(x)
