import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import norm

from tests import oracles
from tests.vaelib.stats.samples import normal
from vaelib.stats import mmd
from vaelib.stats.kernels import KERNELS, bandwidth_grid


def sample(n, dimensions, seed=0):
    return normal(n, dimensions, torch.Generator().manual_seed(seed))


def kernel_matrix(x, y, h):
    return np.exp(-cdist(x, y, "sqeuclidean") / (2 * h**2))


def mmd_by_characteristic_functions(characteristic, dimensions, h, nodes=60):
    """∫ |φ(t) - exp(-|t|²/2)|² N(t; 0, I/h²) dt: Bochner's form of the MMD² to N(0, I)."""
    node, weight = np.polynomial.hermite_e.hermegauss(nodes)
    grid = np.stack(np.meshgrid(*[node / h] * dimensions, indexing="ij"), -1)
    weights = np.prod(np.meshgrid(*[weight / weight.sum()] * dimensions, indexing="ij"), 0)
    target = np.exp(-(grid**2).sum(-1) / 2)
    return (weights * np.abs(characteristic(grid) - target) ** 2).sum()


@pytest.mark.parametrize("dimensions", [1, 2, 8, 64])
@pytest.mark.parametrize("v", [0.5, 1.0, 2.0])
def test_mixture_of_one_scaled_normal_has_its_closed_form(v, dimensions):
    bandwidths = (1.0, *bandwidth_grid(dimensions))
    mean = torch.zeros(1, dimensions, dtype=torch.float64)
    values = mmd.mmd_squared_mixture(mean, torch.full_like(mean, v**0.5), bandwidths)
    expected = [oracles.mmd_squared_scaled_normal(v, dimensions, h) for h in bandwidths]
    assert np.allclose(values, expected, rtol=1e-10, atol=1e-14)


def test_doubled_variance_in_two_dimensions_is_one_thirtieth():
    mean = torch.zeros(3, 2, dtype=torch.float64)
    assert mmd.mmd_squared_mixture(mean, torch.full_like(mean, 2**0.5), [1.0]) == pytest.approx(
        1 / 30
    )


def test_mixture_of_one_shifted_normal_has_its_closed_form():
    mean = torch.tensor([[0.3, -0.4, 0.0]], dtype=torch.float64)
    value = mmd.mmd_squared_mixture(mean, torch.ones_like(mean), [0.8])
    assert value.item() == pytest.approx(oracles.mmd_squared_shifted_normal(0.5, 3, 0.8))


def test_mixture_agrees_with_characteristic_functions():
    mean, scale, h = sample(5, 2), 0.2 + sample(5, 2, 1).abs(), 1.3

    def characteristic(t):
        phase = t @ mean.numpy().T
        decay = (t**2) @ (scale.numpy() ** 2).T / 2
        return np.exp(1j * phase - decay).mean(-1)

    expected = mmd_by_characteristic_functions(characteristic, 2, h)
    assert mmd.mmd_squared_mixture(mean, scale, [h]).item() == pytest.approx(expected, rel=1e-9)


def test_points_agree_with_characteristic_functions():
    z, h = sample(6, 2), 1.5
    expected = mmd_by_characteristic_functions(
        lambda t: np.exp(1j * (t @ z.numpy().T)).mean(-1), 2, h
    )
    assert mmd.mmd_squared_normal(z, [h]).item() == pytest.approx(expected, rel=1e-9)


def test_mixture_without_width_is_a_set_of_points():
    z, bandwidths = sample(700, 3), [0.3, 1.0, 5.0]
    mixture = mmd.mmd_squared_mixture(z, torch.zeros_like(z), bandwidths)
    assert torch.allclose(mixture, mmd.mmd_squared_normal(z, bandwidths), rtol=1e-9)


def test_mixture_does_not_depend_on_the_blocks(monkeypatch):
    mean, scale = sample(50, 3), sample(50, 3, 1).abs()
    whole = mmd.mmd_squared_mixture(mean, scale, [0.5, 2.0])
    monkeypatch.setattr(mmd, "_TILE", 1000)  # 6 rows
    assert torch.allclose(mmd.mmd_squared_mixture(mean, scale, [0.5, 2.0]), whole, rtol=1e-12)


