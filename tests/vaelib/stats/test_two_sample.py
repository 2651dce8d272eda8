import math
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pted import pted
from scipy.stats import binom, wasserstein_distance

from tests import oracles
from tests.vaelib.stats import samples
from vaelib.stats import two_sample
from vaelib.stats.energy import energy_distance
from vaelib.stats.mmd import mmd_squared
from vaelib.stats.two_sample import (
    energy_two_sample_test,
    mmd_two_sample_test,
    sliced_wasserstein,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its docstrings have invalid escapes when first compiled
    import ot

TESTS = {"mmd": mmd_two_sample_test, "energy": energy_two_sample_test}
every_test = pytest.mark.parametrize("name", TESTS)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def sample(n, dimensions, seed=0):
    return samples.normal(n, dimensions, seeded(seed))


def by_hand(x, y, statistic, permutations, seed):
    """The statistic of the observed split and of the same random splits as in the tests."""
    pooled, generator = torch.cat([x, y]), seeded(seed)
    values = [statistic(x, y)]
    for _ in range(permutations):
        taken = torch.randperm(len(pooled), generator=generator) < len(x)
        values.append(statistic(pooled[taken], pooled[~taken]))
    return torch.stack(values)


def rank(values):
    return (1 + int((values[1:] >= values[0] - 1e-12).sum())) / len(values)


@pytest.mark.parametrize(("n", "m"), [(20, 20), (30, 11)])
def test_mmd_test_permutes_the_biased_form(n, m):
    x, y = sample(n, 3), sample(m, 3, 1) + 0.4
    values = by_hand(x, y, lambda a, b: mmd_squared(a, b, [1.2])[0], 99, seed=5)
    result = mmd_two_sample_test(x, y, generator=seeded(5), bandwidths=[1.2], permutations=99)
    assert result.p_value == rank(values)
    expected = (values[0] - values.mean()) / values.std()
    assert result.statistic == pytest.approx(expected.item(), rel=1e-9)


def test_several_bandwidths_are_combined_inside_each_permutation():
    x, y, bandwidths = sample(25, 3), sample(20, 3, 1) + 0.3, [0.5, 1.0, 3.0]
    values = by_hand(x, y, lambda a, b: mmd_squared(a, b, bandwidths), 99, seed=5)
    largest = ((values - values.mean(0)) / values.std(0)).amax(1)
    result = mmd_two_sample_test(x, y, generator=seeded(5), bandwidths=bandwidths, permutations=99)
    assert result.p_value == rank(largest)
    assert result.statistic == pytest.approx(largest[0].item(), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(20, 20), (30, 11)])
def test_energy_test_permutes_the_energy_distance(n, m):
    x, y = sample(n, 3), sample(m, 3, 1) + 0.4
    values = by_hand(x, y, energy_distance, 99, seed=5)
    result = energy_two_sample_test(x, y, generator=seeded(5), permutations=99)
    assert result.p_value == rank(values)
    expected = (values[0] - values.mean()) / values.std()
    assert result.statistic == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("shift", [0.0, 0.3, 0.45])
def test_energy_test_agrees_with_pted(shift):
    """Two permutation tests of one statistic: p-values differ by sampling alone."""
    x, y, draws = sample(40, 2), sample(40, 2, 1) + shift, 2000
    ours = energy_two_sample_test(x, y, generator=seeded(), permutations=draws).p_value
    theirs = pted(x.numpy(), y.numpy(), permutations=draws, two_tailed=False, rng=0)
    assert abs(ours - theirs) < 4.5 * math.sqrt(2 * ours * (1 - ours) / draws) + 2 / draws


@every_test
def test_the_form_does_not_depend_on_the_blocks(name, monkeypatch):
    x, y = sample(50, 3), sample(40, 3, 1) + 0.3
    whole = TESTS[name](x, y, generator=seeded())
    monkeypatch.setattr(two_sample, "_ROWS", 7)  # else so few points are one tile
    tiled = TESTS[name](x, y, generator=seeded())
    assert tiled.p_value == whole.p_value
    assert tiled.statistic == pytest.approx(whole.statistic, rel=1e-9)


@every_test
def test_level(name):
    """400 repetitions of an exact test: outside the bounds for one seed in 100,000."""
    generator, rejected = seeded(), 0
    for _ in range(400):
        x, y = samples.normal(15, 3, generator), samples.normal(20, 3, generator)
        result = TESTS[name](x, y, generator=generator, permutations=39)
        rejected += result.p_value <= 0.05
    low, high = binom.ppf([5e-6, 1 - 5e-6], 400, 0.05)
    assert low <= rejected <= high


