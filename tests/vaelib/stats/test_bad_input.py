"""One sweep over every statistic of samples: bad input is one sentence, never a number."""

import math

import pytest
import torch

from tests.vaelib.stats.samples import normal
from vaelib.stats import classifier, energy, kernels, mmd, stein, two_sample
from vaelib.stats.goodness_of_fit import GOODNESS_OF_FIT_TESTS
from vaelib.stats.nulls import NormalNull, Outcome

NULL = NormalNull(draws=19)
BANDWIDTHS = [1.0]


def seeded():
    return torch.Generator().manual_seed(0)


ONE_SAMPLE = {
    "median_bandwidth": kernels.median_bandwidth,
    "mmd_squared_normal": lambda z: mmd.mmd_squared_normal(z, BANDWIDTHS),
    "mmd_squared_normal_unbiased": lambda z: mmd.mmd_squared_normal_unbiased(z, BANDWIDTHS),
    "mmd_squared_mixture": lambda z: mmd.mmd_squared_mixture(z, torch.ones_like(z), BANDWIDTHS),
    "energy_distance_normal": energy.energy_distance_normal,
    "distance_to_normal": energy.distance_to_normal,
    "ksd_squared": lambda z: stein.ksd_squared(z, BANDWIDTHS),
    "classifier_prior_test": lambda z: classifier.classifier_prior_test(
        z, lambda n, generator: normal(n, z.shape[-1], generator), generator=seeded()
    ),
}
ONE_SAMPLE |= {n: lambda z, test=test: test(z, NULL) for n, test in GOODNESS_OF_FIT_TESTS.items()}
TWO_SAMPLE = {
    "mmd_squared": lambda x, y: mmd.mmd_squared(x, y, BANDWIDTHS),
    "mmd_squared_unbiased": lambda x, y: mmd.mmd_squared_unbiased(x, y, BANDWIDTHS),
    "energy_distance": energy.energy_distance,
    "mmd_two_sample_test": lambda x, y: two_sample.mmd_two_sample_test(x, y, generator=seeded()),
    "energy_two_sample_test": lambda x, y: two_sample.energy_two_sample_test(
        x, y, generator=seeded()
    ),
    "sliced_wasserstein": lambda x, y: two_sample.sliced_wasserstein(x, y, generator=seeded()),
    "classifier_test": lambda x, y: classifier.classifier_test(x, y, generator=seeded()),
}
TAKE_ONE_ROW = {"mmd_squared_mixture", "distance_to_normal"}

BANDWIDTH_TAKERS = {
    "mmd_squared": lambda h: mmd.mmd_squared(good(), good(), h),
    "mmd_squared_unbiased": lambda h: mmd.mmd_squared_unbiased(good(), good(), h),
    "mmd_squared_normal": lambda h: mmd.mmd_squared_normal(good(), h),
    "mmd_squared_normal_unbiased": lambda h: mmd.mmd_squared_normal_unbiased(good(), h),
    "mmd_squared_mixture": lambda h: mmd.mmd_squared_mixture(good(), good().abs(), h),
    "ksd_squared": lambda h: stein.ksd_squared(good(), h),
    "mmd_two_sample_test": lambda h: two_sample.mmd_two_sample_test(
        good(), good(), generator=seeded(), bandwidths=h
    ),
}


def good():
    return normal(20, 3, seeded())


def with_value(value):
    z = good()
    z[4, 1] = value
    return z


