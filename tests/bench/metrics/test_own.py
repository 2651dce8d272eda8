"""Components, data and metrics of a user's own, from a folder that is not the suite's."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bench
from bench.cli import main
from bench.commands.report import write_overviews, write_pages
from bench.errors import DamagedWarning
from bench.matrix.language import MatrixError, load
from bench.metrics.metric import Metric
from bench.metrics.registry import METRICS, own_metrics, recall, remember
from bench.rows import COLUMNS, SCHEMA
from bench.run.code_roots import MEASURES
from tests.bench.synthetic import stored
from vaelib.code_hash import code_digests, code_hash

OWN = """
import torch
from bench.metrics import Metric
from bench.metrics.own import NotDefinedError
from vaelib.datasets import Dataset
from vaelib.likelihoods import Gaussian
from vaelib.networks import MLPDecoder, MLPEncoder
from vaelib.objectives import ELBO
from vaelib.priors import Normal
from vaelib.seeding import stream

class MyPrior(Normal): pass
class MyEncoder(MLPEncoder): pass
class MyDecoder(MLPDecoder): pass
class MyLikelihood(Gaussian): pass
class MyObjective(ELBO): pass

def my_data(*, size: int = 60) -> Dataset:
    return Dataset("mine", torch.rand(size, 1, 4, 4, generator=stream("mine", 0)))

def measure(encoded):
    return float(encoded.mean.square().mean()), 0.25

my_metric = Metric(
    "my_norm", "prior variances", "lower", 0.1, "my norm", "Mean square of the means.", "me",
    measure=measure,
)

def refuse(encoded):
    raise NotDefinedError("needs labels") if encoded.labels is None else ZeroDivisionError("oops")

my_other = Metric("my_other", "1", None, None, "other", "Nothing.", "me", measure=refuse)
"""

MATRIX = """
# Do plug-ins run?
[matrix]
name = "plugged"
seeds = 2
metrics = ["vb_own:my_metric", "vb_own:my_other"]
[base]
dataset = { name = "vb_own:my_data", size = 80 }
encoder = { name = "vb_own:MyEncoder", hidden = [8] }
decoder = { name = "vb_own:MyDecoder", hidden = [8] }
prior = { name = "vb_own:MyPrior" }
likelihood = { name = "vb_own:MyLikelihood", scale = 0.5 }
objective = { name = "vb_own:MyObjective", beta = 2.0 }
training = { steps = 5 }
quality = { sources = [] }
[[study]]
name = "heads"
grid = { "encoder.hidden" = [[8], [4]] }
[[claim]]
id = "x"
says = "a smaller encoder has smaller means"
study = "heads"
metric = "my_norm"
expect = "decreasing"
margin = 0.1
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "vb_own.py").write_text(OWN)
    (tmp_path / "plugged.toml").write_text(MATRIX)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "vb_own", raising=False)
    yield tmp_path
    sys.modules.pop("vb_own", None)


def vaebench(*arguments):
    """The command in a process of its own, as a user's shell starts it."""
    suite = str(Path(bench.__file__).parent.parent)
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": suite},
    )


@pytest.mark.slow
def test_every_kind_of_plug_in_runs_from_another_folder_in_worker_processes(folder):
    done = vaebench("run", "plugged.toml", "--workers", "2", "--device", "cpu")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 ok in" in done.stdout
    frame = pd.read_csv("vaebench-results/plugged/rows.csv", keep_default_na=False)
    assert set(frame["dataset"]) == {"vb_own:my_data"}
    own = frame[frame["metric"] == "my_norm"]
    assert len(own) == 8  # 2 configurations, 2 seeds, 2 splits
    assert set(own["unit"]) == {"prior variances"}
    assert set(own["standard_error"].astype(float)) == {0.25}
    values = own[own["split"] == "train"].set_index(["config", "seed"])["value"].astype(float)
    for (config, seed), value in values.items():
        cell = own[(own["config"] == config) & (own["seed"] == seed)]["cell"].iloc[0]
        with np.load(f"vaebench-results/plugged/cells/{cell}.npz") as arrays:
            assert value == pytest.approx(float(np.square(arrays["train_mean"]).mean()), rel=1e-5)
    other = frame[frame["metric"] == "my_other"]
    assert set(other["message"]) == {"needs labels"} and set(other["value"]) == {""}

    page = Path("vaebench-results/plugged.md").read_text()
    parts = {path.stem: path.read_text() for path in Path("vaebench-results/plugged").glob("*.md")}
    assert "my norm ↓" in page and "## Your own metrics" in "".join(parts.values())
    assert "Mean square of the means." in parts["columns"]
    assert "other: needs labels" in "".join(parts.values())
    claims = Path("vaebench-results/plugged-claims.md").read_text()
    assert "a smaller encoder has smaller means" in claims and "my norm" in claims

    again = vaebench("run", "plugged.toml", "--workers", "1", "--device", "cpu")
    assert "4 cached" in again.stdout
    Path("vaebench-results/plugged.md").unlink()
    assert main(["report", "plugged"]) == 0
    assert Path("vaebench-results/plugged.md").read_text() == page

    Path("vb_own.py").write_text(OWN.replace("0.25", "0.5"))
    shown = vaebench("run", "plugged.toml", "--dry-run").stdout
    assert "0 cached, 4 stale" in shown or "4 to run" in shown, shown


