"""The gate on real runs: three seeded defects turn it red, a slower run does not."""

import time

import pytest

from bench.analysis.gate import compare, exit_code
from bench.matrix.language import load
from bench.metrics.registry import METRICS
from bench.rows import rows
from bench.run.cell import run_block
from bench.run.plan import plan
from bench.run.store import Store
from vaelib import objectives, training
from vaelib.families import GaussianFamily

MATRIX = """
[matrix]
name = "defects"
seeds = 5
[base]
dataset = { name = "digits" }
encoder = { name = "mlp", hidden = [64] }
decoder = { name = "mlp", hidden = [64] }
latent_dim = 2
training = { steps = 400 }
quality = { sources = [], bound_inputs = 0 }
"""


def measured(folder):
    """Tidy rows of the matrix, trained and measured in this process."""
    file = folder / "defects.toml"
    file.write_text(MATRIX)
    planned = plan(load(file, metrics=METRICS), folder)
    store = Store(planned.folder)
    for job in planned.jobs:
        for record in run_block(job):
            store.write(record, job)
    codes = {cell: job.code for job in planned.jobs for cell in job.cells}
    units = {name: metric.unit for name, metric in METRICS.items()}
    return rows("defects", planned.cells, store, units, codes)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    return measured(tmp_path_factory.mktemp("baseline"))


def wide_draws(monkeypatch):
    """The posterior scale is doubled where z is drawn."""

    def wide(self, mean, scale, noise):
        return mean + 2 * scale * noise

    monkeypatch.setattr(GaussianFamily, "draw", wide)


def slow_learning(monkeypatch):
    """The learning rate is a tenth of what the matrix says."""
    adam = training.torch.optim.Adam

    def slow(parameters, lr, **options):
        return adam(parameters, lr=lr / 10, **options)

    monkeypatch.setattr(training.torch.optim, "Adam", slow)


def half_kl(monkeypatch):
    """The KL term has half its weight."""
    create = objectives.ELBO.__init__

    def halved(self, *sizes, beta=1.0, **options):
        create(self, *sizes, beta=beta / 2, **options)

    monkeypatch.setattr(objectives.ELBO, "__init__", halved)


@pytest.mark.parametrize("defect", [wide_draws, slow_learning, half_kl])
def test_a_seeded_defect_turns_the_gate_red(defect, baseline, tmp_path, monkeypatch):
    defect(monkeypatch)
    found = compare(measured(tmp_path), baseline)
    assert exit_code(found) == 1


def test_a_slower_run_of_the_same_code_is_green(baseline, tmp_path, monkeypatch):
    def slower(*arguments, work=training._batches):
        for batch in work(*arguments):
            time.sleep(1e-4)  # why: to be slower is the subject, and nothing waits for it
            yield batch

    monkeypatch.setattr(training, "_batches", slower)
    found = compare(measured(tmp_path), baseline)
    assert {one.verdict for one in found} == {"OK"} and exit_code(found) == 0
