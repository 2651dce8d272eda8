"""The anytime level, new inputs at each call and the same, and what is found of a mismatch."""

import math

import pytest
import torch
from scipy.stats import binomtest

from vaelib import Monitor
from vaelib.monitoring.evidence import Run, log_weight, play
from vaelib.stats.moments import gaussian_kl

CROSSED = math.log(20)


def drift(seed, fresh, steps, inputs=120, dimensions=3):
    """Log e-values of encoders that match N(0, I) exactly while their means turn."""
    g = torch.Generator().manual_seed(seed)
    skew = 0.1 * torch.randn(dimensions, dimensions, generator=g, dtype=torch.float64)
    turn = torch.matrix_exp(skew - skew.T)
    monitor = Monitor(every=10**6, fresh=fresh, seed=seed)
    mean = torch.randn(inputs, dimensions, generator=g, dtype=torch.float64)
    for _ in range(steps):
        if fresh:
            mean = torch.randn(inputs, dimensions, generator=g, dtype=torch.float64)
        mean = mean @ turn
        row = monitor.observe(math.sqrt(0.99) * mean, torch.full_like(mean, 0.1))
        yield row["log_e_run"], row["log_e"], row["lower_always"]


@pytest.fixture(scope="module")
def runs():
    """Of each case, 16 encoders at 10 epochs."""
    return {
        fresh: torch.tensor([list(drift(seed, fresh, 10)) for seed in range(16)])
        for fresh in (False, True)
    }


@pytest.mark.parametrize("fresh", [False, True])
def test_an_exact_match_crosses_20_in_at_most_5_percent_of_runs(runs, fresh):
    ever = (runs[fresh][:, :, 0] >= CROSSED).any(1)
    assert binomtest(int(ever.sum()), len(ever), 0.05, alternative="greater").pvalue > 0.001
    proved = (runs[fresh][:, :, 2] > 0).any(1)
    assert binomtest(int(proved.sum()), len(proved), 0.025, alternative="greater").pvalue > 0.001


def test_the_product_over_the_same_inputs_would_cross_it():
    """What the average is for: 50 looks at the same z of an exact match, against N(0, vI)."""
    g = torch.Generator().manual_seed(0)
    averaged = multiplied = 0
    for _ in range(300):
        fitted, z = torch.randn(2, 100, 2, generator=g, dtype=torch.float64)
        v = fitted.square().mean()
        ratio = (0.5 * (1 - 1 / v) * z.square() - 0.5 * v.log()).sum(1)
        log_e = play(torch.stack([0 * ratio, ratio], 1)).log_e
        run = Run(fresh=False)
        for call in range(1, 51):
            run.add(log_e, call)
        averaged += run.log_e >= CROSSED
        multiplied += 50 * log_e >= CROSSED
    assert binomtest(averaged, 300, 0.05, alternative="greater").pvalue > 0.001
    assert binomtest(multiplied, 300, 0.05, alternative="greater").pvalue < 1e-6


def test_new_inputs_multiply_and_the_same_are_averaged(runs):
    torch.testing.assert_close(runs[True][:, :, 0], runs[True][:, :, 1].cumsum(1))
    weights = torch.tensor([log_weight(t) for t in range(1, 11)])
    averaged = (runs[False][:, :, 1] + weights).logcumsumexp(1)
    torch.testing.assert_close(runs[False][:, :, 0], averaged)


def test_weights_sum_to_one():
    weights = torch.tensor([log_weight(t) for t in range(1, 5001)], dtype=torch.float64).exp()
    left = 1 / (1 + math.log(5001))
    assert float(weights.sum()) == pytest.approx(1 - left, abs=1e-12)
    assert bool((weights.diff() < 0).all())


def test_a_small_lasting_mismatch_is_found_by_new_inputs_long_before_by_the_same():
    """N(0, 1.1² I): KL .057 in 3 dimensions, of 60 evaluated inputs a call."""
    log_e = {}
    for fresh in (False, True):
        g = torch.Generator().manual_seed(3)
        monitor = Monitor(every=10**6, fresh=fresh)
        mean = 1.1 * torch.randn(120, 3, generator=g)
        for _ in range(20):
            if fresh:
                mean = 1.1 * torch.randn(120, 3, generator=g)
            row = monitor.observe(mean, 0 * mean)
        log_e[fresh] = row["log_e_run"]
    assert log_e[True] > CROSSED > log_e[False]


def test_a_lower_end_lies_below_the_kl_and_near_it():
    g = torch.Generator().manual_seed(0)
    truth = gaussian_kl(torch.zeros(4), 1.5 * torch.eye(4))
    rows = [
        Monitor(seed=seed).observe(
            torch.randn(2000, 4, generator=g), torch.full((2000, 4), math.sqrt(0.5))
        )
        for seed in range(10)
    ]
    assert all(0.5 * truth < row["lower"] < truth + 0.02 for row in rows)
    assert all(row["lower_always"] <= row["lower"] for row in rows)
    assert sum(row["lower"] > truth for row in rows) <= 1
    gains = torch.tensor([row["gain"] for row in rows])
    assert float(gains.mean()) == pytest.approx(truth, abs=0.02)


def test_the_prior_alone_plays_for_nothing():
    found = play(torch.zeros(50, 3, dtype=torch.float64))
    assert found.gain.value == pytest.approx(0) and found.log_e == pytest.approx(0)
    assert found.lower(0.025) == 0


def test_a_candidate_without_mass_costs_its_share_and_no_more():
    ratio = torch.zeros(100, 2, dtype=torch.float64)
    ratio[:, 1] = -torch.inf
    found = play(ratio)
    # One z at weights of a half and the prior's share of .4, none after it.
    assert found.log_e == pytest.approx(math.log(0.4 + 0.6 / 2))


def test_an_e_value_of_zero_or_beyond_floats_is_taken():
    run = Run(fresh=False)
    run.add(-math.inf, 1)
    assert run.p_value == 1 and run.log_e == -math.inf
    run.add(5000.0, 2)
    assert run.log_e == pytest.approx(5000 + log_weight(2)) and run.p_value < 1e-300
