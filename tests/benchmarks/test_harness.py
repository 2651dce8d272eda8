"""What the harness itself costs: 2,000 cells of one millisecond, and 100,000 plans.

Each script runs in a process of its own, whose peak memory is that of the coordinator alone.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.findings import Quantity

ROOT = Path(__file__).parents[2]
CELLS = 2000
REAL_CELL = 2.5  # seconds of one core, the least of the digits matrix but for short trainings

RUNS = """
import io, json, sys, time
from rich.console import Console
from bench.run.executors import LocalExecutor
from bench.run.progress import Lines
from bench.run.runner import run
from bench.run.store import Store
from tests.bench.fakes import job

folder, cells = sys.argv[1], int(sys.argv[2])
jobs = [job(f"size-{i}", folder, does="measures_much", seeds=1) for i in range(cells)]
def timed(jobs):
    start = time.perf_counter()
    lines = Lines(Console(file=io.StringIO()))
    summary = run(jobs, Store(folder), LocalExecutor(2, preload=()), lines)
    assert summary.exit_code == 0 and len(summary.statuses) == sum(len(j["cells"]) for j in jobs)
    return time.perf_counter() - start
start = timed([job("first", folder, seeds=1)])
seconds, resumed = timed(jobs), timed(jobs)
"""
PLANS = """
import json, sys, time
from pathlib import Path
from bench.matrix.language import load
from bench.run.plan import plan
start = time.perf_counter()
planned = plan(load(sys.argv[2]), Path(sys.argv[1]))
seconds, cells = time.perf_counter() - start, len(planned.cells)
assert len({cell.id for cell in planned.cells}) == cells
"""
PEAK = """
status = Path("/proc/self/status").read_text()  # ru_maxrss would start from the parent's peak
peak = int(status.split("VmHWM:")[1].split()[0]) / 1e6
names = ("start", "seconds", "resumed", "cells", "peak")
print(json.dumps({name: value for name, value in globals().items() if name in names}))
"""


def measured(script, *arguments):
    command = [sys.executable, "-c", f"from pathlib import Path\n{script}{PEAK}"]
    done = subprocess.run(
        [*command, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(),
    reason="The harness: not measured, no /proc to read the peak from",
)


def test_two_thousand_cells(observe, tmp_path):
    def measure():
        run = measured(RUNS, tmp_path, CELLS)
        per_cell = (run["seconds"] - run["start"]) / CELLS
        return [
            Quantity(
                f"harness of a run of {CELLS:,} cells, per cell: share of the least cell of digits",
                100 * per_cell / REAL_CELL,
                "%",
                target=5,
            ),
            Quantity(
                f"the same run again, all {CELLS:,} cells cached: share of the first run's time",
                100 * run["resumed"] / run["seconds"],
                "%",
                target=100,
            ),
            Quantity(f"peak of its coordinator, {CELLS:,} cells", 1e3 * run["peak"], "MB"),
        ]

    share, again, _ = observe(measure)
    assert share.value < 5 and again.value < 100


def test_a_hundred_thousand_plans(observe, tmp_path):
    matrix = tmp_path / "large.toml"
    rates = ", ".join(f"{i}e-5" for i in range(1, 201))
    betas = ", ".join(f"{i}e-1" for i in range(125))
    matrix.write_text(
        '[matrix]\nname = "large"\nseeds = 4\n[[study]]\nname = "all"\n'
        f'grid = {{ "training.learning_rate" = [{rates}], "objective.beta" = [{betas}] }}\n'
    )

    def measure():
        plans = measured(PLANS, tmp_path, matrix)
        assert plans["cells"] == 100_000
        return [
            Quantity(
                "planning 100,000 cells, per cell: share of the least cell of digits",
                plans["seconds"] / 1e3 / REAL_CELL,
                "%",
                target=5,
            ),
            Quantity("peak of planning 100,000 cells", 1e3 * plans["peak"], "MB", target=1000),
        ]

    _, peak = observe(measure)
    assert peak.value < 1000
