import math

import pytest
import torch
from scipy import optimize

from vaelib.seeding import stream
from vaelib.stats.stack.groups import as_groups, group_log_mean_exp, group_mean
from vaelib.stats.stack.weights import (
    cross_fitted_gains,
    gain_estimate,
    stack_weights,
    stacked_gains,
    with_prior,
)


def ratios(n=400, k=4):
    return torch.randn(n, k, generator=stream("weights", 0), dtype=torch.float64)


def test_weights_maximise_the_mean_gain():
    log_ratio = ratios()
    weights = stack_weights(log_ratio, steps=20_000)

    def loss(free):
        w = torch.softmax(torch.tensor(free), 0)
        return -float(stacked_gains(log_ratio, w).mean())

    best = optimize.minimize(loss, [0.0] * 4, tol=1e-10)
    assert -best.fun == pytest.approx(float(stacked_gains(log_ratio, weights).mean()), abs=1e-6)
    assert float(weights.sum()) == pytest.approx(1) and float(weights.min()) >= 0


def test_a_group_weighs_as_much_as_a_row():
    log_ratio = ratios(50)
    several = torch.cat([log_ratio, log_ratio[:10]])
    groups = torch.cat([torch.arange(50), torch.arange(10)])
    torch.testing.assert_close(stack_weights(several, groups), stack_weights(log_ratio))


def test_the_prior_keeps_its_share():
    weights = with_prior(torch.tensor([0.0, 0.25, 0.75]).double(), 0.1)
    assert weights.tolist() == pytest.approx([0.1, 0.225, 0.675])
    log_ratio = torch.tensor([[0.0, -1e4, -1e4]]).double()
    assert float(stacked_gains(log_ratio, weights)[0]) == pytest.approx(math.log(0.1))


def test_cross_fitted_gain_of_candidates_that_are_worthless_is_nearly_nothing():
    z = torch.randn(1500, 1, generator=stream("weights", 1), dtype=torch.float64)
    means = torch.tensor([0.0, 1.0, -2.0]).double()
    gains = cross_fitted_gains(z * means - means**2 / 2, stream("weights", 2))
    assert -0.01 < gain_estimate(gains).value < 0.002
    assert float(gains.min()) >= math.log(0.02) - 1e-12


def test_copies_of_points_do_not_make_the_error_smaller():
    gains = torch.randn(100, generator=stream("weights", 3), dtype=torch.float64)
    once = gain_estimate(gains)
    groups = torch.arange(100).repeat(4)
    assert gain_estimate(gains.repeat(4), groups) == pytest.approx(once)
    assert gain_estimate(gains.repeat(4)).standard_error < 0.6 * once.standard_error


def test_group_reductions():
    groups = as_groups(torch.tensor([7, 7, -1, 7]), 4)
    assert groups.tolist() == [1, 1, 0, 1]
    values = torch.tensor([1.0, 2.0, 5.0, 3.0]).double()
    assert group_mean(values, groups).tolist() == [5.0, 2.0]
    expected = torch.tensor([values[2], values[[0, 1, 3]].logsumexp(0) - math.log(3)])
    torch.testing.assert_close(group_log_mean_exp(values, groups), expected)


@pytest.mark.parametrize("groups", [torch.arange(3), torch.zeros(4), torch.zeros(4, 1).long()])
def test_groups_of_wrong_length_are_refused(groups):
    with pytest.raises(ValueError, match=r"groups must be integers of shape \(4,\)"):
        as_groups(groups, 4)


def test_too_few_groups_for_folds():
    with pytest.raises(ValueError, match="at least 5 groups, got 2"):
        groups = torch.tensor([0, 0, 1, 1])
        cross_fitted_gains(torch.zeros(4, 2).double(), stream("w", 0), groups=groups)
