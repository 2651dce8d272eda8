"""On a GPU: training against a loop over seeds there, log q_N against what the card can do."""

from functools import partial

import pytest
import torch

from tests.benchmarks.findings import Finding, Quantity
from tests.benchmarks.test_training import POINTS, SIZES, loop_over_seeds, together
from vaelib.posterior import AggregatePosterior
from vaelib.seeding import stream

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="GPU: not measured, no card on this machine"
)

ROUNDS, TOLERANCE = 5, 1e-4  # nats
N = M = 16_384
D, SIDE = 8, 8192


def seconds(function):
    """From the first kernel's start to the last one's end, by the clock of the device."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    function()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3


def least(function):
    function()
    return min(seconds(function) for _ in range(ROUNDS))


def looped(x, hidden, seeds, steps):
    with torch.device(x.device):
        loop_over_seeds(x, hidden, seeds, steps)


@pytest.mark.parametrize("size", SIZES)
def test_replicates_on_a_gpu(observe, size):
    pixels, hidden, _, steps = SIZES[size]
    x, seeds = torch.rand(POINTS, pixels, device="cuda"), list(range(10))
    reference = partial(looped, x, hidden, seeds, steps)
    measured = partial(together, x, hidden, seeds, steps)

    def found():
        reference()
        measured()
        rounds = [[seconds(f) for f in (reference, measured, reference)] for _ in range(ROUNDS)]
        return [
            Finding(
                f"{size.split()[0]} x {len(seeds)}: replicates trained together",
                "a plain loop over seeds on the same card",
                [2 * t / (before + after) for before, t, after in rounds],
                max(abs(after / before - 1) for before, _, after in rounds),
                target=0.2,
                cause="Batches and noise are drawn on the CPU and copied at every step.",
                device=torch.cuda.get_device_name(),
            )
        ]

    observe(found)


def test_log_prob_on_a_gpu(observe):
    generator = stream("benchmark", 0)
    mean, z = torch.randn(2, N, D, generator=generator, dtype=torch.float64)
    scale = 0.1 + 0.2 * torch.rand(N, D, generator=generator, dtype=torch.float64)
    q, there = AggregatePosterior(mean.cuda(), scale.cuda()), z.cuda()
    exact = AggregatePosterior(mean, scale).log_prob(z[:1000])
    assert (q.log_prob(there)[:1000].cpu() - exact).abs().max() <= TOLERANCE

    def found():
        square = torch.randn(SIDE, SIDE, device="cuda", dtype=torch.float64)
        product, copy = least(lambda: square @ square), least(square.clone)
        operations, numbers = 2 * SIDE**3 / product, 2 * SIDE**2 / copy
        taken, what = least(lambda: q.log_prob(there)), f"exact log q_N at {M} points, N = {N}"
        return [
            Quantity(
                f"{what}, D = {D}, of the card's float64 product: one of [z², z, 1]",
                100 * 2 * M * N * (2 * D + 1) / taken / operations,
                "%",
            ),
            Quantity(
                f"{what}, D = {D}, of the card's copy: all densities written and read once",
                100 * 2 * M * N / taken / numbers,
                "%",
            ),
        ]

    observe(found)
