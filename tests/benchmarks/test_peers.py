"""Permutation tests of two samples against hyppo and dcor, which compute the same statistics."""

import math
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from tests.benchmarks.test_tests import EACH, PERMUTATIONS, D, points
from vaelib.seeding import stream
from vaelib.stats.energy import energy_distance
from vaelib.stats.mmd import mmd_squared
from vaelib.stats.two_sample import energy_two_sample_test, mmd_two_sample_test

TARGET, FEW, BANDWIDTH = 0.05, 100, 4.0


def needs(package):
    return [
        pytest.mark.skipif(
            find_spec(package) is None,
            reason=f"Permutation tests against {package}: {package} is not installed",
        ),
        pytest.mark.filterwarnings("ignore"),
    ]


def mmd(x, y):
    return mmd_two_sample_test(
        x,
        y,
        generator=stream("permutations", 0),
        bandwidths=[BANDWIDTH],
        permutations=PERMUTATIONS,
    )


def energy(x, y):
    return energy_two_sample_test(
        x, y, generator=stream("permutations", 0), permutations=PERMUTATIONS
    )


def hyppo_mmd(x, y):
    from hyppo.ksample import MMD

    test = MMD(compute_kernel="rbf", bias=True, gamma=0.5 / BANDWIDTH**2)
    return _hyppo(test, x, y)


def hyppo_energy(x, y):
    from hyppo.ksample import Energy

    return _hyppo(Energy(bias=True), x, y)


def _hyppo(test, x, y):
    outcome = test.test(x.numpy(), y.numpy(), reps=PERMUTATIONS, auto=False, random_state=0)
    return float(outcome[0]) ** 2, float(outcome[1])  # it gives the root of what we do


def dcor_energy(x, y):
    import dcor

    outcome = dcor.homogeneity.energy_test(
        x.numpy(), y.numpy(), num_resamples=PERMUTATIONS, random_state=0
    )
    return float(outcome.statistic), float(outcome.pvalue)


PEERS = {
    "MMD, hyppo": (mmd, hyppo_mmd, lambda x, y: mmd_squared(x, y, [BANDWIDTH])[0]),
    "energy, hyppo": (energy, hyppo_energy, energy_distance),
    "energy, dcor": (energy, dcor_energy, energy_distance),
}


def agree(ours, theirs, raw):
    """Statistics of several splits of one sample are proportional, p-values differ by chance."""
    constants = []
    x, y = points(FEW, 0), points(FEW, 1) + 0.1
    pooled = torch.cat([x, y])
    for seed in range(3):
        order = torch.randperm(len(pooled), generator=stream("split", seed))
        first, second = pooled[order[:FEW]], pooled[order[FEW:]]
        constants.append(theirs(first, second)[0] / float(raw(first, second)))
    np.testing.assert_allclose(constants, constants[0], rtol=1e-6)
    p, q = ours(x, y).p_value, theirs(x, y)[1]
    variance = max((p + q) / 2 * (1 - (p + q) / 2), 1 / PERMUTATIONS)
    assert abs(p - q) <= 4 * math.sqrt(2 * variance / PERMUTATIONS)


@pytest.mark.parametrize("name", [pytest.param(n, marks=needs(n.split(", ")[1])) for n in PEERS])
def test_permutations_against_a_peer(compare_once, name):
    kind, package = name.split(", ")
    ours, theirs, raw = PEERS[name]
    agree(ours, theirs, raw)  # compiles, too, what a peer compiles at its first call
    x, y = points(EACH, 0), points(EACH, 1)
    reference = f"{package}, the same test"
    compare_once(
        f"{kind} test of n = m = {EACH}, D = {D}, {PERMUTATIONS} permutations",
        lambda: ours(x, y),
        {reference: lambda: theirs(x, y)},
        warm=lambda: ours(x, y),
        targets={reference: TARGET},
    )
