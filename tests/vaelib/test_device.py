"""Posteriors and audits on another device, against the same on the CPU."""

import pytest
import torch
from torch import nn

from tests.elsewhere import DEVICE, STANDS_IN, is_there, other_device
from vaelib import audit, encode
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.seeding import stream
from vaelib.stats import divergences, finite_sample, holes, marginals, moments

# A GPU's tensors refuse to become numpy arrays by a TypeError.
REFUSED = RuntimeError if STANDS_IN else (RuntimeError, TypeError)


def test_the_other_device_refuses_what_a_gpu_refuses():
    with other_device():
        moved, on_cpu = torch.randn(3, 4).to(DEVICE), torch.randn(4, 5)
        assert is_there(moved @ on_cpu.to(moved))
        assert type((moved @ on_cpu.to(DEVICE)).cpu()) is torch.Tensor
        assert is_there(torch.zeros(3, device=moved.device).add_(1))
        assert moved[torch.arange(2)].shape == (2, 4)
        assert float(moved.double().sum()) == pytest.approx(sum(moved.flatten().tolist()))
        for wrong in (
            lambda: moved @ on_cpu,
            lambda: torch.cat([moved, torch.ones(1, 4)]),
            lambda: moved.numpy(),
            lambda: on_cpu[torch.arange(2).to(DEVICE)],
            lambda: moved.index_put_((torch.arange(3),), on_cpu[:3, :4]),
            lambda: torch.randn(3, device=DEVICE, generator=torch.Generator()),
        ):
            with pytest.raises(REFUSED):
                wrong()


@pytest.fixture(scope="module")
def posterior():
    mean = 0.8 * torch.randn(300, 2, generator=stream("mean", 0))
    return mean, torch.full_like(mean, 0.6)


@pytest.mark.parametrize(
    ("components", "points", "scale", "spread", "leave_one_out"),
    [
        (300, 50, 0.6, 1.0, False),
        (300, 300, 0.6, 1.0, True),
        (20_000, 2000, 0.02, 1.0, False),  # leaves most components out
        (300, 50, 1e-4, 1e3, False),  # takes differences
    ],
)
def test_log_densities_on_another_device(components, points, scale, spread, leave_one_out):
    mean = spread * torch.randn(components, 2, generator=stream("mean", 0))
    q = AggregatePosterior(mean, torch.full_like(mean, scale))
    z = q.sample(stream("z", 0))[0, :points]
    with other_device():
        moved = AggregatePosterior(mean.to(DEVICE), torch.full_like(mean, scale).to(DEVICE))
        on_device = moved.log_prob(z.to(DEVICE), leave_one_out=leave_one_out)
        assert is_there(on_device)
        assert torch.equal(moved.log_prob(z).cpu(), moved.log_prob(z.to(DEVICE)).cpu())
    expected = q.log_prob(z, leave_one_out=leave_one_out)
    torch.testing.assert_close(on_device.cpu(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "statistic",
    [
        lambda q: divergences.decompose(q, Normal(2), stream("z", 0)).marginal_kl,
        lambda q: divergences.leave_one_out_kl(q, Normal(2), stream("z", 0))[0],
        lambda q: finite_sample.marginal_kl_null(q, stream("null", 0), 3).mean,
        lambda q: moments.moment_kl(q),
        lambda q: moments.variance_law(q),
        lambda q: float(marginals.kl_per_dimension(q)[0].sum()),
        lambda q: float(marginals.gauge_fix(q).mean.square().sum()),
        lambda q: holes.hole_mass(q, torch.ones(200, 2), Normal(2), stream("holes", 0))[0],
    ],
)
def test_statistics_on_another_device(statistic, posterior):
    expected = statistic(AggregatePosterior(*posterior))
    with other_device():
        on_device = statistic(AggregatePosterior(*(part.to(DEVICE) for part in posterior)))
    assert on_device == pytest.approx(expected, rel=1e-9)


def test_an_audit_of_tensors_on_another_device_has_the_same_rows(posterior):
    expected = audit(*posterior, heldout=posterior, null_draws=5)
    with other_device():
        moved = [part.to(DEVICE) for part in posterior]
        on_device = audit(*moved, heldout=(moved[0], moved[1]), null_draws=5)
    assert [row.metric for row in on_device] == [row.metric for row in expected]
    for ours, theirs in zip(expected, on_device, strict=True):
        assert theirs.value == (None if ours.value is None else pytest.approx(ours.value, rel=1e-6))


class Encoder(nn.Module):
    """The mean and log variance of a Gaussian, in one row."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 4)

    def forward(self, x):
        return self.layer(x).chunk(2, -1)


def test_a_module_on_another_device_encodes_images_of_the_cpu():
    x, model = torch.randn(100, 5), Encoder()
    expected = encode(model, x, second="logvar")
    with other_device():
        on_device = encode(model.to(DEVICE), x, second="logvar")
    for ours, theirs in zip(expected, on_device, strict=True):
        assert type(theirs) is torch.Tensor
        torch.testing.assert_close(theirs, ours)
