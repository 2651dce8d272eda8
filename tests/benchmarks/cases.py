"""What is measured at growing sizes: each prepares its inputs and returns the call to measure."""

import io
import tempfile
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from bench.matrix.language import load
from bench.run.plan import plan
from bench.run.progress import Lines
from bench.run.runner import run
from bench.run.store import Store
from tests.bench.fakes import InlineExecutor, job
from tests.benchmarks.test_training import together
from vaelib.audits.audit import audit
from vaelib.posterior import AggregatePosterior
from vaelib.seeding import stream
from vaelib.stats.two_sample import energy_two_sample_test, mmd_two_sample_test


def log_prob(components, points=1000, dimensions=8):
    generator = stream("benchmark", 0)
    shape = (components, dimensions)
    mean = torch.randn(shape, generator=generator, dtype=torch.float64)
    scale = torch.rand(shape, generator=generator, dtype=torch.float64).mul_(0.2).add_(0.1)
    z = torch.randn(points, dimensions, generator=generator, dtype=torch.float64)
    return partial(AggregatePosterior(mean, scale).log_prob, z)


def log_prob_nearby(components, dimensions, scale):
    generator = stream("benchmark", 0)
    mean = torch.randn(components, dimensions, generator=generator, dtype=torch.float64)
    q = AggregatePosterior(mean, torch.full_like(mean, scale))
    return partial(q.log_prob, mean[:2048] + scale)


def log_prob_points(points):
    return log_prob(1000, points)


def log_prob_dimensions(dimensions):
    return log_prob(4000, dimensions=dimensions)


def auditing(inputs, dimensions=8):
    generator = stream("benchmark", 0)
    mean = 0.8 * torch.randn(inputs, dimensions, generator=generator)
    return partial(audit, mean, torch.full_like(mean, 0.6))


def training(replicates, steps=20):
    return partial(together, torch.rand(1280, 64), [200, 200], list(range(replicates)), steps)


def permutations(each, test):
    generator = stream("benchmark", 0)
    x, y = torch.randn(2, each, 8, generator=generator, dtype=torch.float64)
    options = {"mmd": {"bandwidths": [4.0]}, "energy": {}}[test]
    tests = {"mmd": mmd_two_sample_test, "energy": energy_two_sample_test}
    return partial(tests[test], x, y, generator=stream("permutations", 0), **options)


def planning(cells, folder):
    path = Path(folder) / f"plan-{cells}.toml"
    rates = ", ".join(f"{i}e-6" for i in range(1, cells // 4 + 1))
    path.write_text(
        '[matrix]\nname = "large"\nseeds = 4\n[[study]]\nname = "all"\n'
        f'grid = {{ "training.learning_rate" = [{rates}] }}\n'
    )
    return lambda: plan(load(str(path)), Path(folder))


def running(cells, folder):
    def call():
        fresh = tempfile.mkdtemp(dir=folder)
        jobs = [job(f"size-{i}", fresh, seeds=1) for i in range(cells)]
        summary = run(jobs, Store(fresh), InlineExecutor(), Lines(Console(file=io.StringIO())))
        assert summary.exit_code == 0

    return call