@pytest.mark.parametrize(
    ("name", "alternative", "least"),
    [
        ("mmd", samples.scaled, 6),
        ("mmd", samples.quilt, 10),
        ("energy", samples.shifted, 5),
        ("energy", samples.quilt, 10),
    ],
)
def test_power(name, alternative, least):
    """Rejections of 10 with n = m = 500, D = 8; see the bounds as at least 2 below the mean."""
    generator, rejected = seeded(), 0
    for _ in range(10):
        x, y = alternative(500, 8, generator), samples.normal(500, 8, generator)
        rejected += TESTS[name](x, y, generator=generator, permutations=99).p_value <= 0.05
    assert rejected >= least


@every_test
@settings(deadline=None, max_examples=15)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 4), st.integers(0, 2**31))
def test_p_values_are_never_zero_and_equal_samples_have_the_largest(name, n, m, dimensions, seed):
    x, y = sample(n, dimensions, seed), sample(m, dimensions, seed + 1)
    p = TESTS[name](x, y, generator=seeded(seed), permutations=19).p_value
    assert 1 / 20 <= p <= 1
    assert TESTS[name](x, x.flip(0), generator=seeded(seed), permutations=19).p_value == 1


@every_test
def test_splits_that_tie_are_counted(name):
    """Two against two: a third of all splits is the observed one or its mirror image."""
    x = torch.tensor([[0.0], [0.1]], dtype=torch.float64)
    p = TESTS[name](x, x + 100.3, generator=seeded(), permutations=3000).p_value
    assert p == pytest.approx(1 / 3, abs=0.04)  # 4.6 standard deviations


@pytest.mark.parametrize("value", [0.0, 0.1, -1e9])
def test_samples_of_one_constant_do_not_differ(value):
    x = torch.full((9, 2), value, dtype=torch.float64)
    assert energy_two_sample_test(x, x[:5], generator=seeded()).p_value == 1
    result = mmd_two_sample_test(x, x[:5], generator=seeded(), bandwidths=[1.0])
    assert result.p_value == 1


@every_test
def test_randomness_comes_from_the_generator_alone(name):
    x, y = sample(20, 2), sample(20, 2, 1)
    first = TESTS[name](x, y, generator=seeded(3))
    torch.manual_seed(0)
    assert TESTS[name](x, y, generator=seeded(3)) == first
    assert TESTS[name](x, y, generator=seeded(4)) != first


MEMORY = """
import re, torch
from vaelib.stats.two_sample import energy_two_sample_test
generator = torch.Generator().manual_seed(0)
x, y = (torch.randn(10_000, 4, generator=generator) for _ in range(2))
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
before = peak()
energy_two_sample_test(x, y, generator=generator, permutations=200)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_ten_thousand_rows_each_take_less_than_half_a_gigabyte():
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True
    )
    assert 20e6 < int(done.stdout) * 1024 < 500e6  # the weights alone take 32 MB


# Sliced Wasserstein distance


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(("n", "m"), [(30, 30), (30, 47), (12, 36)])
def test_sliced_wasserstein_agrees_with_pot(n, m, order):
    x, y = sample(n, 4), 1.5 * sample(m, 4, 1) + 0.3
    directions = samples.normal(4, 50, seeded(7))
    directions = (directions / directions.norm(dim=0)).numpy()
    expected = ot.sliced_wasserstein_distance(x.numpy(), y.numpy(), projections=directions, p=order)
    value = sliced_wasserstein(x, y, generator=seeded(7), projections=50, order=order)
    assert value == pytest.approx(expected, rel=1e-7)


def test_sliced_wasserstein_in_one_dimension_is_that_of_scipy():
    x, y = sample(30, 1), 1.5 * sample(47, 1, 1)
    expected = wasserstein_distance(x[:, 0].numpy(), y[:, 0].numpy())
    assert sliced_wasserstein(x, y, generator=seeded(), order=1) == pytest.approx(expected)


@pytest.mark.parametrize("order", [1, 2])
def test_sliced_wasserstein_of_a_shift_is_what_slicing_leaves_of_it(order):
    x = sample(20, 5)
    value = sliced_wasserstein(
        x,
        x + torch.tensor([3.0, 0, 0, 0, 4.0]),
        generator=seeded(),
        projections=20_000,
        order=order,
    )
    expected = 5 * oracles.mean_absolute_cosine(5, order) ** (1 / order)
    assert value == pytest.approx(expected, rel=0.02)


def test_sliced_wasserstein_of_equal_samples_is_zero():
    x = sample(25, 3)
    assert sliced_wasserstein(x, x, generator=seeded()) == 0
    assert sliced_wasserstein(x, x.repeat(3, 1), generator=seeded()) == pytest.approx(0, abs=1e-12)


def test_sliced_wasserstein_is_symmetric_and_scales():
    x, y = sample(25, 3), sample(31, 3, 1) + 1
    value = sliced_wasserstein(x, y, generator=seeded())
    assert sliced_wasserstein(y, x, generator=seeded()) == pytest.approx(value)
    assert sliced_wasserstein(2 * x, 2 * y, generator=seeded()) == pytest.approx(2 * value)
    assert np.isfinite(value) and value > 0
