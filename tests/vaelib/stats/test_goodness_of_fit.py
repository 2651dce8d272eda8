import math
from contextlib import suppress

import numpy as np
import pingouin
import pytest
import torch
from scipy.stats import betabinom, kstest

from tests import oracles
from tests.vaelib.stats import samples
from vaelib.numerics import pairs
from vaelib.stats import goodness_of_fit, nulls
from vaelib.stats.goodness_of_fit import (
    GOODNESS_OF_FIT_TESTS,
    henze_zirkler_test,
    ks_test,
    likelihood_ratio_test,
    mardia_test,
    mmd_test,
)
from vaelib.stats.kernels import bandwidth_grid
from vaelib.stats.mmd import mmd_squared_normal
from vaelib.stats.nulls import NormalNull

FEW = NormalNull(draws=199)
AFFINE_INVARIANT = {"henze_zirkler_test", "mardia_test"}
NEEDS_COVARIANCE = AFFINE_INVARIANT | {"likelihood_ratio_test"}
COORDINATES_MATTER = {"ks_test"}

every_test = pytest.mark.parametrize("name", GOODNESS_OF_FIT_TESTS)


def sample(n, dimensions, seed=0):
    return samples.normal(n, dimensions, torch.Generator().manual_seed(seed))


def standardized(n, dimensions):
    """A sample whose mean is 0 and whose covariance, divided by n, is I."""
    z = sample(n, dimensions)
    return torch.linalg.qr(z - z.mean(0)).Q * math.sqrt(n)


def rejections(name, alternative, n, dimensions, repetitions, null=FEW):
    generator = torch.Generator().manual_seed(1)
    test = GOODNESS_OF_FIT_TESTS[name]
    drawn = (alternative(n, dimensions, generator) for _ in range(repetitions))
    return sum(test(z, null).p_value <= 0.05 for z in drawn)


# Values


def test_likelihood_ratio_is_twice_n_times_the_kl_divergence():
    z = standardized(80, 3)
    assert likelihood_ratio_test(z, FEW).statistic == pytest.approx(0, abs=1e-9)
    doubled = likelihood_ratio_test(math.sqrt(2) * z, FEW)
    assert doubled.statistic == pytest.approx(2 * 80 * oracles.kl_scaled_normal(2, 3))
    shifted = likelihood_ratio_test(z + torch.tensor([0.3, 0.0, -0.4]), FEW)
    assert shifted.statistic == pytest.approx(80 * 0.25)


def test_likelihood_ratio_null_is_nearly_chi_squared():
    likelihood_ratio_test(sample(500, 3), NormalNull())
    # A test does not give its null draws away: they are where it keeps them.
    key = next(k for k in nulls._MEMORY if k[:3] == ("likelihood-ratio", 500, 3) and k[4] == 999)
    draws = nulls._MEMORY[key][:, 0]
    assert kstest(draws.numpy(), "chi2", args=(9,)).pvalue > 1e-3


@pytest.mark.parametrize(("n", "dimensions"), [(30, 2), (200, 5)])
def test_henze_zirkler_agrees_with_pingouin(n, dimensions):
    z = samples.quilt(n, dimensions, torch.Generator().manual_seed(0), spread=0.8)
    expected = pingouin.multivariate_normality(z.numpy()).hz
    assert henze_zirkler_test(z, FEW).statistic == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("elements", [1 << 22, 700])
@pytest.mark.parametrize("dimensions", [3, 7, 8, 12])  # 8² > 60: by pairs, in blocks or at once
def test_mardia_is_its_definition(dimensions, elements, monkeypatch):
    monkeypatch.setattr(pairs, "_TILE", elements)
    z = sample(60, dimensions).numpy()
    centered = z - z.mean(0)
    products = centered @ np.linalg.inv(centered.T @ centered / 60) @ centered.T
    skewness, kurtosis = (products**3).mean(), (np.diag(products) ** 2).mean()
    # The test itself standardises both by draws, which hides a wrong constant.
    values = goodness_of_fit._skewness_and_kurtosis(torch.from_numpy(z))
    assert [float(v) for v in values] == pytest.approx([skewness, kurtosis], rel=1e-10)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((0, 3), "^n must be"),
        ((60, 0), "^dimensions must be"),
        ((6.5, 3), "^n must be"),
        ((60, 3, 199), "^null must be"),
    ],
)
def test_sizes_and_nulls_that_are_none_are_refused(arguments, said):
    with pytest.raises((TypeError, ValueError), match=said):
        goodness_of_fit.panel_nulls(*arguments)


