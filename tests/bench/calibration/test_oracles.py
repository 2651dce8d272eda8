"""The oracles against each other, where two of them know the same value."""

import math

import numpy as np
import pytest

from bench.calibration import oracles


def test_a_mixture_of_one_is_a_gaussian():
    mean, scale = np.array([0.7]), np.array([0.2])
    assert oracles.kl_of_mixture(mean, scale) == pytest.approx(oracles.kl_normal(mean, scale))
    wide = np.array([0.0]), np.array([math.sqrt(2)])
    assert oracles.kl_of_mixture(*wide) == pytest.approx(oracles.kl_scaled_normal(2, 1))


def test_a_grid_of_means_is_as_far_as_both_axes():
    x, y = np.array([-1.0, 0.4]), np.array([0.2, 0.9, 2.0])
    mean = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    sides = [oracles.kl_of_mixture(axis, np.full(len(axis), 0.4)) for axis in (x, y)]
    joint = oracles.kl_on_plane(mean, np.full(mean.shape, 0.4))
    assert joint == pytest.approx(sum(sides), abs=1e-9)


def test_the_rate_of_two_is_information_and_divergence():
    mean, scale = np.array([-0.5, 0.9]), np.array([0.6, 0.6])
    rate = np.mean([oracles.kl_normal(mean[i : i + 1], scale[:1]) for i in range(2)])
    information = oracles.information_of_two(1.4 / 0.6)
    assert rate - information == pytest.approx(oracles.kl_of_mixture(mean, scale), abs=1e-8)
    assert oracles.information_of_two(0) == pytest.approx(0, abs=1e-12)
    assert oracles.information_of_two(30) == pytest.approx(math.log(2))


def test_leaving_out_one_of_two_is_the_other():
    mean, scale = np.array([-0.5, 0.9]), np.array([0.6, 0.6])
    rate = np.mean([oracles.kl_normal(mean[i : i + 1], scale[:1]) for i in range(2)])
    between = (1.4 / 0.6) ** 2 / 2  # KL of one component from the other
    assert oracles.leave_one_out_of_mixture(mean, scale) == pytest.approx(rate - between)


@pytest.mark.parametrize("dimensions", [1, 8])
def test_the_null_of_two_against_simulation(dimensions):
    rng, scale = np.random.default_rng(0), 0.5
    means = math.sqrt(1 - scale**2) * rng.normal(size=(2000, 2, dimensions))
    distances = np.linalg.norm(means[:, 0] - means[:, 1], axis=1) / scale
    rates = -dimensions * math.log(scale)
    found = rates - np.array([oracles.information_of_two(d) for d in distances])
    error = found.std() / math.sqrt(len(found))
    assert abs(found.mean() - oracles.null_of_two(scale, dimensions)) < 4 * error


def test_holes_of_a_match_are_order_statistics():
    assert oracles.hole_mass_scaled_normal(1.0, 2, 199) == pytest.approx(2 / 200)
    assert oracles.hole_mass_scaled_normal(1.0, 8, 999) == pytest.approx(10 / 1000)
    assert oracles.hole_mass_scaled_normal(0.5, 2, 999) > 0.05


def test_the_density_of_pca_by_hand():
    x, loadings = np.array([[1.0, -2.0]]), np.array([[1.0], [0.0]])
    log = -0.5 * (1 / 1.25 + 4 / 0.25) - math.log(2 * math.pi) - 0.5 * math.log(1.25 * 0.25)
    assert oracles.ppca_log_likelihood(x, loadings, 0.5) == pytest.approx(log)
