"""Ranks: their band and p-values are exact, and what departs is rejected as often as it must."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.special import ndtr, ndtri
from scipy.stats import binom, multinomial

from vaelib.stats import sbc
from vaelib.stats.sbc import GRID, band, calibration

ENDS = np.arange(1, GRID) / GRID


def scores(n, dimensions=1, seed=0, scale=1.0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn(n, dimensions, generator=generator, dtype=torch.float64)
    return scale * draws + shift


def counts_under(n, runs, rng, scale=1.0, shift=0.0):
    """Counts on the grid of n ranks of N(shift, scale²) under N(0, 1), by multinomial draws."""
    below = np.concatenate([[0.0], ndtr((ndtri(ENDS) - shift) / scale), [1.0]])
    return rng.multinomial(n, np.diff(below), runs).cumsum(1)[:, :-1]


def rejected(counts, n):
    low, high = band(n)
    return ((counts / n < low - 1e-12) | (counts / n > high + 1e-12)).any(1)


def test_the_probability_of_staying_inside_is_that_of_all_paths(monkeypatch):
    monkeypatch.setattr(sbc, "GRID", 4)
    n = 5
    for low, high in (([0, 1, 2], [3, 4, 5]), ([0, 0, 0], [5, 5, 5]), ([1, 1, 4], [2, 3, 4])):
        paths = [p for p in itertools.product(range(n + 1), repeat=4) if sum(p) == n]
        ends = [np.cumsum(path)[:3] for path in paths]
        inside = [((low <= end) & (end <= high)).all() for end in ends]
        chances = multinomial.pmf(paths, n, [0.25] * 4)
        found = sbc._inside(np.array(low), np.array(high), n)
        assert found == pytest.approx(chances[inside].sum(), rel=1e-12)
    assert sbc._inside(np.array([3, 1, 1]), np.array([5, 2, 5]), n) == 0.0
    assert sbc._inside(np.array([3, 1, 1]), np.array([2, 2, 5]), n) == 0.0


@pytest.mark.parametrize("n", [1, 7, 100, 2500])
@pytest.mark.parametrize("level", [1e-6, 0.003, 0.3, 1.0])
def test_bounds_are_the_counts_that_are_less_rare(n, level):
    low, high = sbc._bounds(n, level)
    for end, least, most in zip(ENDS, low, high, strict=True):
        r = np.arange(n + 1)
        rarity = 2 * np.minimum(binom.cdf(r, n, end), binom.sf(r - 1, n, end))
        allowed = r[rarity > level * (1 + 1e-8)]
        if len(allowed):
            assert (least, most) == (allowed[0], allowed[-1])
        else:
            assert least > most


@pytest.mark.parametrize("n", [30, 500])
def test_the_band_holds_all_of_it_with_the_wanted_probability(n):
    rate = rejected(counts_under(n, 20_000, np.random.default_rng(n)), n).mean()
    inside = sbc._inside(*(np.rint(n * ends).astype(int) for ends in band(n)), n)
    assert 0.95 <= inside < 0.96
    assert rate == pytest.approx(1 - inside, abs=4 * math.sqrt(0.05 * 0.95 / 20_000))


def test_p_values_rank_the_rarest_count_among_those_of_uniform_ranks():
    n, rng = 60, np.random.default_rng(1)
    table = counts_under(n, 4000, rng)
    tails = [binom.cdf(table, n, ENDS), binom.sf(table - 1, n, ENDS)]
    rarest = np.minimum(*tails).min(1)
    for row in counts_under(n, 8, rng, scale=1.3):
        own = np.minimum(binom.cdf(row, n, ENDS), binom.sf(row - 1, n, ENDS)).min()
        share = (rarest <= own * (1 + 1e-9)).mean()
        error = 4 * math.sqrt(max(share * (1 - share), 1e-3) / 4000)
        assert sbc._p_value(row, n) == pytest.approx(share, abs=error)


def test_a_test_rejects_just_where_its_line_leaves_the_band():
    n, rng = 200, np.random.default_rng(2)
    table = counts_under(n, 150, rng, scale=1.15)
    p_values = np.array([sbc._p_value(row, n) for row in table])
    assert ((p_values <= 0.05) == rejected(table, n)).all()
    assert 15 < (p_values <= 0.05).sum() < 135


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1 / 0.8, 0.0), (0.8, 0.0), (1.0, 0.25)])
def test_the_level_is_exact_and_the_power_known(scale, shift):
    n, runs = 150, 400
    expected = rejected(counts_under(n, 10_000, np.random.default_rng(3), scale, shift), n).mean()
    ranks = ndtr(scores(n, runs, 4, scale, shift).numpy())
    found = rejected(sbc._counts(ranks)[:, :-1], n)
    assert found.mean() == pytest.approx(
        expected, abs=4 * math.sqrt(expected * (1 - expected) / runs)
    )
    assert expected < 0.06 if scale == 1 and not shift else expected > 0.4


def test_extreme_ranks_have_small_p_values_that_are_no_zero():
    result = calibration(scores(1000, scale=3.0))
    assert 0 < result.test.p_value < 1e-30
    assert 0 < calibration(scores(1000, shift=40.0)).test.p_value < 1e-300
    assert calibration(scores(1000, scale=1e-9, shift=0.0)).scale[0] > 1e8


def test_the_joint_rank_sees_correlations_that_no_dimension_shows():
    z = scores(1000, 8, seed=5)
    mixed = 0.7**0.5 * z + 0.3**0.5 * scores(1000, 1, seed=6)
    result = calibration(mixed)
    *single, joint = result.test.per_dimension
    assert min(single) > 0.05 >= joint == result.test.p_value
    assert result.joint.p_value < joint


def test_effects_are_those_that_were_put_in():
    result = calibration(scores(4000, 3) / torch.tensor([1.0, 0.8, 1.25]) + 0.5)
    low, high = result.interval
    assert ((low < [1, 0.8, 1.25]) & ([1, 0.8, 1.25] < high)).all()
    assert result.shift == pytest.approx([0.5] * 3, abs=4 * 1.25 / 4000**0.5)
    pooled = np.mean([1, 0.8**-2, 1.25**-2]) ** -0.5
    assert abs(result.overall.value - pooled) < 4 * result.overall.standard_error < 0.03
    assert result.counts.shape == (4, GRID) and (result.counts[:, -1] == 4000).all()


def test_standard_errors_are_the_spread_over_repetitions():
    found = [calibration(scores(80, 2, seed) * 1.3) for seed in range(80)]
    for pairs in (
        [result.overall for result in found],
        [(result.scale[0], result.scale_error[0]) for result in found],
    ):
        values, errors = np.array(pairs).T
        assert values.std(ddof=1) / errors.mean() == pytest.approx(1, abs=0.32)  # 4 / √(2 · 79)


def test_scores_outside_the_support_reject_and_have_no_scale():
    z = scores(400, 2)
    z[:60, 1] = math.inf
    result = calibration(z)
    assert result.test.per_dimension[1] < 1e-6 and result.joint.p_value < 1e-6
    assert np.isnan(result.scale).tolist() == [False, True]
    assert math.isnan(result.overall.value)


@pytest.mark.parametrize(
    ("given", "joint", "message"),
    [
        (torch.zeros(5), None, r"of shape \(n, D\), got \(5,\)"),
        (torch.zeros(5, 2, dtype=torch.int64), None, "floating-point tensor"),
        ([[0.0]], None, "got list"),
        (torch.zeros(1, 2), None, "rows of scores must be at least 2, got 1"),
        (torch.zeros(5, 0), None, "dimensions of scores must be at least 1, got 0"),
        (torch.tensor([[0.0], [math.nan]]), None, "numbers or infinite, got 1 NaN"),
        (torch.zeros(5, 2), torch.zeros(4), r"joint must hold 5 ranks in \[0, 1\]"),
        (torch.zeros(2, 2), torch.tensor([0.5, 1.5]), r"ranks in \[0, 1\]"),
    ],
)
def test_bad_input_is_one_sentence(given, joint, message):
    with pytest.raises(ValueError, match=message):
        calibration(given, joint)


def test_a_band_of_nothing_is_refused():
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        band(0)
    with pytest.raises(ValueError, match="level must lie between 0 and 1, got 1"):
        band(10, 1.0)