def test_pages_know_own_metrics_without_their_module(folder):
    kept = (
        '[{"name": "my_norm", "unit": "1", "better": "lower", "margin": 0.1, "symbol": "m", '
        '"summary": "s", "reference": "r"}]'
    )
    (folder / "metrics.json").write_text(kept)
    assert recall(folder)["my_norm"].measure is None
    assert recall(folder)["my_norm"].margin == 0.1
    (imported,) = own_metrics(["vb_own:my_metric"])
    assert imported.measure is not None
    remember(folder, METRICS.with_own([imported]))
    assert recall(folder)["my_norm"].unit == "prior variances"
    remember(folder, METRICS)
    assert recall(folder) == METRICS and not (folder / "metrics.json").exists()


def test_known_metrics_are_a_value(folder):
    before = dict(METRICS)
    matrix = load(folder / "plugged.toml", metrics=METRICS)
    assert [metric.name for metric in matrix.metrics.own] == ["my_norm", "my_other"]
    assert list(matrix.metrics) == [*METRICS, "my_norm", "my_other"]
    assert dict(METRICS) == before and METRICS.own == ()
    assert matrix.metrics.with_own([]) == METRICS
    with pytest.raises(TypeError):
        METRICS["my_norm"] = matrix.metrics["my_norm"]


def test_two_matrices_with_a_metric_of_one_name_each_have_their_own(folder):
    (folder / "vb_other.py").write_text(OWN.replace("prior variances", "volts"))
    (folder / "other.toml").write_text(MATRIX.replace("vb_own:my_metric", "vb_other:my_metric"))
    first, second = (load(folder / f"{name}.toml") for name in ("plugged", "other"))
    sys.modules.pop("vb_other")
    assert first.metrics["my_norm"].unit == "prior variances"
    assert second.metrics["my_norm"].unit == "volts"
    assert "my_norm" not in METRICS


def ranked_by(name, unit, better):
    """Rows of two configurations by a metric of one's own, and what that metric is."""
    table = []
    for config, level in (("base", 0.0), ("other", 1.0)):
        for seed in range(10):
            row = dict.fromkeys(COLUMNS, "") | {
                "schema": SCHEMA,
                "standard_error": np.nan,
                "p_value": np.nan,
            }
            row |= {"matrix": name, "config": config, "seed": seed, "cell": f"{config}{seed}"}
            row |= {"dataset": "mine", "split": "test", "status": "ok", "seconds": 1.0}
            table.append(row | {"metric": "my_norm", "value": level + 0.01 * seed})
    metric = Metric("my_norm", unit, better, 0.1, f"norm of {name}", "Mean square.", "me")
    return pd.DataFrame(table, columns=[*COLUMNS]), metric


def test_own_metrics_of_one_name_are_told_apart_in_one_process(tmp_path):
    before = dict(METRICS)
    for name, unit, better in (("first", "volts", "lower"), ("second", "amperes", "higher")):
        rows, metric = ranked_by(name, unit, better)
        stored(tmp_path, name, rows)
        remember(tmp_path / name, METRICS.with_own([metric]))
    pages = [write_pages(tmp_path, name).read_text() for name in ("first", "second")]
    assert "norm of first ↓ |" in pages[0] and "norm of first: volts" in pages[0]
    assert "norm of second ↑ |" in pages[1] and "norm of second: amperes" in pages[1]
    assert "norm of second" not in pages[0] and "norm of first" not in pages[1]
    best = [page.split("## Leaderboard")[1].index("| `base` ") for page in pages]
    worst = [page.split("## Leaderboard")[1].index("| `other` ") for page in pages]
    assert best[0] < worst[0] and best[1] > worst[1]
    assert write_pages(tmp_path, "first").read_text() == pages[0]
    assert dict(METRICS) == before and METRICS.own == ()


def test_a_report_imports_no_metric_and_claims_are_decided_by_what_was_kept(tmp_path):
    rows, metric = ranked_by("plain", "volts", "lower")
    stored(tmp_path, "plain", rows)
    remember(tmp_path / "plain", METRICS.with_own([metric]))
    (tmp_path / "plain" / "matrix.toml").write_text(
        '[matrix]\nname = "plain"\nmetrics = ["nowhere_at_all:my_norm"]\n'
        '[[claim]]\nid = "x"\nsays = "it is small"\nmetric = "my_norm"\nexpect = "less"\n'
        "reference = 0.5\n"
    )
    write_pages(tmp_path, "plain")
    assert "norm of plain" in (tmp_path / "plain-claims.md").read_text()
    (tmp_path / "plain" / "metrics.json").write_text("[{")
    with pytest.warns(DamagedWarning, match="expected the matrix's own metrics in .*Invalid JSON"):
        assert "[plain](plain.md)" in write_overviews(tmp_path).read_text(), "a neighbour's damage"