BAD = {
    "nan": (lambda: with_value(math.nan), "must be finite and below 1e.50 in size, got 1 NaN"),
    "infinite": (
        lambda: with_value(-math.inf),
        "must be finite and below 1e.50 in size, got 1 NaN",
    ),
    "too large": (lambda: with_value(1e50), "must be finite and below 1e.50 in size, got 1 NaN"),
    "half": (lambda: good().half(), "must be float32 or float64, got torch.float16"),
    "bfloat16": (lambda: good().bfloat16(), "must be float32 or float64, got torch.bfloat16"),
    "integer": (lambda: good().int(), "must be float32 or float64, got torch.int32"),
    "no rows": (lambda: good()[:0], r"must have shape \(n, D\)"),
    "no dimension": (lambda: good()[:, :0], r"must have shape \(n, D\)"),
    "a vector": (lambda: good()[:, 0], r"must have shape \(n, D\)"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", ONE_SAMPLE)
def test_one_sample(name, bad):
    value, message = BAD[bad]
    with pytest.raises(ValueError, match=message):
        ONE_SAMPLE[name](value())


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", TWO_SAMPLE)
def test_two_samples(name, bad):
    value, message = BAD[bad]
    with pytest.raises(ValueError, match=f"x {message}"):
        TWO_SAMPLE[name](value(), good())
    with pytest.raises(ValueError, match=f"y {message}"):
        TWO_SAMPLE[name](good(), value())


@pytest.mark.parametrize("name", ONE_SAMPLE.keys() - TAKE_ONE_ROW)
def test_one_row_is_no_sample(name):
    with pytest.raises(ValueError, match=r"with n >= \d.* got \(1, 3\)"):
        ONE_SAMPLE[name](good()[:1])


@pytest.mark.parametrize("name", TWO_SAMPLE)
def test_two_samples_share_a_space(name):
    with pytest.raises(ValueError, match=r"one D, got \(20, 3\) and \(20, 2\)"):
        TWO_SAMPLE[name](good(), good()[:, :2])
    with pytest.raises(ValueError, match=r"with n >= \d.* got \(1, 3\)"):
        TWO_SAMPLE[name](good(), good()[:1])


@pytest.mark.parametrize("name", [*ONE_SAMPLE, *TWO_SAMPLE])
def test_what_is_no_tensor_is_a_type_error(name):
    if name in TWO_SAMPLE:
        with pytest.raises(TypeError, match="x must be a torch.Tensor, got list"):
            TWO_SAMPLE[name]([[1.0]], good())
    elif name not in {"mmd_squared_mixture", "classifier_prior_test"}:
        with pytest.raises(TypeError, match="must be a torch.Tensor, got list"):
            ONE_SAMPLE[name]([[1.0]])


@pytest.mark.parametrize("name", BANDWIDTH_TAKERS)
@pytest.mark.parametrize("bandwidths", [[0.0], [1.0, -2.0], [math.nan], [math.inf], []])
def test_bandwidths_are_positive(name, bandwidths):
    with pytest.raises(ValueError, match="bandwidths? must"):
        BANDWIDTH_TAKERS[name](bandwidths)


@pytest.mark.parametrize("name", ["mmd_two_sample_test", "energy_two_sample_test"])
def test_two_sample_tests_take_one_set_and_enough_permutations(name):
    test = getattr(two_sample, name)
    with pytest.raises(ValueError, match="permutations must be at least 19"):
        test(good(), good(), generator=seeded(), permutations=18)
    with pytest.raises(ValueError, match=r"shapes \(n, D\) and \(m, D\)"):
        test(good()[None], good()[None], generator=seeded())


def test_sliced_wasserstein_checks_its_numbers():
    with pytest.raises(ValueError, match="projections must be at least 1, got 0"):
        two_sample.sliced_wasserstein(good(), good(), generator=seeded(), projections=0)
    for order in (0.5, math.nan, math.inf):
        with pytest.raises(ValueError, match="order must be finite and at least 1"):
            two_sample.sliced_wasserstein(good(), good(), generator=seeded(), order=order)


def test_mixtures_have_one_scale_per_mean_and_none_negative():
    with pytest.raises(ValueError, match="scale must not be negative, got min"):
        mmd.mmd_squared_mixture(good(), good(), BANDWIDTHS)
    for scale in (good()[:5], good()[:, :1]):
        with pytest.raises(ValueError, match="must share one shape"):
            mmd.mmd_squared_mixture(good(), scale.abs(), BANDWIDTHS)


@pytest.mark.parametrize("name", ONE_SAMPLE.keys() - {"classifier_prior_test"})
def test_one_sample_far_away_gives_numbers(name):
    check_finite(ONE_SAMPLE[name](with_value(9e49)))


@pytest.mark.parametrize("name", TWO_SAMPLE)
def test_two_samples_far_apart_give_numbers(name):
    check_finite(TWO_SAMPLE[name](with_value(9e49), good()))


def check_finite(value):
    if isinstance(value, Outcome):
        assert 0 < value.p_value <= 1
        value = value.statistic
    assert torch.as_tensor(value, dtype=torch.float64).isfinite().all()


@pytest.mark.parametrize("name", ONE_SAMPLE)
def test_inputs_are_not_edited_and_gradients_not_followed(name):
    z = good().requires_grad_()
    before = z.detach().clone()
    ONE_SAMPLE[name](z)
    assert torch.equal(z.detach(), before) and z.grad is None


@pytest.mark.parametrize("name", TWO_SAMPLE)
def test_both_inputs_are_not_edited(name):
    x, y = good(), 2 * good()
    copies = x.clone(), y.clone()
    TWO_SAMPLE[name](x, y)
    assert torch.equal(x, copies[0]) and torch.equal(y, copies[1])
