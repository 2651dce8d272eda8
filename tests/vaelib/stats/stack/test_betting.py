"""The lower end is a theorem: laws of known mean are drawn and errors counted."""

import math

import pytest
import torch
from scipy import stats

from vaelib.seeding import stream
from vaelib.stats.stack.betting import (
    e_process,
    lower_end,
    mean_lower_end,
    predictable_gains,
)

REPEATS, ALPHA = 1000, 0.05
ALLOWED = int(stats.binom.isf(1e-3, REPEATS, ALPHA))  # a bound that is just met fails 1 in 1,000

LOW = math.log(0.05)


def left_skewed(n, generator):
    """log c + a beta variable: most near the top, a long way down."""
    uniform = torch.rand(n, generator=generator, dtype=torch.float64)
    return LOW + 3.3 * uniform.pow(1 / 12), LOW + 3.3 * 12 / 13


def nearly_empty_hole(n, generator):
    """A small gain nearly always, once in 200 the floor."""
    hole = torch.rand(n, generator=generator) < 0.005
    return torch.tensor([0.02, LOW], dtype=torch.float64)[hole.long()], 0.005 * LOW + 0.995 * 0.02


def heavy_right_tail(n, generator):
    """A Pareto variable of shape 2.2: its variance hardly exists."""
    uniform = torch.rand(n, generator=generator, dtype=torch.float64).clamp_min(1e-12)
    return LOW + uniform.pow(-1 / 2.2), LOW + 2.2 / 1.2


def two_point(n, generator):
    """Half of it at the floor."""
    floor = torch.rand(n, generator=generator) < 0.5
    return torch.tensor([1.0, LOW], dtype=torch.float64)[floor.long()], 0.5 * LOW + 0.5


LAWS = [left_skewed, nearly_empty_hole, heavy_right_tail, two_point]


@pytest.mark.parametrize("n", [20, 300])
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_lower_end_exceeds_the_mean_no_more_often_than_alpha(law, n):
    """lower_end stops at the worst moment: its capital is the largest over time."""
    generator = stream("betting", n)
    floors = torch.full((n,), LOW, dtype=torch.float64)
    wrong = 0
    for _ in range(REPEATS):
        gains, mean = law(n, generator)
        wrong += lower_end(gains, floors, ALPHA) > mean
    assert wrong <= ALLOWED


@pytest.mark.slow
def test_it_holds_when_every_moment_is_looked_at():
    """The largest of the lower ends after 10, 20, … 300 rounds."""
    generator = stream("betting", 1)
    floors = torch.full((300,), LOW, dtype=torch.float64)
    wrong = 0
    for _ in range(200):
        gains, mean = nearly_empty_hole(300, generator)
        ends = (lower_end(gains[:n], floors[:n], ALPHA) for n in range(10, 301, 10))
        wrong += max(ends) > mean
    assert wrong <= stats.binom.isf(1e-3, 200, ALPHA)


def test_a_plain_interval_would_not_hold():
    """Why it is worth a theorem: mean - 1.645 se of the nearly empty hole at n = 100."""
    generator = stream("betting", 2)
    wrong = 0
    for _ in range(REPEATS):
        gains, mean = nearly_empty_hole(100, generator)
        wrong += float(gains.mean() - 1.645 * gains.std() / 10) > mean
    assert wrong > 300


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_it_comes_near_the_mean(law):
    n = 20_000
    gains, mean = law(n, stream("betting", 3))
    end = lower_end(gains, torch.full((n,), LOW, dtype=torch.float64))
    assert end <= mean and mean - end < 5 * float(gains.std()) / math.sqrt(n) + 0.01


