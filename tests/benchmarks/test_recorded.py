"""What the committed run of digits says of its own time."""

import math
from pathlib import Path

import pandas as pd

from bench.run.provenance import cpu, sessions
from tests.benchmarks.findings import Gap, Quantity

DIGITS = Path(__file__).parents[2] / "results" / "digits"


def recorded():
    provenance = sessions(DIGITS / "provenance.json")[-1]
    wall, workers = provenance["seconds"], provenance["threads"]["workers"]
    cells = pd.read_csv(DIGITS / "rows.csv", usecols=["cell", "seconds"]).drop_duplicates("cell")
    rest = 1 - cells["seconds"].sum() / (workers * wall)
    if (processor := provenance["hardware"]["cpu"]) != cpu():
        return [Gap(f"The time of digits: not measured, the committed run is of {processor}")]
    return [
        Quantity(
            f"time of `vaebench run digits` by the clock, {workers} workers, as committed",
            wall,
            "s",
            target=360,
            noise=math.inf,
            cause="Half of it is training, whose own targets are above; most of the rest is the "
            "audits and the nulls of 170 models.",
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
