"""What could make training faster and does not here, so that the suite does without it."""

import shutil
import time
from functools import partial

import pytest
import torch

from tests.benchmarks.findings import Finding, Quantity
from tests.benchmarks.test_training import POINTS, SIZES, together
from tests.benchmarks.timing import cpu_seconds, like_a_worker
from vaelib import training

FEW, MORE = 20, 120  # steps


def beginning_and_step(x, hidden, seeds):
    """Seconds of the first steps by the clock, with all before them, and CPU seconds of a step."""
    start = time.perf_counter()
    few = cpu_seconds(partial(together, x, hidden, seeds, FEW))
    beginning = time.perf_counter() - start
    more = cpu_seconds(partial(together, x, hidden, seeds, MORE))
    return beginning, (more - few) / (MORE - FEW)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(
    not shutil.which("g++"), reason="Compiled training: not measured, no C++ compiler"
)
@pytest.mark.parametrize("size", SIZES)
def test_a_compiled_loss(observe, size, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # nothing compiled before
    pixels, hidden, replicates, _ = SIZES[size]
    x, seeds, bound = torch.rand(POINTS, pixels), list(range(replicates)), training._bound

    def compiled(template, state):
        call = torch.compile(bound(template, state), dynamic=False)
        return lambda batch, noise, _: call(batch, noise, 0.0)  # else every step compiles again

    def measure():
        with like_a_worker():
            together(x, hidden, seeds, FEW)
            before, eager = beginning_and_step(x, hidden, seeds)
            monkeypatch.setattr(training, "_bound", compiled)
            together(x[:, :8], [8], [0], 1)  # what is imported for the first compilation
            torch.compiler.reset()
            after, _ = beginning_and_step(x, hidden, seeds)
            _, step = beginning_and_step(x, hidden, seeds)
        name = f"{size}: a step of replicates trained together, the loss by torch.compile"
        paid = (after - before) / (eager - step) if step < eager else float("inf")
        return [
            Finding(f"not taken: {name}", "the same as shipped", [step / eager], noise=0.0),
            Quantity(f"not taken: steps until compiling pays for itself, {size}", paid),
        ]

    observe(measure)
