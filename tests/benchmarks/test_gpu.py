"""On a GPU: training against a loop over seeds there, log q_N against what the card can do."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from tests.benchmarks.findings import Finding, Quantity
from tests.benchmarks.test_training import BATCH, LATENT, POINTS, SIZES, loop_over_seeds, together
from vaelib.posterior import AggregatePosterior
from vaelib.seeding import stream

pytestmark = [
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="GPU: not measured, no card on this machine"
    ),
    pytest.mark.filterwarnings("ignore"),  # of the profiler's and the compiler's own code
]

REPLICATES, STEPS, LONG, ROUNDS = 10, 100, 500, 2
N = M = 16_384
D, SIDE, TIMES = 8, 8192, 5
TOLERANCE = 1e-4  # nats
MIXTURES = {  # spread of means, scales, how far off z are: but the first are hard for few digits
    "components of scale .1 to .3": (1.0, (0.1, 0.3), 0.0),
    "far from components of scale .01": (1.0, (0.01, 0.01), 1.0),
    "far from components of scale .01, 100 apart": (100.0, (0.01, 0.01), 1.0),
}


def card():
    return torch.cuda.get_device_name()


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
    return min(seconds(function) for _ in range(TIMES))


def kernel_seconds(function):
    """The time of all kernels and copies, without what is between them."""
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        function()
        torch.cuda.synchronize()
    events = [e for e in profiled.key_averages() if not getattr(e, "is_user_annotation", False)]
    return sum(event.self_device_time_total for event in events) / 1e6


def operations(pixels, hidden):
    """Of the products of one replicate's step; the data need no gradient."""
    total = 0
    for sizes in ([pixels, *hidden, 2 * LATENT], [LATENT, *hidden, pixels]):
        for inputs, outputs in pairwise(sizes):
            total += 2 * BATCH * inputs * outputs * (2 if inputs == pixels else 3)
    return total


def products_per_second(dtype):
    square = torch.randn(SIDE, SIDE, device="cuda", dtype=dtype)
    return 2 * SIDE**3 / least(lambda: square @ square)


def looped(x, hidden, seeds, steps):
    with torch.device(x.device):
        loop_over_seeds(x, hidden, seeds, steps)


@pytest.mark.parametrize("size", SIZES)
def test_replicates_on_a_gpu(observe, size):
    pixels, hidden, *_ = SIZES[size]
    x, seeds = torch.rand(POINTS, pixels, device="cuda"), list(range(REPLICATES))
    reference = partial(looped, x, hidden, seeds)
    measured = partial(together, x, hidden, seeds)
    what = f"{size.split()[0]} x {REPLICATES}: replicates trained together"

    def measure():
        for function in (reference, measured):
            function(3)
        order = reference, measured, reference
        before, replicates, after = (seconds(partial(f, STEPS)) for f in order)
        taken, busy = seconds(partial(measured, LONG)), kernel_seconds(partial(measured, LONG))
        done = LONG * REPLICATES * operations(pixels, hidden)
        return [
            Finding(
                f"{what}, {STEPS} steps",
                "a plain loop over seeds on the same card",
                [2 * replicates / (before + after)],
                abs(after / before - 1),
                target=0.2,
                cause="Kernels run in a small part of the time; the rest is their calls.",
                device=card(),
            ),
            Quantity(
                f"{what}, {LONG} steps: share of the time in which kernels run",
                100 * busy / taken,
                "%",
                device=card(),
            ),
            Quantity(
                f"{what}, {LONG} steps: operations per second of the card's float32 product",
                100 * done / taken / products_per_second(torch.float32),
                "%",
                device=card(),
            ),
        ]

    observe(measure)


def mixture(spread, scales, offset):
    generator = stream("benchmark", 0)
    mean, noise = torch.randn(2, N, D, generator=generator, dtype=torch.float64)
    low, high = scales
    scale = low + (high - low) * torch.rand(N, D, generator=generator, dtype=torch.float64)
    q = AggregatePosterior((spread * mean).cuda(), scale.cuda())
    return q, q.mean + q.scale * noise.cuda() + offset


def error(log_q, q, z):
    """The largest against the same on the CPU, of the first 1,000 points, in nats."""
    exact = AggregatePosterior(q.mean.cpu(), q.scale.cpu()).log_prob(z[:1000].cpu())
    return float((log_q[:1000].double().cpu() - exact).abs().max())


def test_log_prob_on_a_gpu(observe):
    what = f"exact log q_N at {M:,} points, N = {N:,}, D = {D}"

    def measure():
        q, z = mixture(*MIXTURES["components of scale .1 to .3"])
        square = torch.randn(SIDE, SIDE, device="cuda", dtype=torch.float64)
        numbers = 2 * SIDE**2 / least(square.clone)
        taken = least(lambda: q.log_prob(z))
        done, moved = 2 * M * N * (2 * D + 1), 2 * M * N
        rows = [
            Quantity(
                f"{what}, of the card's float64 product: one of [z², z, 1]",
                100 * done / taken / products_per_second(torch.float64),
                "%",
                device=card(),
            ),
            Quantity(
                f"{what}, of the card's copy: all densities written and read once",
                100 * moved / taken / numbers,
                "%",
                device=card(),
            ),
        ]
        for name, made in MIXTURES.items():
            q, z = mixture(*made)
            rows.append(
                Quantity(
                    f"largest error of log q_N, {name}, D = {D}",
                    error(q.log_prob(z), q, z),
                    "nats",
                    target=TOLERANCE,
                    device=card(),
                )
            )
        return rows

    observe(measure)


def differences(z, mean, precision, constant):
    """The log of the sum, differences taken directly; compiled, one kernel that keeps nothing."""
    squares = ((z[:, None] - mean) * precision).square().sum(-1)
    return torch.logsumexp(constant - 0.5 * squares, 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_compiled_differences_on_a_gpu(observe, dtype):
    """Not taken: float32 errs far from narrow components, and each process compiles anew."""
    name = f"not taken: differences in {str(dtype).removeprefix('torch.')} compiled into one kernel"

    def log_q(compiled, q, z):
        half = 0.5 * D * math.log(2 * math.pi)
        constant = -q.scale.log().sum(1) - half - math.log(N)
        return compiled(*(part.to(dtype) for part in (z, q.mean, 1 / q.scale, constant)))

    def measure():
        compiled = torch.compile(differences, dynamic=False)
        made = {name: mixture(*options) for name, options in MIXTURES.items()}
        errors = {name: error(log_q(compiled, *both), *both) for name, both in made.items()}
        q, z = next(iter(made.values()))
        rounds = [
            [least(lambda: q.log_prob(z)), least(lambda: log_q(compiled, q, z))]
            for _ in range(ROUNDS)
        ]
        (first, _), (last, _) = rounds[0], rounds[-1]
        return [
            Finding(
                f"{name}, {M:,} points, N = {N:,}, D = {D}",
                "exact log q_N as shipped, on the same card",
                [taken / shipped for shipped, taken in rounds],
                abs(last / first - 1),
                device=card(),
            ),
            *(
                Quantity(f"{name}: largest error, {what}", value, "nats", device=card())
                for what, value in errors.items()
            ),
        ]

    observe(measure)
