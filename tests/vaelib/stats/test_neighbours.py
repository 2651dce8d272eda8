"""Precision, recall, density, coverage against prdc; coverage's null; authenticity by hand."""

import pytest
import torch

from vaelib.stats.neighbours import Balls, authenticity, expected_coverage, neighbour_shares


def draws(n, d, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(n, d, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.5])
def test_prdc_agrees_on_the_same_features(scale):
    from prdc import compute_prdc

    real, fake = draws(230, 6), draws(190, 6, 1, scale)
    expected = compute_prdc(real.numpy(), fake.numpy(), nearest_k=5)
    shares = neighbour_shares(fake, Balls(real))
    assert shares.keys() == expected.keys()
    for name, share in shares.items():
        assert share.value == pytest.approx(float(expected[name]), abs=1e-12), name
        assert 0 <= share.standard_error < 0.1


def test_nets_are_averaged():
    real, fake = draws(100, 4).view(1, 100, 4), draws(90, 4, 1).view(1, 90, 4)
    two = neighbour_shares(torch.cat([fake, 2 * fake]), Balls(torch.cat([real, real])))
    parts = [neighbour_shares(factor * fake, Balls(real)) for factor in (1, 2)]
    for name, share in two.items():
        assert share.value == pytest.approx(sum(p[name].value for p in parts) / 2)


def test_expected_coverage_when_the_distributions_agree():
    """200 samples; a deviation beyond 4 standard errors has chance 6e-5."""
    coverages = torch.tensor(
        [
            neighbour_shares(draws(80, 3, 2 * s), Balls(draws(60, 3, 2 * s + 1), 3))["coverage"]
            for s in range(200)
        ]
    )[:, 0]
    error = coverages.std() / len(coverages) ** 0.5
    assert abs(float(coverages.mean()) - expected_coverage(60, 80, 3)) < 4 * error


def test_authenticity_by_hand():
    training = torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]])
    # nearest 0 at .5 <= 1: a copy; nearest 2 at 3 <= 4: a copy; nearest 0 at 2 > 1: authentic
    generated = torch.tensor([[-0.5, 0.0], [8.0, 0.0], [0.0, -2.0]])
    assert authenticity(generated, training).value == pytest.approx(1 / 3)


def test_copies_are_not_authentic_and_fresh_points_are_in_about_half_of_the_cases():
    training = draws(400, 8)
    assert authenticity(training[:100], training).value == 0
    assert authenticity(training[:100] + 1e-9, training).value == 0
    fresh = authenticity(draws(400, 8, 1), training)
    assert abs(fresh.value - 0.5) < 0.15
    assert authenticity(draws(400, 8, 1, 2.0), training).value > fresh.value + 0.2


def test_repeated_points_have_no_ball():
    balls = Balls(torch.zeros(10, 2))
    assert neighbour_shares(torch.zeros(10, 2), balls)["precision"].value == 0
    assert float(balls.squared_radii.max()) == 0


def test_bad_input():
    with pytest.raises(ValueError, match="k must be from 1 to n - 1 = 4, got 5"):
        Balls(draws(5, 2))
    with pytest.raises(ValueError, match="same nets and dimensions"):
        neighbour_shares(draws(10, 2), Balls(draws(10, 3)))
    with pytest.raises(ValueError, match=r"got \(10, 2\) and \(10, 3\)"):
        authenticity(draws(10, 2), draws(10, 3))
