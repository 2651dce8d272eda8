"""Tests of one and two samples against the arithmetic that they cannot do without."""

from functools import partial

import pytest
import torch

from vaelib.numerics.gaussian_kernel import gaussian
from vaelib.seeding import stream
from vaelib.stats import goodness_of_fit
from vaelib.stats.kernels import squared_distances
from vaelib.stats.nulls import NormalNull
from vaelib.stats.two_sample import energy_two_sample_test, mmd_two_sample_test

EACH, PERMUTATIONS, D = 1000, 200, 8
POINTS = 500  # at which the reference takes .45 ms: the target is 5 ms
TESTS = {
    "mmd": goodness_of_fit.mmd_test,
    "likelihood ratio": goodness_of_fit.likelihood_ratio_test,
    "Henze-Zirkler": goodness_of_fit.henze_zirkler_test,
    "Mardia": goodness_of_fit.mardia_test,
    "KSD": goodness_of_fit.ksd_test,
    "energy": goodness_of_fit.energy_test,
}


def points(count, seed):
    return torch.randn(count, D, generator=stream("benchmark", seed), dtype=torch.float64)


def pooled_kernel(x, y, kernel=lambda squared: gaussian(squared, 4.0)):
    """One kernel of all pairs, and one product with as many weights as there are permutations."""
    pooled = torch.cat([x, y])
    weights = torch.randn(len(pooled), PERMUTATIONS + 1, dtype=torch.float64)
    product = kernel(squared_distances(pooled, pooled)) @ weights
    return torch.linalg.vecdot(weights, product, dim=0)


def test_mmd_permutations(compare):
    x, y = points(EACH, 0), points(EACH, 1)
    compare(
        f"MMD test of n = m = {EACH}, D = {D}, one bandwidth, {PERMUTATIONS} permutations",
        lambda: mmd_two_sample_test(
            x, y, generator=stream("permutations", 0), bandwidths=[4.0], permutations=PERMUTATIONS
        ),
        partial(pooled_kernel, x, y),
        reference="one pooled kernel and one matrix product",
        target=1.2,
        cause="Drawing the permutations and standardising come on top.",
    )


def test_energy_permutations(compare):
    x, y = points(EACH, 0), points(EACH, 1)
    compare(
        f"energy test of n = m = {EACH}, D = {D}, {PERMUTATIONS} permutations",
        lambda: energy_two_sample_test(
            x, y, generator=stream("permutations", 0), permutations=PERMUTATIONS
        ),
        partial(pooled_kernel, x, y, torch.sqrt),
        reference="one pooled matrix of distances and one matrix product",
        target=1.2,
        cause="Drawing the permutations and standardising come on top.",
    )


@pytest.mark.parametrize("name", TESTS)
def test_one_sample(compare, name, tmp_path):
    z, null = points(POINTS, 2), NormalNull(folder=tmp_path)
    TESTS[name](z, null)
    compare(
        f"{name} test against N(0, I) at n = {POINTS}, D = {D}, its null simulated before",
        lambda: [TESTS[name](z, null) for _ in range(20)],
        lambda: [torch.cdist(z, z) for _ in range(20)],
        reference="one float64 matrix of the distances of all pairs (torch.cdist)",
        target=11,
        cause="It evaluates a kernel of all pairs at several bandwidths.",
    )
