import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vaelib.test_posterior import broadcast, mixture
from vaelib import posterior
from vaelib.numerics import log_sum_exp, pruned_sums
from vaelib.posterior import AggregatePosterior
from vaelib.seeding import stream


@pytest.fixture
def always(monkeypatch):
    """Leaves for small mixtures too, of several parts, whether they pay or not."""
    for name, value in {"_LEAST": (1, 1), "_MOST_NEEDED": 1.0, "_PART": 500}.items():
        monkeypatch.setattr(pruned_sums, name, value)
    monkeypatch.setattr(pruned_sums, "_HELD", 1500)
    monkeypatch.setattr(pruned_sums, "_COLUMNS", 50)


@pytest.fixture
def evaluated(monkeypatch):
    """The numbers of log densities of each evaluation: no result tells what was left out."""
    sizes, scores = [], posterior._scores

    def counting(mean, scale, z):
        logs = scores(mean, scale, z)

        def counted(rows, columns, base):
            values = logs(rows, columns, base)
            sizes.append(values.numel())
            return values

        return counted

    monkeypatch.setattr(posterior, "_scores", counting)
    return sizes


def quilt(components, dimensions):
    """Narrow and wide components in a few places, with some of equal mean."""
    q = mixture(components, dimensions, scale=(0.01, 0.02))
    scale = q.scale * torch.logspace(0, 2, components, dtype=torch.float64).unsqueeze(1)
    return AggregatePosterior((q.mean * 2).round(decimals=1), scale)


KINDS = {
    "benign": lambda n, d: mixture(n, d),
    "narrow": lambda n, d: mixture(n, d, scale=(0.01, 0.011)),
    "offset": lambda n, d: mixture(n, d, scale=(0.01, 0.5), offset=100.0),
    "mixed": lambda n, d: mixture(n, d, scale=(0.01, 2.0), offset=-5.0),
    "quilt": quilt,
    "very narrow": lambda n, d: mixture(n, d, scale=(1e-7, 1e-6)),
    "equal": lambda n, d: AggregatePosterior(torch.ones(n, d), torch.ones(n, d)),
}


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("components", "dimensions"), [(2, 1), (999, 1), (1300, 2), (700, 6)])
def test_leaves_against_broadcasting(components, dimensions, kind, leave_one_out, always):
    q = KINDS[kind](components, dimensions)
    z = q.sample(stream("z", 0))[0, : components - 1]
    expected = broadcast(q, z, leave_one_out)
    error = q.log_prob(z, leave_one_out=leave_one_out) - expected
    assert (error.abs() <= 1e-9 + 1e-12 * expected.abs()).all()


def test_most_leaves_of_narrow_components_are_left_out(always, evaluated, monkeypatch):
    # One part, so that its leaves are as small as those of a large mixture.
    monkeypatch.setattr(pruned_sums, "_PART", 3000)
    monkeypatch.setattr(pruned_sums, "_HELD", 6000)
    q = mixture(3000, 2, scale=(0.01, 0.02))
    z = q.sample(stream("z", 0))[0]
    error = q.log_prob(z) - torch.cat([broadcast(q, part) for part in z.split(500)])
    assert error.abs().max() <= 1e-9
    assert sum(evaluated) < 0.3 * 3000**2


@settings(deadline=None, max_examples=50)
@given(
    st.integers(1, 4),
    st.integers(2, 300),
    st.floats(-3, 1),
    st.floats(0, 2),
    st.floats(-4, 4),
    st.integers(0, 99),
)
def test_no_leaf_adds_more_than_its_bound(dimensions, count, low, spread, place, seed):
    q = mixture(count, dimensions, scale=(10**low, 10 ** (low + spread)), seed=seed)
    leaves = pruned_sums.Leaves(q.mean, q.scale, q.scale.mean(0))
    z = place + 0.3 * torch.randn(20, dimensions, generator=stream("z", seed)).double()
    bounds = leaves.bounds(z)
    assert len(bounds) == leaves.count
    for leaf in range(leaves.count):
        rows = leaves.rows(torch.tensor([leaf]))
        part = AggregatePosterior(leaves.mean[rows], leaves.scale[rows])
        assert (broadcast(part, z) + math.log(len(rows)) <= bounds[leaf] + 1e-9).all()