@pytest.mark.parametrize(("n", "dimensions"), [(60, 3), (8, 20), (120, 100)])
def test_nulls_of_the_panel_are_those_that_its_tests_ask_for(n, dimensions, monkeypatch):
    monkeypatch.setattr(nulls, "_MEMORY", {})
    null = NormalNull(draws=19)
    goodness_of_fit.panel_nulls(n, dimensions, null)
    drawn = dict(nulls._MEMORY)
    for test in GOODNESS_OF_FIT_TESTS.values():
        with suppress(ValueError):
            test(sample(n, dimensions), null)
    assert nulls._MEMORY.keys() == drawn.keys()  # nothing is drawn alone
    nulls._MEMORY.clear()
    for test in GOODNESS_OF_FIT_TESTS.values():
        with suppress(ValueError):
            test(sample(n, dimensions), null)
    assert nulls._MEMORY.keys() == drawn.keys()  # and nothing in vain
    assert all(torch.equal(nulls._MEMORY[key], draws) for key, draws in drawn.items())


def test_the_panel_computes_distances_and_decompositions_once_for_each_sample(monkeypatch):
    made, decompose, within = [], torch.geqrf, pairs.tiles_within
    monkeypatch.setattr(nulls, "_MEMORY", {})
    monkeypatch.setattr(pairs, "tiles_within", lambda x: made.append("tiles") or within(x))
    monkeypatch.setattr(torch, "geqrf", lambda x: made.append("QR") or decompose(x))
    goodness_of_fit.panel_nulls(260, 20, NormalNull(draws=19))  # as many batches as draws
    assert made.count("tiles") == 2 * 19  # of the points, and of the white ones
    assert made.count("QR") == 19


