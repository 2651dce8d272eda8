"""Up to which dimension each test of the panel sees a departure of .2 nats.

``python -m bench.calibration.reach`` counts rejections at level .05 and writes the table from which
the sentences in `bench.metrics.latent_tests` are taken; a few minutes on one core.
"""

import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from scipy.optimize import brentq
from torch import Tensor

from bench.calibration.levels import TESTS
from bench.calibration.measured import code_of
from bench.calibration.samples import normal
from bench.rows import write_rows
from vaelib.seeding import stream
from vaelib.stats.goodness_of_fit import GOODNESS_OF_FIT_TESTS
from vaelib.stats.nulls import NormalNull

__all__ = ["DEPARTURES", "DIMENSIONS", "KL", "POINTS", "measure", "reach", "sentence"]

KL = 0.2
"""Of every departure from N(0, I) whatever D, in nats."""
POINTS = 500
"""n: the rows that the tests of an audit see at most."""
DIMENSIONS = (2, 4, 8, 16, 32, 64, 128)
"""D."""

_NULL = NormalNull(draws=199)
_SEEN = 0.5  # power
_CLASSIFIER = "c2st_test"
_PANEL = (*GOODNESS_OF_FIT_TESTS, _CLASSIFIER)
_REPETITIONS = {name: 20 if name == _CLASSIFIER else 40 for name in _PANEL}


def _scaled(z: Tensor, _: torch.Generator) -> Tensor:
    """N(0, vI)."""
    dimensions = z.shape[1]
    excess = lambda v: dimensions / 2 * (v - 1 - math.log(v)) - KL  # noqa: E731
    return z * math.sqrt(brentq(excess, 1, 20))


def _shifted(z: Tensor, _: torch.Generator) -> Tensor:
    """Mean √(2 KL) along one direction."""
    z[:, 0] += math.sqrt(2 * KL)
    return z


def _correlated(z: Tensor, _: torch.Generator) -> Tensor:
    """One pair of dimensions."""
    rho = math.sqrt(1 - math.exp(-2 * KL))
    z[:, 1] = rho * z[:, 0] + math.sqrt(1 - rho**2) * z[:, 1]
    return z


def _clusters(z: Tensor, generator: torch.Generator) -> Tensor:
    """Two along one direction, of mean 0 and variance 1 together."""
    sign = 2.0 * torch.randint(2, (len(z),), generator=generator) - 1
    centre = brentq(lambda m: _kl_of_two(m) - KL, 0.5, 0.99)
    z[:, 0] = centre * sign + math.sqrt(1 - centre**2) * z[:, 0]
    return z


def _kl_of_two(centre: float) -> float:
    """KL of an equal mixture of N(± centre, 1 - centre²) to N(0, 1), by the trapezoidal rule."""
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    variance = 1 - centre**2
    sides = torch.stack([-0.5 * (z - m).square() / variance for m in (centre, -centre)])
    log_q = sides.logsumexp(0) - 0.5 * math.log(2 * math.pi * variance) - math.log(2)
    ratio = log_q + 0.5 * z.square() + 0.5 * math.log(2 * math.pi)
    return float(torch.trapezoid(log_q.exp() * ratio, z))


DEPARTURES: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "scale": _scaled,
    "shift": _shifted,
    "correlation": _correlated,
    "clusters": _clusters,
}
"""Each turns draws of N(0, I), which it may edit, into draws of another law."""


def measure(test: str, dimensions: int, departure: str, repetitions: int) -> int:
    """Count rejections of one departure, in one random rotation.

    Args:
        test: Its name.
        dimensions: D.
        departure: Its name.
        repetitions: How often.

    Returns:
        Rejections at level .05; 0 where the test refuses that D.
    """
    generator = stream(f"reach {test} {departure}", dimensions)
    rotation = torch.linalg.qr(normal(dimensions, dimensions, generator)).Q
    rejected = 0
    for _ in range(repetitions):
        z = DEPARTURES[departure](normal(POINTS, dimensions, generator), generator) @ rotation
        try:
            rejected += TESTS[test](z, _NULL, generator).p_value <= 0.05
        except ValueError:
            return 0
    return rejected


def reach(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """The largest D up to which each test rejects each departure at least every other time.

    Args:
        table: As `main` writes it.

    Returns:
        Test -> departure -> D; 0 where it is blind at the least D.
    """
    seen = table.assign(seen=table["rejections"] >= _SEEN * table["repetitions"])
    found: dict[str, dict[str, int]] = {}
    for (test, departure), part in seen.groupby(["test", "departure"], sort=False):
        unbroken = part.sort_values("D")["seen"].cummin()
        largest = int(part.sort_values("D")["D"][unbroken].max()) if unbroken.any() else 0
        found.setdefault(str(test), {})[str(departure)] = largest
    return found


def sentence(reached: dict[str, int]) -> str:
    """What the summary of a test's metric says.

    Args:
        reached: Departure -> D, of one test.

    Returns:
        One sentence.
    """
    kinds: dict[int, list[str]] = {}
    for kind, dimensions in sorted(reached.items(), key=lambda item: -item[1]):
        kinds.setdefault(dimensions, []).append(kind)
    blind = kinds.pop(0, [])
    clauses = []
    for dimensions, names in kinds.items():
        tried = ", the largest tried," if dimensions == max(DIMENSIONS) else ""
        clauses.append(f"D = {dimensions}{tried} for {_listed(names)}")
    text = f"Power of .5 at n = {POINTS} against {KL:g} nats".replace("0.", ".")
    text += f" up to {_listed(clauses)}"
    return text + (f"; at no D for {_listed(blind)}." if blind else ".")


def _listed(texts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


def main() -> None:
    """Measure everything, write the table, say the sentences."""
    rows = [
        {
            "test": test,
            "n": POINTS,
            "D": dimensions,
            "departure": departure,
            "repetitions": _REPETITIONS[test],
            "rejections": measure(test, dimensions, departure, _REPETITIONS[test]),
        }
        for test in _PANEL
        for dimensions in DIMENSIONS
        for departure in DEPARTURES
    ]
    table = pd.DataFrame(rows).assign(code=code_of("reach"))
    write_rows(Path("results") / "validity" / "reach.csv", table)
    for test, reached in reach(table).items():
        print(f"{test}: {sentence(reached)}")


if __name__ == "__main__":
    main()
