import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from vaelib.numerics.exp2 import BITS, LOWEST
from vaelib.numerics.log_sum_exp import RunningLogSum, log_mean_exp
from vaelib.seeding import stream


def exponents(rows, columns, spread, seed=0):
    """Some of each size up to the spread, and some that add nothing."""
    size = spread * torch.rand(rows, columns, generator=stream("sizes", seed)).double()
    values = size * torch.randn(rows, columns, generator=stream("exponents", seed)).double()
    values[torch.rand(rows, columns, generator=stream("nothing", seed)) < 0.1] = -math.inf
    return values


def added(start, values, sizes):
    total = RunningLogSum(start)
    for part in values.split(sizes, 1):
        total.add(lambda base, part=part: BITS * part - base.unsqueeze(1))
    return total.logs()


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=12),
    st.sampled_from([1.0, 50.0, 800.0, 1e6]),
    st.integers(0, 9999),
)
def test_a_running_sum_is_the_sum_of_all(sizes, spread, seed):
    values = exponents(5, sum(sizes), spread, seed)
    start = exponents(5, 1, spread, seed + 1)[:, 0]
    expected = logsumexp(np.concatenate([start[:, None], values], 1), axis=1)
    found = added(start, values, sizes).numpy()
    assert found == pytest.approx(expected, rel=1e-14, abs=1e-12)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_a_sum_near_overflow_is_taken_up_when_a_larger_term_comes(order):
    # exp(700) is kept over the base of the first term; only then does the third overflow
    values = torch.tensor([[0.0, 700.0, 705.0]], dtype=torch.float64)[:, order].repeat(1, 1)
    found = added(torch.tensor([-math.inf]).double(), values, [1, 1, 1])
    assert float(found) == pytest.approx(705 + math.log1p(math.exp(-5)), abs=1e-12)


def test_nothing_stays_nothing_and_does_not_touch_its_neighbours():
    values = torch.tensor([[-math.inf, -math.inf, -math.inf], [-math.inf, -3000.0, -math.inf]])
    found = added(torch.full((2,), -math.inf).double(), values.double(), [1, 1, 1])
    assert found.tolist() == [-math.inf, -3000.0]


def test_what_is_no_number_shows():
    values = torch.tensor([[0.0, math.nan, 1.0], [0.0, 1.0, 1.0]], dtype=torch.float64)
    found = added(torch.full((2,), -math.inf).double(), values, [1, 1, 1])
    assert math.isnan(found[0]) and not math.isnan(found[1])


def test_terms_are_asked_for_once_unless_they_overflow():
    asked = []

    def terms(value):
        def call(base):
            asked.append(value)
            return torch.full((1, 2), value, dtype=torch.float64) - base.unsqueeze(1)  # bits

        return call

    total = RunningLogSum(torch.tensor([-math.inf]).double())
    for value in (0.0, 300.0, -300.0, 1100.0, 1100.0 + LOWEST):
        total.add(terms(value))
    assert asked == [0.0, 300.0, -300.0, 1100.0, 1100.0, 1100.0 + LOWEST]
    assert float(total.logs()) == pytest.approx(1101 / BITS, abs=1e-12)


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize("columns", [2, 255, 5000])
@pytest.mark.parametrize("rows", [1, 250, 2500])
def test_the_mean_by_tiles_is_the_mean_of_all(rows, columns, leave_one_out):
    if leave_one_out and rows > columns:
        return
    values = exponents(rows, columns, 900.0)
    found = log_mean_exp(
        lambda some, block, base: BITS * values[some, block] - base.unsqueeze(1),
        values[:, :1],
        columns,
        leave_one_out,
    )
    if leave_one_out:
        values[torch.arange(rows), torch.arange(rows)] = -math.inf
    expected = logsumexp(values, axis=1) - math.log(columns - leave_one_out)
    assert found.numpy() == pytest.approx(expected, rel=1e-14, abs=1e-12)