def test_mardia_sees_light_tails_as_well_as_heavy_ones():
    uniform = torch.rand(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert mardia_test(uniform, FEW).p_value == 1 / 200
    assert mardia_test(torch.special.ndtri(uniform) ** 3, FEW).p_value == 1 / 200


def test_ks_agrees_with_scipy_and_corrects_after_holm():
    z = sample(70, 4) * torch.tensor([1.0, 1.5, 1.0, 2.0])
    reference = [kstest(column, "norm") for column in z.T.numpy()]
    raw = sorted((r.pvalue, j) for j, r in enumerate(reference))
    adjusted, largest = [0.0] * 4, 0.0
    for rank, (p, j) in enumerate(raw):
        largest = max(largest, min(1, (4 - rank) * p))
        adjusted[j] = largest
    result = ks_test(z)
    assert result.per_dimension == pytest.approx(adjusted, rel=1e-9)
    assert result.p_value == min(result.per_dimension)
    assert result.statistic == pytest.approx(max(r.statistic for r in reference))


def test_ks_of_far_points_is_positive():
    assert 0 < ks_test(torch.full((5000, 2), 1e3)).p_value < 1e-300


def test_mmd_null_has_its_known_mean():
    mmd_test(sample(40, 3), NormalNull())
    # A test does not give its null draws away: they are where it keeps them.
    key = next(k for k in nulls._MEMORY if k[:3] == ("mmd", 40, 3) and k[4] == 999)
    draws, grid = nulls._MEMORY[key], bandwidth_grid(3)
    expected = [40 * oracles.mean_biased_mmd_squared(40, 3, h) for h in grid]
    error = draws.std(0) / math.sqrt(999)
    assert ((draws.mean(0) - torch.tensor(expected)).abs() < 5 * error).all()


def test_mmd_statistic_is_the_largest_standardized_one():
    z, grid = 1.5 * sample(40, 3), bandwidth_grid(3)
    result = mmd_test(z, FEW)
    # A test does not give its null draws away: they are where it keeps them.
    key = next(k for k in nulls._MEMORY if k[:3] == ("mmd", 40, 3) and k[4] == 199)
    draws = nulls._MEMORY[key]
    values = (40 * mmd_squared_normal(z, grid) - draws.mean(0)) / draws.std(0)
    assert result.statistic == pytest.approx(values.max().item())


# Under the null


@every_test
def test_level(name):
    """The share of rejections, given 999 null draws, is Beta(50, 950): beta-binomial bounds.

    They fail for one seed in 100,000 and test; the Kolmogorov–Smirnov test is discrete in Holm's
    correction, and a little below its level.
    """
    low, high = betabinom.ppf([5e-6, 1 - 5e-6], 400, 50, 950)
    assert low <= rejections(name, samples.normal, 40, 3, 400, NormalNull()) <= high


@every_test
def test_level_with_float32_rows_and_one_dimension(name):
    def normal(n, dimensions, generator):
        return torch.randn(n, dimensions, generator=generator)

    low, high = betabinom.ppf([5e-6, 1 - 5e-6], 200, 10, 190)
    assert low <= rejections(name, normal, 25, 1, 200) <= high


@every_test
def test_the_same_rows_give_the_same_outcome_and_any_order_of_rows_too(name):
    z, test = sample(60, 3), GOODNESS_OF_FIT_TESTS[name]
    result = test(z, FEW)
    assert test(z.clone(), FEW) == result
    flipped = test(z.flip(0), FEW)
    assert flipped.statistic == pytest.approx(result.statistic)
    assert flipped.p_value == pytest.approx(result.p_value)
    assert 0 < result.p_value <= 1


@pytest.mark.parametrize("name", sorted(GOODNESS_OF_FIT_TESTS.keys() - COORDINATES_MATTER))
def test_rotations_change_nothing(name):
    z, test = sample(60, 3), GOODNESS_OF_FIT_TESTS[name]
    rotated = test(z @ torch.linalg.qr(sample(3, 3, 1)).Q, FEW)
    assert rotated.statistic == pytest.approx(test(z, FEW).statistic)
    assert rotated.p_value == test(z, FEW).p_value


def test_rotations_matter_to_the_dimensions():
    z = samples.quilt(300, 2, torch.Generator().manual_seed(0))
    assert ks_test(z @ torch.linalg.qr(sample(2, 2, 1)).Q).statistic != ks_test(z).statistic


def test_beyond_a_thousand_rows_only_quadratic_nulls_are_drawn_with_fewer(monkeypatch):
    drawn = {}

    def of(self, name, statistic, rows, dimensions, parameters=()):
        drawn[name] = rows
        return statistic(torch.randn(self.draws, 10, dimensions, dtype=torch.float64))

    monkeypatch.setattr(NormalNull, "of", of)
    for test in GOODNESS_OF_FIT_TESTS.values():
        test(sample(1200, 2), FEW)
    exact, capped = {"likelihood-ratio", "mardia"}, {"mmd", "henze-zirkler", "ksd", "energy"}
    assert drawn == dict.fromkeys(exact, 1200) | dict.fromkeys(capped, 1000)


# Under alternatives, n = 500 and D = 8: rejections of 20 repetitions


SEES = {
    ("mmd_test", samples.scaled): 20,
    ("mmd_test", samples.shifted): 17,
    ("mmd_test", samples.correlated): 9,
    ("mmd_test", samples.quilt): 20,
    ("likelihood_ratio_test", samples.scaled): 20,
    ("likelihood_ratio_test", samples.shifted): 14,
    ("likelihood_ratio_test", samples.correlated): 20,
    ("henze_zirkler_test", samples.quilt): 20,
    ("mardia_test", samples.quilt): 20,
    ("ks_test", samples.shifted): 9,
    ("ks_test", samples.quilt): 15,
    ("ks_test", samples.doubled_variance): 20,
    ("ksd_test", samples.scaled): 10,
    ("ksd_test", samples.shifted): 18,
    ("ksd_test", samples.correlated): 9,
    ("ksd_test", samples.quilt): 20,
    ("energy_test", samples.scaled): 16,
    ("energy_test", samples.shifted): 17,
    ("energy_test", samples.quilt): 20,
}


@pytest.mark.parametrize(
    ("name", "alternative", "least"), [(*key, least) for key, least in SEES.items()]
)
def test_power(name, alternative, least):
    """The bounds lie at least 3 binomial standard deviations below the power measured."""
    assert rejections(name, alternative, 500, 8, 20) >= least


@pytest.mark.parametrize("name", sorted(AFFINE_INVARIANT))
def test_shape_tests_are_blind_to_any_gaussian(name):
    z, test = sample(200, 3), GOODNESS_OF_FIT_TESTS[name]
    result = test(z, FEW)
    for other in (math.sqrt(2) * z, 1e-3 * z + 7, z @ sample(3, 3, 1)):
        blind = test(other, FEW)
        assert blind.statistic == pytest.approx(result.statistic, rel=1e-6)
        assert blind.p_value == result.p_value


def test_likelihood_ratio_is_blind_to_shape():
    """Its power against a quilt is at most about twice its level (measured: .10)."""
    assert rejections("likelihood_ratio_test", samples.quilt, 500, 8, 40) <= 12


def test_ks_is_blind_to_dependence():
    assert rejections("ks_test", samples.correlated, 500, 8, 40) <= 8


@pytest.mark.parametrize(("dimensions", "slack"), [(2, 0.15), (8, 0.2), (32, 0.45)])
def test_henze_zirkler_spread_is_that_of_its_null_draws(dimensions, slack):
    """Of large n: whitening by 500 rows takes a part of it where D is large."""
    henze_zirkler_test(sample(500, dimensions), FEW)
    keys = [k for k in nulls._MEMORY if k[:3] == ("henze-zirkler", 500, dimensions)]
    draws = next(nulls._MEMORY[k] for k in keys if k[4:] == (FEW.draws, FEW.seed))
    spread = goodness_of_fit.henze_zirkler_spread(500, dimensions)
    assert float(draws.std()) == pytest.approx(spread, rel=slack)


# Edges


@pytest.mark.parametrize(("n", "dimensions"), [(130, 100), (500, 100), (500, 128)])
def test_henze_zirkler_refuses_where_its_statistic_is_1_whatever_the_points(n, dimensions):
    with pytest.raises(ValueError, match=f"1 to machine precision, got D = {dimensions}"):
        henze_zirkler_test(sample(n, dimensions) ** 3, FEW)


def test_henze_zirkler_has_digits_left_where_it_does_not_refuse():
    draws = [henze_zirkler_test(sample(100, 80, seed), FEW).statistic for seed in range(20)]
    assert len(set(draws)) == 20


@pytest.mark.parametrize("name", sorted(NEEDS_COVARIANCE))
@pytest.mark.parametrize(
    "spoil",
    [
        lambda z: torch.cat([z, torch.full((len(z), 1), 0.1)], 1),
        lambda z: torch.cat([z, torch.zeros(len(z), 1)], 1),
        lambda z: torch.cat([z, z[:, :1] - z[:, 1:2]], 1),
    ],
    ids=["constant", "zero", "collinear"],
)
def test_a_singular_covariance_is_rejected_outright(name, spoil):
    result = GOODNESS_OF_FIT_TESTS[name](spoil(sample(100, 2)), FEW)
    assert result.statistic == math.inf
    assert result.p_value == 1 / 200


@pytest.mark.parametrize("name", sorted(NEEDS_COVARIANCE))
def test_a_covariance_needs_more_rows_than_dimensions(name):
    with pytest.raises(ValueError, match="more rows than dimensions, got 5 rows and D = 5"):
        GOODNESS_OF_FIT_TESTS[name](sample(5, 5), FEW)
    assert 0 < GOODNESS_OF_FIT_TESTS[name](sample(7, 5), FEW).p_value <= 1


@pytest.mark.parametrize("name", sorted(GOODNESS_OF_FIT_TESTS.keys() - NEEDS_COVARIANCE))
def test_two_rows_are_enough_elsewhere(name):
    assert 0 < GOODNESS_OF_FIT_TESTS[name](sample(2, 3), FEW).p_value <= 1


@every_test
def test_one_set_at_a_time(name):
    with pytest.raises(ValueError, match=r"z must have shape \(n, D\), got \(2, 10, 3\)"):
        GOODNESS_OF_FIT_TESTS[name](sample(20, 3).reshape(2, 10, 3), FEW)
