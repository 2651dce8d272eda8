"""The MMD of features: against the plain estimator, and the error against repetition."""

import pytest
import torch

from vaelib.stats.image_mmd import KernelReference, image_mmd
from vaelib.stats.kernels import median_bandwidth
from vaelib.stats.mmd import mmd_squared_unbiased


def draws(n, d, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(n, d, generator=generator, dtype=torch.float64)


def test_it_is_the_unbiased_mmd_at_the_bandwidth_of_the_real_features():
    real, fake = draws(130, 4), draws(117, 4, 1, 1.2)
    expected = mmd_squared_unbiased(fake, real, [median_bandwidth(real)])
    assert image_mmd(fake, KernelReference(real)).value == pytest.approx(float(expected))


def test_the_error_is_that_of_the_estimate_without_each_group():
    real, fake = draws(100, 3), draws(100, 3, 1)
    reference = KernelReference(real)
    group = torch.arange(100) // 5
    without = torch.stack(
        [
            mmd_squared_unbiased(fake[group != g], real[group != g], reference.bandwidths)[0]
            for g in range(20)
        ]
    )
    expected = (19 * without.var(correction=0)).sqrt()
    assert image_mmd(fake, reference).standard_error == pytest.approx(float(expected))


def test_the_error_matches_the_spread_and_the_value_is_not_clipped():
    """60 samples: the ratio leaves (.75, 1.33) with chance below .002."""
    estimates = [
        image_mmd(draws(120, 4, s, 1.3), KernelReference(draws(120, 4, 1000 + s)))
        for s in range(60)
    ]
    values, errors = torch.tensor(estimates).T
    assert 0.75 < float(errors.square().mean().sqrt() / values.std()) < 1.33
    null = [
        image_mmd(draws(60, 4, s), KernelReference(draws(60, 4, 99 + s))).value for s in range(40)
    ]
    assert 5 < sum(value < 0 for value in null) < 35


def test_bad_input():
    with pytest.raises(ValueError, match="same nets and dimensions"):
        image_mmd(draws(50, 2), KernelReference(draws(50, 3)))
    with pytest.raises(ValueError, match="at least 40 rows"):
        KernelReference(draws(30, 3))