def test_mean_of_the_biased_form_is_its_bias_and_of_the_unbiased_form_zero():
    z, bandwidths = sample(4000 * 20, 4).reshape(4000, 20, 4), bandwidth_grid(4)
    expected = torch.tensor([oracles.mean_biased_mmd_squared(20, 4, h) for h in bandwidths])
    for values, mean in (
        (mmd.mmd_squared_normal(z, bandwidths), expected),
        (mmd.mmd_squared_normal_unbiased(z, bandwidths), torch.zeros(5)),
    ):
        error = values.std(0) / math.sqrt(4000)
        assert ((values.mean(0) - mean).abs() < 4.5 * error).all()  # fails once in 30,000 seeds


@pytest.mark.parametrize("name", KERNELS)
def test_two_sample_forms_are_their_definitions(name):
    x, y, kernel = sample(30, 3), sample(41, 3, 1) + 0.4, KERNELS[name]

    def matrix(a, b):
        return kernel(torch.from_numpy(cdist(a, b, "sqeuclidean")), 0.9)

    kxx, kyy, kxy = matrix(x, x), matrix(y, y), matrix(x, y).mean()
    biased = kxx.mean() + kyy.mean() - 2 * kxy
    unbiased = (kxx.sum() - 30) / (30 * 29) + (kyy.sum() - 41) / (41 * 40) - 2 * kxy
    assert mmd.mmd_squared(x, y, [0.9], kernel=kernel).item() == pytest.approx(biased.item())
    value = mmd.mmd_squared_unbiased(x, y, [0.9], kernel=kernel).item()
    assert value == pytest.approx(unbiased.item())


def test_one_sample_form_is_the_limit_of_the_two_sample_form():
    z = 1.5 * sample(50, 1)
    prior = torch.from_numpy(norm.ppf((np.arange(4000) + 0.5) / 4000))[:, None]
    limit = mmd.mmd_squared_normal(z, [1.0, 3.0])
    assert torch.allclose(mmd.mmd_squared(z, prior, [1.0, 3.0]), limit, atol=1e-4)


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 30), st.integers(2, 30), st.integers(1, 6), st.integers(0, 2**31))
def test_invariances(n, m, dimensions, seed):
    x, y, h = sample(n, dimensions, seed), sample(m, dimensions, seed + 1) + 1, [0.5, 1.0]
    rotation = torch.linalg.qr(sample(dimensions, dimensions, seed + 2)).Q
    for form in (mmd.mmd_squared, mmd.mmd_squared_unbiased):
        value = form(x, y, h)
        assert torch.allclose(form(y, x, h), value, atol=1e-12)
        assert torch.allclose(form(x @ rotation + 2, y @ rotation + 2, h), value, atol=1e-12)
        assert torch.allclose(form(x.flip(0), y, h), value, atol=1e-12)
        assert torch.allclose(form(3 * x, 3 * y, [1.5, 3.0]), value, atol=1e-12)
    for form in (mmd.mmd_squared_normal, mmd.mmd_squared_normal_unbiased):
        value = form(x, h)
        assert torch.allclose(form(x @ rotation, h), value, atol=1e-12)
        assert torch.allclose(form(x.flip(0), h), value, atol=1e-12)
    assert (mmd.mmd_squared(x, x.flip(0), h) < 1e-14).all()
    assert (mmd.mmd_squared(x, y, h) >= 0).all()
    assert (mmd.mmd_squared_normal(x, h) >= 0).all()


def test_float32_is_computed_in_float64():
    z = sample(40, 3).float()
    assert torch.equal(mmd.mmd_squared_normal(z, [1.0]), mmd.mmd_squared_normal(z.double(), [1.0]))
    assert mmd.mmd_squared_normal(z, [1.0]).dtype == torch.float64


def test_far_points_do_not_underflow():
    z = sample(10, 2) * 1e6
    expected = 1 / 10 + (0.01 / 2.01) ** 1  # each point meets itself alone; no mass of the prior
    assert mmd.mmd_squared_normal(z, [0.1]).item() == pytest.approx(expected)