def test_a_metric_that_raises_fails_its_cells_and_names_itself(folder):
    text = MATRIX.replace("vb_own:my_data", "digits").replace(", size = 80", "")
    text = text.replace('study]]\nname = "heads"', 'study]]\nname = "heads"\n#').split("[[study]]")[
        0
    ]
    (folder / "plugged.toml").write_text(text)
    from bench.run.cell import run_block
    from bench.run.plan import plan

    planned = plan(load(folder / "plugged.toml", seeds=1), folder / "results")
    with pytest.raises(RuntimeError, match="metric my_other on train: ZeroDivisionError: oops"):
        run_block(replace(planned.jobs[0], block=(0,)))


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        ('["rate"]', 'metrics.0: expected an import path "package.module:metric", got "rate"'),
        ('["vb_own:nothing"]', 'matrix.metrics.0: cannot import "vb_own:nothing" (AttributeError'),
        ('["nowhere_at_all:m"]', 'cannot import "nowhere_at_all:m" (ModuleNotFoundError'),
        (
            '["vb_own:MyPrior"]',
            '"vb_own:MyPrior" is no metric: expected a bench.metrics.Metric, got typ',
        ),
        (
            '["vb_own:my_metric", "vb_own:my_metric"]',
            'metrics.1: the name "my_norm" is taken by an ear',
        ),
        ("3", "matrix.metrics: should be a valid"),
    ],
)
def test_a_mistake_in_the_metrics_is_one_sentence(folder, metrics, sentence):
    text = MATRIX.replace('["vb_own:my_metric", "vb_own:my_other"]', metrics)
    (folder / "plugged.toml").write_text(text)
    with pytest.raises(MatrixError) as caught:
        load(folder / "plugged.toml", metrics=METRICS)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_claim_on_an_own_metric_must_name_it(folder):
    (folder / "plugged.toml").write_text(MATRIX.replace('"my_norm"', '"my_nrm"'))
    with pytest.raises(MatrixError, match='unknown metric "my_nrm", did you mean "my_norm"'):
        load(folder / "plugged.toml", metrics=METRICS)


def test_the_code_s_hash_follows_the_metrics_and_their_source(folder):
    def found(*paths):
        code_hash.cache_clear()
        code_digests.cache_clear()  # another process
        return code_hash(MEASURES, paths)

    before = found(), found("vb_own:my_metric"), found("vb_own:my_metric", "vb_own:my_other")
    (folder / "vb_own.py").write_text(OWN + "#")
    assert len({*before, found("vb_own:my_metric")}) == 4


def test_own_metrics_are_measured_anew_but_are_not_part_of_a_cell_s_identity(folder):
    with_metrics = load(folder / "plugged.toml")
    (folder / "plugged.toml").write_text(MATRIX.replace('metrics = ["vb_own', '#"'))
    without = load(folder / "plugged.toml")
    ids = [[cell.id for cell in m.cells(lambda table: "data")] for m in (with_metrics, without)]
    assert ids[0] == ids[1]


def test_two_data_sets_by_path_are_two_data_sets_and_a_changed_file_runs_again(folder, capfd):
    x = np.random.default_rng(0).random((40, 6))
    for name in ("a", "b"):
        np.savez(folder / f"{name}.npz", x=x)
    text = MATRIX.split("metrics")[0] + (
        "[base]\ntraining = { steps = 2 }\nquality = { sources = [] }\n"
        '[[study]]\nname = "data"\ngrid = { "dataset" = '
        '[{ name = "npz", path = "a.npz" }, { name = "npz", path = "b.npz" }] }\n'
    )
    (folder / "plugged.toml").write_text(text)
    from bench.rows import rows
    from bench.run.models import _load
    from bench.run.plan import plan
    from bench.run.store import Store

    first = plan(load("plugged.toml"), folder / "results")
    frame = rows("plugged", first.cells, Store(folder / "none"), {})
    assert set(frame["dataset"]) == {"digits", "npz a.npz", "npz b.npz"}
    np.savez(folder / "b.npz", x=1 - x)
    _load.cache_clear()  # another process
    second = plan(load("plugged.toml"), folder / "results")
    same = {cell.id for cell in first.cells} & {cell.id for cell in second.cells}
    assert {c.configuration.values["dataset"].get("path") for c in first.cells if c.id in same} == {
        None,
        "a.npz",
    }