def test_the_capital_is_what_the_theorem_says():
    """At the end returned, the mixture's capital is 1/alpha at its largest."""
    from vaelib.stats.stack.betting import _STAKES

    gains, _ = left_skewed(50, stream("betting", 4))
    floors = torch.linspace(-4, LOW, 50).double()
    m = lower_end(gains, floors, 0.1)
    capital = torch.ones(len(_STAKES), dtype=torch.float64)
    largest = 0.0
    for g, floor in zip(gains, floors, strict=True):
        stake = torch.tensor(_STAKES).double() / (m - floor)
        capital = capital * (1 + stake * (g - m))
        largest = max(largest, float(capital.mean()))
    assert largest == pytest.approx(10, rel=1e-5)


def test_ends_of_folds_are_averaged():
    generator = stream("betting", 5)
    floors = torch.full((100,), LOW, dtype=torch.float64)
    plays = [(left_skewed(100, generator)[0], floors) for _ in range(3)]
    together = mean_lower_end(plays)
    alone = [mean_lower_end([play]) for play in plays]
    assert min(alone) <= together <= max(alone)
    assert all(end <= lower_end(*play) + 1e-9 for end, play in zip(alone, plays, strict=True))


def test_a_match_gives_large_e_values_no_more_often_than_allowed():
    """Candidates N(m_k, I), the stack learning from each block: E reaches 20 in at most 5 %."""
    generator = stream("betting", 6)
    means = torch.tensor([0.0, 0.1, -0.1, 0.3, 1.0]).double()
    wrong = 0
    for _ in range(REPEATS):
        z = torch.randn(200, 1, generator=generator, dtype=torch.float64)
        played = predictable_gains(z * means - means**2 / 2, generator)
        value, p = e_process(played.log_factors)
        wrong += p <= 0.05
        assert p <= 1 and p <= math.exp(-value) + 1e-12
    assert wrong <= ALLOWED


def test_it_learns_which_candidate_is_right():
    z = torch.randn(1000, 1, generator=stream("betting", 7), dtype=torch.float64) + 0.5
    means = torch.tensor([0.0, 0.5, -3.0]).double()
    played = predictable_gains(z * means - means**2 / 2, stream("betting", 8))
    assert 0.06 < lower_end(*played.bets()) < 0.125
    assert e_process(played.log_factors)[1] < 1e-10


def test_no_gain_depends_on_later_points():
    """Candidates that are changed at the last 40 % leave what was played before."""
    log_ratio = torch.randn(100, 3, generator=stream("betting", 9), dtype=torch.float64)
    log_ratio[:, 0] = 0
    before = predictable_gains(log_ratio, stream("betting", 10))
    last = torch.randperm(100, generator=stream("betting", 10)) >= 60
    changed = log_ratio.clone()
    changed[last, 1:] += 5
    after = predictable_gains(changed, stream("betting", 10))
    assert torch.equal(before.gains[:60], after.gains[:60])
    assert not torch.equal(before.gains[60:], after.gains[60:])


def test_a_group_is_one_round():
    log_ratio = torch.randn(60, 3, generator=stream("betting", 11), dtype=torch.float64)
    log_ratio[:, 0] = 0
    once = predictable_gains(log_ratio, stream("betting", 12))
    thrice = predictable_gains(
        log_ratio.repeat(3, 1), stream("betting", 12), groups=torch.arange(60).repeat(3)
    )
    torch.testing.assert_close(once.gains, thrice.gains)
    torch.testing.assert_close(once.log_factors, thrice.log_factors)


@pytest.mark.parametrize(
    ("gains", "floors", "alpha", "said"),
    [
        (torch.ones(3), torch.zeros(3), 1.5, "alpha must lie between 0 and 1, got 1.5"),
        (torch.ones(0), torch.zeros(0), 0.1, "one shape"),
        (torch.ones(3), torch.ones(3) + 1, 0.1, "not below their floors"),
        (torch.tensor([1.0, math.nan]), torch.zeros(2), 0.1, "finite"),
    ],
)
def test_bad_input_is_refused(gains, floors, alpha, said):
    with pytest.raises(ValueError, match=said):
        lower_end(gains, floors, alpha)
