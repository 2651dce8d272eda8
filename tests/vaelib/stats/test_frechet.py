"""Fréchet distance: closed forms, torchmetrics, its bias and the coverage of its intervals."""

import pytest
import torch

from vaelib.stats.frechet import FeatureGaussians, frechet_distance, frechet_gaussians


def draws(n, d, *, seed=0, scale=1.0, shift=0.0, nets=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(nets, n, d, generator=generator, dtype=torch.float64)
    return x * scale + shift


def covariance(d, seed):
    root = draws(2 * d, d, seed=seed)[0]
    return root.T @ root / len(root)


def test_commuting_covariances_have_a_closed_form():
    a, b = torch.tensor([4.0, 1.0, 0.25]).double(), torch.tensor([1.0, 9.0, 0.0]).double()
    shift = torch.tensor([1.0, 2.0, 3.0]).double()
    distance = frechet_gaussians(torch.zeros(3).double(), a.diag(), shift, b.diag())
    expected = shift.square().sum() + (a.sqrt() - b.sqrt()).square().sum()
    assert float(distance) == pytest.approx(float(expected), abs=1e-12)


def test_it_agrees_with_the_trace_of_the_matrix_square_root():
    from scipy.linalg import sqrtm

    a, b = covariance(6, 1), covariance(6, 2)
    zero = torch.zeros(6).double()
    expected = (a + b).trace() - 2 * sqrtm((a @ b).numpy()).real.trace()
    assert float(frechet_gaussians(zero, a, zero, b)) == pytest.approx(float(expected), rel=1e-9)


def test_torchmetrics_agrees_on_the_same_features():
    from torchmetrics.image.fid import _compute_fid

    x, y = draws(300, 12, seed=1, scale=1.3), draws(310, 12, seed=2, shift=0.2)
    ours, theirs = FeatureGaussians(x), FeatureGaussians(y)
    for subset in (0, 1, 7, 30):
        one, two = (g.mean[subset, 0] for g in (ours, theirs))
        first, second = (g.covariance[subset, 0] for g in (ours, theirs))
        expected = float(_compute_fid(one, first, two, second))
        assert float(frechet_gaussians(one, first, two, second)) == pytest.approx(expected)


def test_moments_of_all_subsets_are_those_of_their_rows():
    x = draws(103, 4, nets=2, shift=50.0)
    gaussians = FeatureGaussians(x)
    group = torch.arange(103) * 20 // 103
    subsets = [group >= 0, group < 10, group >= 10, *(group != g for g in range(20))]
    subsets += [((group < 10) == (g < 10)) & (group != g) for g in range(20)]
    for place, rows in enumerate(subsets):
        for net in range(2):
            torch.testing.assert_close(gaussians.mean[place, net], x[net, rows].mean(0))
            torch.testing.assert_close(gaussians.covariance[place, net], x[net, rows].T.cov())


def test_singular_covariances_and_equal_samples_are_no_trouble():
    x = draws(60, 3)
    wide = torch.cat([x, x, torch.zeros(1, 60, 2)], 2).repeat(1, 1, 10)
    estimate = frechet_distance(FeatureGaussians(wide), FeatureGaussians(wide))
    assert estimate.value == pytest.approx(0, abs=1e-6)
    assert estimate.standard_error == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1.1, 0.1)])
def test_the_correction_removes_the_bias_and_the_interval_covers(scale, shift):
    """n = 360, d = 32: 60 samples; coverage of 95 % intervals below .85 has chance .002."""
    d, n = 32, 360
    truth = shift**2 + (scale - 1) ** 2  # per dimension, and tr C_real is d
    corrected, plain, hits = [], [], 0
    for seed in range(60):
        x = FeatureGaussians(draws(n, d, seed=2 * seed, scale=scale, shift=shift))
        y = FeatureGaussians(draws(n, d, seed=2 * seed + 1))
        value, error = frechet_distance(x, y)
        corrected.append(value)
        hits += abs(value - truth) < 2.1 * error
        raw = frechet_gaussians(x.mean[0], x.covariance[0], y.mean[0], y.covariance[0])
        plain.append(float(raw) / d)
    spread = torch.tensor(corrected).std() / 60**0.5
    assert abs(sum(corrected) / 60 - truth) < 4 * spread + 0.003
    assert sum(plain) / 60 - truth > 0.03  # what the correction is for
    assert hits >= 51


def test_the_scale_of_the_features_does_not_matter_and_nets_are_averaged():
    x, y = draws(100, 5, nets=2, scale=1.2), draws(100, 5, seed=1, nets=2)
    both = frechet_distance(FeatureGaussians(x), FeatureGaussians(y))
    each = [
        frechet_distance(FeatureGaussians(7 * x[i]), FeatureGaussians(7 * y[i])) for i in (0, 1)
    ]
    assert both.value == pytest.approx(sum(e.value for e in each) / 2)


def test_bad_input():
    with pytest.raises(ValueError, match="at least 40 rows, got 39"):
        FeatureGaussians(draws(39, 2))
    with pytest.raises(ValueError, match=r"same nets and dimensions, got \(1, 2\) and \(1, 3\)"):
        frechet_distance(FeatureGaussians(draws(50, 2)), FeatureGaussians(draws(50, 3)))
    with pytest.raises(ValueError, match="must vary"):
        frechet_distance(FeatureGaussians(draws(50, 2)), FeatureGaussians(torch.ones(50, 2)))
