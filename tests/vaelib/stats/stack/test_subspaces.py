"""Directions in which z is not Gaussian are found, and a density on them is one on the space."""

import math

import torch
from torch.distributions import MultivariateNormal

from vaelib.seeding import stream
from vaelib.stats.stack.candidates import GaussianCandidate
from vaelib.stats.stack.subspaces import SubspaceCandidate, interesting_planes


def normal(rows, columns, seed):
    return torch.randn(rows, columns, generator=stream("plane", seed), dtype=torch.float64)


def turned(dimensions):
    return torch.linalg.qr(normal(dimensions, dimensions, 9)).Q


def test_a_plane_is_found_in_twelve_dimensions():
    """Eight clusters on a circle: their second direction shows only beside the first."""
    generator = stream("plane", 0)
    z = normal(3000, 12, 1)
    angle = torch.randint(8, (3000,), generator=generator) * (math.pi / 4)
    z[:, :2] = 1.35 * torch.stack([angle.cos(), angle.sin()], 1) + 0.3 * z[:, :2]
    turn = turned(12)
    plane = interesting_planes(z @ turn.T, generator)["a direction and its partner"]
    assert float(torch.linalg.svdvals(turn[:, :2].T @ plane).min()) > 0.98
    torch.testing.assert_close(plane.T @ plane, torch.eye(2, dtype=torch.float64))


def test_two_bimodal_directions_are_found():
    z = normal(3000, 10, 2)
    z[:, :2] = 0.4 * z[:, :2] + 0.9 * normal(3000, 2, 3).sign()
    turn = turned(10)
    plane = interesting_planes(z @ turn.T, stream("plane", 4))["2 directions"]
    assert float(torch.linalg.svdvals(turn[:, :2].T @ plane).min()) > 0.98


def test_a_gaussian_on_directions_is_the_gaussian_of_the_space():
    directions = turned(4)[:, :2]
    inner = torch.tensor([[2.0, 0.5], [0.5, 0.3]], dtype=torch.float64)
    candidate = SubspaceCandidate(directions, GaussianCandidate(torch.zeros(2).double(), inner))
    beside = torch.eye(4).double() - directions @ directions.T
    covariance = directions @ inner @ directions.T + beside
    z = 2 * normal(100, 4, 5)
    exact = MultivariateNormal(torch.zeros(4).double(), covariance).log_prob(z)
    torch.testing.assert_close(candidate.log_prob(z), exact)
    drawn = candidate.sample(20_000, stream("plane", 6))
    torch.testing.assert_close(torch.cov(drawn.T), covariance, atol=0.07, rtol=0)