def test_a_bound_is_reached_where_all_components_are_equal():
    q = AggregatePosterior(torch.zeros(64, 3), torch.full((64, 3), 0.5))
    leaves = pruned_sums.Leaves(q.mean, q.scale, q.scale.mean(0))
    z = torch.tensor([[0.2, 0.4, -0.6]], dtype=torch.float64)
    total = leaves.bounds(z).exp().sum().log() - math.log(64)
    assert float(total) == pytest.approx(float(broadcast(q, z)), abs=1e-12)


@pytest.mark.parametrize("count", [1, 2, 63, 64, 1000])
def test_splits_hold_every_point_once_in_groups_of_equal_size(count):
    points = torch.randn(count, 2, generator=stream("points", 0))
    groups = pruned_sums.median_splits(points, 20)
    assert groups.shape[0] in (1, 2, 4, 8, 16)
    inside = groups.flatten()[groups.flatten() < count]
    assert torch.equal(inside.sort().values, torch.arange(count))
    assert groups.numel() - count < len(groups)


def test_points_of_one_split_are_near_each_other():
    points = torch.rand(4096, 2, generator=stream("points", 0))
    groups = points[pruned_sums.median_splits(points, 64)]
    assert (
        groups.amax(1) - groups.amin(1)
    ).mean() < 2 / 8  # a square of area 1/64 has sides of 1/8


def test_the_order_of_components_and_of_points_does_not_matter(always):
    q = mixture(1500, 2, scale=(0.01, 0.05))
    z = q.sample(stream("z", 0))[0, :700]
    expected = q.log_prob(z)
    components = torch.randperm(1500, generator=stream("components", 0))
    points = torch.randperm(700, generator=stream("points", 0))
    log_q = q.part(components).log_prob(z[points])
    assert (log_q - expected[points]).abs().max() <= 1e-9


def test_far_points_are_finite_and_right_and_do_not_spoil_others(always):
    q = mixture(600, 2, scale=(0.01, 0.02))
    near, far = q.sample(stream("z", 0))[0, :200], torch.tensor([[1e4, 0.0], [-500.0, 1e8]])
    z = torch.cat([near, far.double()])
    log_q, expected = q.log_prob(z), broadcast(q, z)
    assert log_q.isfinite().all()
    assert (log_q[:200] - expected[:200]).abs().max() <= 1e-9
    assert log_q[200:].tolist() == pytest.approx(expected[200:].tolist(), rel=1e-12)


def test_points_that_are_not_finite_are_refused(always):
    z = torch.zeros(300, 2, dtype=torch.float64)
    z[7, 1] = math.nan
    with pytest.raises(ValueError, match="z must be finite, got 1 values that are not"):
        mixture(500, 2, scale=(0.01, 0.02)).log_prob(z)


def dense(q, z):
    # The sum without leaves, which no public call takes for a large mixture.
    logs = posterior._scores(q.mean, q.scale, z)
    return log_sum_exp.log_mean_exp(logs, z, q.components, False)


SMALL = [(8191, 2, 2048, 0.01), (8192, 2, 2047, 0.01), (2047, 1, 2048, 0.01), (2048, 1, 2047, 0.01)]


@pytest.mark.parametrize(
    ("components", "dimensions", "points", "scale"), [*SMALL, (8192, 2, 2048, 0.9)]
)
def test_small_or_wide_mixtures_are_evaluated_densely_to_the_bit(
    components, dimensions, points, scale
):
    q = mixture(components, dimensions, scale=(scale, 1.1 * scale))
    z = q.sample(stream("z", 0), draws=2).flatten(0, 1)[:points]
    assert torch.equal(q.log_prob(z), dense(q, z))


@pytest.mark.parametrize(("components", "dimensions"), [(8192, 2), (2048, 1)])
def test_large_narrow_mixtures_are_not_evaluated_densely(components, dimensions, evaluated):
    q = mixture(components, dimensions, scale=(0.01, 0.011))
    z = q.sample(stream("z", 0))[0, :2048]
    log_q, pairs = q.log_prob(z), sum(evaluated)
    assert 0 < pairs < 0.3 * components * 2048
    assert (log_q - dense(q, z)).abs().max() <= 1e-9
