"""What the committed run of digits says of its own time."""

import json
import math
from pathlib import Path

import pandas as pd

from tests.benchmarks.findings import Quantity

DIGITS = Path(__file__).parents[2] / "results" / "digits"


def recorded():
    provenance = json.loads((DIGITS / "provenance.json").read_text())
    wall, workers = provenance["seconds"], provenance["threads"]["workers"]
    cells = pd.read_csv(DIGITS / "rows.csv", usecols=["cell", "seconds"]).drop_duplicates("cell")
    rest = 1 - cells["seconds"].sum() / (workers * wall)
    where = f"`{provenance['command']}` with {workers} workers on {provenance['hardware']['cpu']}"
    return [
        Quantity(
            f"time by the clock, as committed in results/digits: {where}",
            wall,
            "s",
            target=360,
            noise=math.inf,
            cause="Most of it is training, whose own targets are above.",
        ),
        Quantity(
            "share of the workers' time outside of cells in that run: harness, starting, idling",
            100 * rest,
            "%",
            target=5,
            noise=math.inf,
        ),
    ]


def test_the_committed_run(observe):
    observe(recorded)
