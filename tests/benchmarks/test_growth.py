"""How time and memory grow with N, M, D, the replicates and the cells."""

import math

import pytest

from tests.benchmarks import cases
from tests.benchmarks.costs import STATUS, cost
from tests.benchmarks.findings import Growth, Quantity

pytestmark = pytest.mark.skipif(
    not STATUS.exists(), reason="Growth and memory: not measured, no /proc to read the peak from"
)

LINEAR, LONGEST = 1.1, 60  # exponent, seconds
LARGE = [1000, 8000, 64_000, 512_000]
SMALL = [1, 2, 4, 8, 16, 32]
GROWTHS = {
    "log q_N, M = 1,000, D = 8": ("N", "log q_N", cases.log_prob, LARGE),
    "log q_N, N = 1,000, D = 8": ("M", "log q_N", cases.log_prob_points, LARGE),
    "log q_N, N = 4,000, M = 1,000": ("D", "log q_N", cases.log_prob_dimensions, [*SMALL, 64]),
    "an audit, D = 8": ("N", "audit", cases.auditing, [1000, 4000, 16_000, 64_000]),
    "20 steps at 64-200-200-2": ("replicates", "training", cases.training, SMALL),
    "planning a matrix": ("cells", "planning", cases.planning, [400, 1600, 6400, 25_600]),
    "the harness of a run": ("cells", "running", cases.running, [50, 200, 800]),
}


def growth(what, axis, name, sizes, measured, longest=LONGEST):
    costs = []
    for size in sizes:
        if len(costs) > 1 and costs[-1][0] * size / sizes[len(costs) - 1] > longest:
            break  # what would take too long here is left out
        costs.append(measured(size))
    seconds, megabytes = map(list, zip(*costs, strict=True))
    return Growth(what, axis, name, sizes[: len(costs)], seconds, megabytes)


@pytest.mark.parametrize("what", GROWTHS)
def test_growth(observe, what, tmp_path):
    axis, name, prepare, sizes = GROWTHS[what]
    folder = [str(tmp_path)] if axis == "cells" else []

    def measured(size):
        return cost(prepare, size, *folder, least=sizes[0])

    observe(lambda: [growth(what, axis, name, sizes, measured)])


def test_a_million_components(observe):
    sizes, points, dimensions = [62_500, 250_000, 1_000_000], 10_000, 10
    what = f"log q_N, M = {points:,}, D = {dimensions}, 2 threads"

    def large(size):
        return cost(cases.log_prob, size, points, dimensions, threads=2, least=1000)

    def measure():
        grown = growth(what, "N", "2 threads", sizes, large, math.inf)
        return [
            grown,
            Quantity(
                f"exponent of time in N, to N = {grown.sizes[-1]:,}: {what}",
                grown.time_exponent,
                target=LINEAR,
                cause="By the clock and with two threads, it varies by some hundredths from run to "
                "run; one thread's own is in the table of growth.",
            ),
            Quantity(
                f"memory beyond the inputs at N = {grown.sizes[-1]:,}: {what}",
                grown.megabytes[-1],
                "MB",
                target=200,
            ),
        ]

    observe(measure)


@pytest.mark.parametrize(
    ("components", "dimensions", "scale"),
    [(1_000_000, 2, 0.02), (1_000_000, 10, 0.3), (200_000, 10, 0.3)],
    ids=["blocks", "dense", "dense with all coefficients"],
)
def test_memory_of_the_density_is_bounded(observe, components, dimensions, scale):
    what = f"log q_N, N = {components:,}, D = {dimensions}, scale {scale}"

    def measure():
        peak = cost(cases.log_prob_nearby, components, dimensions, scale, least=3000)[1]
        return [Quantity(f"memory beyond the inputs: {what}", peak, "MB", target=200)]

    (peak,) = observe(measure)
    assert peak.value < 200


@pytest.mark.parametrize("test", ["mmd", "energy"])
def test_permutations_of_twenty_thousand_points(observe, test):
    observe(
        lambda: [
            Quantity(
                f"memory beyond the inputs: {test} test of n = m = 10,000, D = 8, 200 permutations",
                cost(cases.permutations, 10_000, test, least=100)[1],
                "MB",
                target=500,
            )
        ]
    )
