import math

import numpy as np
import pytest
import torch

from vaelib import audit
from vaelib.box_posterior import BoxAggregate, aggregate
from vaelib.numerics import log_sum_exp
from vaelib.priors import Uniform
from vaelib.seeding import stream
from vaelib.stats import divergences

WIDTH = math.sqrt(12)


def mixture(components, dimensions, low=0.0, high=10.0):
    generator = stream("boxes", 0)
    shape = (components, dimensions)
    edges = low + (high - low) * torch.rand(2, *shape, generator=generator, dtype=torch.float64)
    edges = edges.sort(0).values
    return BoxAggregate(edges.mean(0), (edges[1] - edges[0]) / WIDTH, low, high)


def boxes(dimensions=1, count=10):
    """Boxes that tile [0, 10]^D exactly: the forum thread's example."""
    axis = (torch.arange(count, dtype=torch.float64) + 0.5) * 10 / count
    mean = torch.cartesian_prod(*[axis] * dimensions).view(-1, dimensions)
    return mean, torch.full_like(mean, 10 / count / WIDTH)


def loop(q, z, leave_one_out=False):
    low, high = (q.mean - WIDTH / 2 * q.scale).numpy(), (q.mean + WIDTH / 2 * q.scale).numpy()
    volume = np.prod(high - low, axis=1)
    values = []
    for m, point in enumerate(z.numpy()):
        inside = ((low <= point) & (point <= high)).all(1)
        if leave_one_out:
            inside[m] = False
        values.append((inside / volume).sum() / (len(low) - leave_one_out))
    return np.array(values)


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize(("components", "dimensions"), [(2, 1), (300, 2), (200, 6)])
def test_density_against_a_plain_loop(components, dimensions, leave_one_out, monkeypatch):
    monkeypatch.setattr(log_sum_exp, "_TILE", 1000)  # many tiles, uneven ones
    monkeypatch.setattr(log_sum_exp, "_HEIGHT", 37)
    q = mixture(components, dimensions)
    z = q.sample(stream("z", 0))[0]
    density = q.log_prob(z, leave_one_out=leave_one_out).exp().numpy()
    assert density == pytest.approx(loop(q, z, leave_one_out), rel=1e-9)


def test_density_is_zero_outside_and_integrates_to_one():
    low = (torch.rand(30, 2, generator=stream("low", 0)).double() * 90).floor() / 10
    width = 0.1 + (torch.rand(30, 2, generator=stream("width", 0)).double() * 10).floor() / 10
    q = BoxAggregate(low + width / 2, width / WIDTH, 0.0, 10.0)
    outside = torch.tensor([[-1.0, 5.0], [3.0, 10.1]], dtype=torch.float64)
    assert (q.log_prob(outside) == -math.inf).all()
    axis = (torch.arange(1000, dtype=torch.float64) + 0.5) / 100
    total = float(q.log_prob(torch.cartesian_prod(axis, axis)).exp().sum()) / 100**2
    assert total == pytest.approx(1, abs=1e-9)  # edges between the grid's points


def test_moments_and_component_densities_against_the_sample():
    q = mixture(40, 2)
    z = q.sample(stream("z", 0), draws=5000)
    assert q.component_log_prob(z).isfinite().all()
    assert (q.component_log_prob(z + 20) == -math.inf).all()
    mean, covariance = q.moments()
    flat = z.flatten(0, 1)
    assert (flat.mean(0) - mean).abs().max() < 0.03
    assert (flat.T.cov() - covariance).abs().max() < 0.1
    marginal = q.marginal(1)
    assert marginal.log_prob(flat[:50, 1:]).exp().numpy() == pytest.approx(
        loop(marginal, flat[:50, 1:])
    )


def test_ten_unit_blocks_match_the_uniform_prior_exactly():
    mean, scale = boxes()
    prior = Uniform(1)
    decomposition = divergences.decompose(
        aggregate(prior.family, mean, scale), prior, stream("z", 0), 3
    )
    assert decomposition.rate == pytest.approx(math.log(10), abs=1e-12)
    assert decomposition.mutual_information == pytest.approx(math.log(10), abs=1e-9)
    assert decomposition.marginal_kl == pytest.approx(0, abs=1e-9)
    assert decomposition.standard_error < 1e-9


def test_the_audit_of_tiling_blocks_says_that_they_match():
    mean, scale = boxes(2, 20)
    heldout = boxes(2, 12)
    rows = {(r.split, r.metric): r for r in audit(mean, scale, Uniform(2), heldout)}
    assert rows["train", "rate"].value == pytest.approx(2 * math.log(20))
    assert rows["train", "marginal_kl"].value == pytest.approx(0, abs=1e-9)
    assert rows["train", "marginal_kl_excess"].value is None
    assert "overlap" in rows["train", "marginal_kl_loo"].message
    assert rows["test", "hole_mass"].value < 0.02
    assert rows["train", "c2st_test"].p_value > 0.01


def test_held_out_boxes_beyond_the_training_ones_have_no_hole_mass():
    mean, scale = boxes(2, 20)
    rows = audit(mean[:200], scale[:200], "uniform", (mean[100:300], scale[100:300]))
    hole = next(r for r in rows if r.metric == "hole_mass")
    assert hole.value is None
    assert "50.0% outside" in hole.message


def test_boxes_outside_the_support_are_refused():
    mean, scale = boxes()
    with pytest.raises(ValueError, match=r"inside the prior's support \[0, 10\].*0.5 to 10.5"):
        audit(mean + 0.5, scale, "uniform")
