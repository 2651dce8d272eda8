import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.spatial.distance import cdist
from scipy.stats import chi, chi2, ncx2, norm

from tests import oracles
from tests.vaelib.stats.samples import normal
from vaelib.stats.energy import (
    _distance_by_quadrature,
    distance_to_normal,
    energy_distance,
    energy_distance_normal,
)


def sample(n, dimensions, seed=0):
    return normal(n, dimensions, torch.Generator().manual_seed(seed))


def point(norm, dimensions):
    z = torch.zeros(1, dimensions, dtype=torch.float64)
    z[0, -1] = norm
    return z


def test_two_sample_form_is_that_of_the_mean_distances_of_scipy():
    x, y = sample(60, 3), 1.5 * sample(41, 3, 1) + 0.2
    across, within_x, within_y = (cdist(*pair).mean() for pair in [(x, y), (x, x), (y, y)])
    expected = 2 * across - within_x - within_y
    assert energy_distance(x, y).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("norm", [0.0, 0.3, 2.0, 10.0, 1e3])
def test_distance_of_a_number_to_a_normal_is_that_of_the_folded_normal(norm):
    expected = math.sqrt(2 / math.pi) * math.exp(-(norm**2) / 2)
    expected += norm * math.erf(norm / math.sqrt(2))
    assert distance_to_normal(point(norm, 1)).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dimensions", [2, 3, 8, 64, 65, 100, 256, 1000])
@pytest.mark.parametrize("norm", [0.0, 0.5, 5.0, 14.0, 20.0, 40.0])
def test_distance_of_a_point_to_a_normal_is_a_mean_over_the_noncentral_chi_law(norm, dimensions):
    law = ncx2(dimensions, norm**2) if norm else chi2(dimensions)
    low, high = (float(q) for q in law.ppf([1e-15, 1 - 1e-15]))
    expected, _ = quad(lambda v: math.sqrt(v) * law.pdf(v), low, high, limit=200, epsabs=1e-12)
    assert distance_to_normal(point(norm, dimensions)).item() == pytest.approx(expected, rel=1e-9)


def test_both_ways_to_compute_a_distance_agree():
    z = sample(200, 60) * torch.linspace(0, 5, 200)[:, None]
    quadrature = _distance_by_quadrature(z.square().sum(1), 60)
    assert torch.allclose(quadrature, distance_to_normal(z), rtol=1e-11)


@pytest.mark.parametrize("dimensions", [1, 2, 8, 80])
@pytest.mark.parametrize("v", [0.5, 1.0, 2.0])
def test_mean_over_a_scaled_normal_gives_its_energy_distance(v, dimensions):
    """2 E|a - Y| - E|a - a'| - E|Y - Y'| with a = √v R u: the mean over the radius R."""
    radius, weight = np.polynomial.legendre.leggauss(200)
    top = float(chi(dimensions).ppf(1 - 1e-15))
    radius, weight = (radius + 1) * top / 2, weight * top / 2
    z = torch.zeros(200, dimensions, dtype=torch.float64)
    z[:, 0] = torch.from_numpy(math.sqrt(v) * radius)
    cross = (distance_to_normal(z).numpy() * weight * chi(dimensions).pdf(radius)).sum()
    radii = (math.sqrt(2 * v) + math.sqrt(2)) * oracles.mean_norm(dimensions)
    value = 2 * cross - radii
    expected = oracles.energy_distance_scaled_normal(v, dimensions)
    assert value == pytest.approx(expected, abs=1e-9)


def test_one_sample_form_is_its_definition():
    z = sample(70, 3) + 0.3
    within = torch.cdist(z, z).mean()
    constant = math.sqrt(2) * oracles.mean_norm(3)
    expected = 2 * distance_to_normal(z).mean() - within - constant
    assert energy_distance_normal(z).item() == pytest.approx(expected.item(), rel=1e-9)


def test_one_sample_form_is_the_limit_of_the_two_sample_form():
    z = 1.5 * sample(50, 1)
    prior = torch.from_numpy(norm.ppf((np.arange(4000) + 0.5) / 4000))[:, None]
    limit = energy_distance_normal(z).item()
    assert energy_distance(z, prior).item() == pytest.approx(limit, abs=1e-4)


def test_a_batch_holds_the_values_of_its_sets():
    z = sample(4 * 30, 3).reshape(4, 30, 3)
    alone = torch.stack([energy_distance_normal(points) for points in z])
    assert torch.allclose(energy_distance_normal(z), alone, rtol=1e-10)


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 30), st.integers(2, 30), st.integers(1, 6), st.integers(0, 2**31))
def test_invariances(n, m, dimensions, seed):
    x, y = sample(n, dimensions, seed), sample(m, dimensions, seed + 1) + 1
    rotation = torch.linalg.qr(sample(dimensions, dimensions, seed + 2)).Q
    value = energy_distance(x, y)
    assert value >= 0
    assert torch.allclose(energy_distance(y, x), value, atol=1e-9)
    assert torch.allclose(energy_distance(x @ rotation - 3, y @ rotation - 3), value, atol=1e-9)
    assert torch.allclose(energy_distance(x.flip(0), y), value, atol=1e-9)
    assert torch.allclose(energy_distance(2 * x, 2 * y), 2 * value, atol=1e-9)
    assert energy_distance(x, x.flip(0)) < 1e-7
    assert torch.allclose(energy_distance_normal(x @ rotation), energy_distance_normal(x))
