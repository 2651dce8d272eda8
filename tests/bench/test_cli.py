import contextlib
import errno
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from bench.cli import main
from bench.commands import run as running
from bench.commands.folder import claim
from bench.metrics.metric import Table
from bench.metrics.registry import METRICS
from bench.run.provenance import sessions
from bench.run.request import Request
from bench.run.store import Store
from bench.run.summary import Summary
from tests.bench.matrix.mutations import mutated
from vaelib.code_hash import code_hash

MATRIX = """
# Does the suite run?
[matrix]
name = "small"
seeds = 3
block = 3
[base]
encoder = { name = "mlp", hidden = [16] }
decoder = { name = "mlp", hidden = [16] }
training = { steps = 20 }
[[study]]
name = "latent dimension"
grid = { latent_dim = [2, 3] }
"""


@pytest.fixture
def matrix(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(MATRIX)
    return path


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_run_trains_measures_and_writes_pages_and_a_rerun_is_cached(matrix, tmp_path, capfd):
    results = tmp_path / "results"
    assert run("run", matrix, "--results", results, "--workers", 1) == 0
    out = capfd.readouterr().out
    names = "README.md, predictors, predictors.md, small, small.md"
    assert out.startswith(f"writes in {results}: {names}\n")
    counts, *answer = out[out.index("6 ok in ") :].splitlines()
    assert re.fullmatch(r"6 ok in \S+", counts)
    verdict, path = answer  # all have collapsed after 20 steps: no effect, and no cost
    assert path == str(results / "small.md")
    assert f"**{verdict}**" in (results / "small.md").read_text()
    frame = pd.read_csv(results / "small" / "rows.csv")
    assert set(frame.status) == {"ok"}
    assert set(frame.seed) == {0, 1, 2}
    assert set(frame.latent_dim) == {2, 3}
    page = (results / "small.md").read_text()
    assert "latent dimension" in page
    assert "small" in (results / "README.md").read_text()
    (session,) = sessions(results / "small" / "provenance.json")
    assert session["threads"] and session["cells"] == sorted(set(frame.cell))

    before = (results / "small" / "rows.csv").read_bytes()
    assert run("run", matrix, "--results", results, "--workers", 1) == 0
    assert "6 cached" in capfd.readouterr().out
    assert (results / "small" / "rows.csv").read_bytes() == before

    (results / "small.md").unlink()
    assert run("report", "small", "--results", results) == 0
    assert capfd.readouterr().out.splitlines() == answer
    assert (results / "small.md").read_text() == page


def test_a_diverging_configuration_is_a_row_and_exit_code_2(matrix, tmp_path, capfd):
    text = (
        matrix.read_text()
        + '[[study]]\nname = "rate"\ngrid = { "training.learning_rate" = [1e12] }\n'
    )
    matrix.write_text(text)
    results = tmp_path / "results"
    assert run("run", matrix, "--results", results, "--workers", 1) == 2
    assert "diverged" in capfd.readouterr().out
    frame = pd.read_csv(results / "small" / "rows.csv")
    broken = frame[frame.status == "diverged"]
    assert len(broken) == 3
    assert broken.message.str.contains("the loss was not finite").all()
    assert (frame.status == "ok").sum() > 6
    assert "diverged" in (results / "small.md").read_text()


def test_a_dry_run_writes_nothing(matrix, tmp_path, capfd):
    results = tmp_path / "results"
    assert run("run", matrix, "--results", results, "--dry-run") == 0
    out = capfd.readouterr().out
    line = r"6 cells: 0 cached, 0 stale, 0 failed, 6 missing; 6 to run, about \d+\.\ds with"
    assert re.search(line, out)
    assert not results.exists()


def test_what_other_code_measured_is_named_kept_or_measured_anew(
    matrix, tmp_path, capfd, monkeypatch
):
    results = tmp_path / "results"
    command = ["run", matrix, "--results", results, "--workers", 1, "--seeds", 1]
    command += ["--set", "quality.sources=[]", "--set", "quality.bound_inputs=0"]
    assert run(*command) == 0
    assert re.search(
        "time: latents .*%, statistics .*%, quality .*%, training .*%, harness", out(capfd)
    )
    before = pd.read_csv(results / "small" / "rows.csv")
    hashes = {
        "bench.run.cell": "of other statistics",
        "bench.run.models": code_hash("bench.run.models"),
    }
    monkeypatch.setattr("bench.run.plan.code_hash", lambda module, _: hashes[module])

    assert run(*command, "--dry-run") == 0
    said = out(capfd)
    assert "2 cells: 0 cached, 2 stale, 0 failed, 0 missing; 2 to run" in said
    assert "2 cells are stale, the code changed: base, latent_dim-3" in said

    assert run(*command, "--allow-stale") == 0
    assert "2 cached (2 stale) in" in out(capfd)
    kept = pd.read_csv(results / "small" / "rows.csv")
    assert kept.message.str.contains("stale: computed by other code").all()
    assert before.value.equals(kept.value)

    models = {path: written(path) for path in results.glob("small/models/*.npz")}
    assert len(models) == 2
    assert run(*command) == 0
    assert "2 ok in" in out(capfd)
    measured = pd.read_csv(results / "small" / "rows.csv")
    same = [column for column in before if column != "seconds"]
    assert before[same].equals(measured[same])  # of the stored models, the same to the bit
    assert {path: written(path) for path in models} == models

    hashes["bench.run.models"] = "of another trainer"
    hashes["bench.run.cell"] = "which is part of what measures"
    assert run(*command) == 0
    assert all(written(path) != before for path, before in models.items())


def written(path):
    """Tells one writing of a file from another, however fast one follows the other."""
    return path.stat().st_ino, path.stat().st_mtime_ns


def out(capfd):
    return capfd.readouterr().out


def test_one_study_runs_alone_with_the_base_that_belongs_to_it(tmp_path, capfd):
    path = tmp_path / "two.toml"
    path.write_text(
        '[matrix]\nname = "two"\nseeds = 2\n[base]\ndataset = { name = "digits" }\n'
        '[[study]]\nname = "width"\ngrid = { "encoder.hidden" = [[8], [200, 200]] }\n'
        '[[study]]\nname = "latent dimension"\ngrid = { latent_dim = [3, 4] }\n'
    )
    command = ["run", path, "--results", tmp_path / "results", "--dry-run"]
    for study, names in (
        (["width"], {"base", "hidden-8"}),
        (["latent dimension"], {"latent_dim-3", "latent_dim-4"}),
        (["width", "latent dimension"], {"base", "hidden-8", "latent_dim-3", "latent_dim-4"}),
    ):
        chosen = [word for name in study for word in ("--study", name)]
        assert run(*command, *chosen) == 0
        said = out(capfd)
        assert {name for name in names if name in said} == names
        assert f"{2 * len(names)} cells: " in said
    assert run(*command, "--study", "depth") == 64
    said = capfd.readouterr().err
    assert said.endswith("--study: unknown study 'depth'. Known: width, latent dimension\n")


@pytest.mark.parametrize(
    ("given", "studies"),
    [
        (["latent_dim=4"], {"latent dimension": "latent_dim"}),
        (["training.steps=7"], {}),
        (["encoder.hidden=[9]"], {"width": "encoder.hidden"}),
        (['encoder={name="mlp",hidden=[9]}'], {"width": "encoder.hidden"}),
        (["objective.beta=2"], {"objective": "objective"}),
        (["latent_dim=4", "encoder.hidden=[9]"], {"latent dimension": 0, "width": 0}),
        (["matrix.seeds=3"], {}),
    ],
)
def test_a_study_that_varies_what_is_set_says_that_its_levels_stay(given, studies, tmp_path, capfd):
    path = tmp_path / "m.toml"
    path.write_text(
        '[matrix]\nname = "m"\nseeds = 2\n'
        '[[study]]\nname = "width"\ngrid = { "encoder.hidden" = [[8], [20]] }\n'
        '[[study]]\nname = "latent dimension"\ngrid = { latent_dim = [2, 3] }\n'
        '[[study]]\nname = "objective"\ngrid = { objective = [{ name = "ae" }, { beta = 3.0 }] }\n'
    )
    options = [word for text in given for word in ("--set", text)]
    assert run("run", path, "--results", tmp_path / "r", "--dry-run", *options) == 0
    notes = [line for line in out(capfd).splitlines() if line.startswith("note: ")]
    assert len(notes) == len(studies)
    for line, (name, key) in zip(sorted(notes), sorted(studies.items()), strict=True):
        assert (
            line.startswith(f"note: study {name!r} varies ") and "levels stay as they are" in line
        )
        assert not key or f"varies {key}, so its" in line


def test_one_configuration_runs_alone_and_changed_options_warn(matrix, tmp_path, capfd):
    results = tmp_path / "results"
    command = ["run", matrix, "--results", results, "--workers", 1, "--seeds", 1]
    assert run(*command, "--only", "latent_dim-3") == 0
    assert "1 ok in" in out(capfd)
    frame = pd.read_csv(results / "small" / "rows.csv")
    assert set(frame[frame.config == "base"].status) == {"missing"}
    assert set(frame[frame.config == "latent_dim-3"].status) == {"ok"}
    assert run(*command, "--only", "latent_dim-4") == 64
    said = capfd.readouterr().err
    assert said.endswith("unknown configuration 'latent_dim-4'. Known: base, latent_dim-3\n")

    assert run(*command, "--set", "training.steps=10", "--dry-run") == 0
    said = out(capfd)
    assert f"warning: {results / 'small'} holds rows of 2 other cells, which this run" in said
    assert run(*command, "--dry-run") == 0
    assert "warning" not in out(capfd)


@pytest.mark.parametrize("units", [True, False, None])
def test_a_precision_that_costs_time_here_warns(matrix, tmp_path, capfd, monkeypatch, units):
    monkeypatch.setattr(running, "has_bfloat16_units", lambda: units)
    command = ["run", matrix, "--results", tmp_path / "results", "--dry-run"]
    assert run(*command, "--set", 'training.precision="bfloat16"') == 0
    assert ("no units for it: 2 configurations will take about twice" in out(capfd)) is (
        units is False
    )
    assert run(*command) == 0
    assert "warning" not in out(capfd)


def test_a_limit_of_time_and_the_command_that_runs_the_cell_again(matrix, tmp_path, capfd):
    results = tmp_path / "results"
    command = ["run", matrix, "--results", results, "--workers", 1, "--seeds", 1]
    slow = ["--set", "training.steps=10_000_000", "--timeout", 1, "--only", "base"]  # for hours
    assert run(*command, *slow) == 2
    said = out(capfd)
    assert "1 timeout in" in said
    assert f"log:   {results / 'small' / 'logs' / 'base-0.log'}" in said
    again = re.search("again: vaebench (.*)", said)[1]
    assert again.endswith("--timeout 1.0 --set training.steps=10_000_000 --only base")
    assert shlex.split(again)[:4] == ["run", str(matrix), "--results", str(results)]


@settings(max_examples=300)
@given(text=mutated())
def check_mutated(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutated.toml"
        path.write_text(text, encoding="utf-8")
        error = io.StringIO()
        with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
            code = run("run", path, "--results", Path(folder) / "results", "--dry-run")
        said = error.getvalue()
        CODES.append(code)
        assert (code, said) == (0, "") or (code == 64 and re.fullmatch("vaebench: .+\n", said)), (
            text
        )


CODES: list[int] = []


def test_mutated_matrices_end_in_exit_code_64_and_one_line():
    """Those that are still good load; nothing runs, and nothing is a traceback."""
    CODES.clear()
    check_mutated()
    assert CODES.count(64) > 100


def test_help_and_usage_errors_do_not_wait_for_torch():
    lines = ["--help", "run --help", "run --seeds many", "run digitz", "run --device tpu"]
    lines += ["run --timeout 0", "list colours", "list metrics", "list matrices", "frobnicate"]
    script = (
        "import sys; from bench.cli import main\n"
        f"for line in {lines}: main(line.split())\n"
        "assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "digitz"], 'did you mean "digits"'),
        (["run", "--seeds", "-3"], "-3"),
        (["run", "--seeds", "many"], "valid integer"),
        (["run", "--workers", "0"], "--workers must be at least 1, got 0"),
        (["run", "--device", "tpu"], "--device must be auto, cpu or cuda, got 'tpu'"),
        (["run", "--timeout", "-1"], "--timeout must be between 0 and 1e7 seconds, got -1"),
        (
            ["run", "--executor", "slurm"],
            "local, dask://host:port or dask+tls://host:port, got",
        ),
        (["run", "--executor", "dask://x:1", "--workers", "2"], "--workers is for the local"),
        (["run", "--set", "latent_dim"], "latent_dim"),
        (["run", "--set", "latent_dim=two"], "latent_dim"),
        (["run", "--set", "latent_dims=2"], 'did you mean "latent_dim"'),
        (["run", "--set", "prior.name='norml'"], 'did you mean "normal"'),
        (["report", "nothing"], "expected vaebench-results/nothing/rows.csv"),
        (["report", "--frobnicate"], "--frobnicate"),
        (["frobnicate"], "frobnicate"),
        (["list", "metrcs"], 'unknown kind "metrcs", did you mean "metrics"'),
        (["audit", "nowhere.npz"], "expected a readable .npz file"),
        (["audit"], "audit needs a file, such as an .npz, or --plan with --dimensions"),
        (["audit", "p.npz", "--plan"], "--plan takes --dimensions, --margin and --json alone"),
        (["audit", "--plan", "--alpha", "0.1"], "--plan takes --dimensions, --margin and --json"),
        (["audit", "--plan"], "--plan needs --dimensions, the D of the latents"),
        (["audit", "--plan", "--dimensions", "0"], "--dimensions must be at least 1, got 0"),
        (["audit", "--plan", "--dimensions", "9999"], "where counts end, got 9999"),
        (["audit", "--plan", "--dimensions", "2", "--margin", "0"], "--margin must be a positive"),
        (
            ["audit", "--plan", "--dimensions", "2", "--margin", "nan"],
            "--margin must be a positive",
        ),
        (["audit", "--plan", "--dimensions", "2", "--margin", "1e-9"], "--margin must be at least"),
        (["audit", "p.npz", "--dimensions", "2"], "--dimensions goes with --plan"),
        (["audit", "p.npz", "--repeats", "2"], "--repeats goes with --power"),
        (["audit", "p.npz", "--power", "--json"], "leave one of them out"),
        (["audit", "p.npz", "--quiet", "--all"], "--quiet prints nothing, --all everything; leave"),
        (["audit", "p.npz", "--quiet", "--power"], "--quiet nothing; add --report or leave one"),
        (
            ["audit", "--plan", "--dimensions", "2", "--quiet"],
            "--plan takes --dimensions, --margin",
        ),
        (["audit", "nowhere.npz", "--quiet"], "expected a readable .npz file"),
        (["audit", "p.npz", "--power", "--prior", "uniform"], "--power is for the prior normal"),
        (["report", "digits", "--figures", "png"], '--figures: unknown form "png"'),
    ],
)
def test_mistakes_are_one_line_and_exit_code_64(arguments, message, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 64
    captured = capfd.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


def test_parts_that_do_not_fit_are_one_line_before_anything_runs(matrix, tmp_path, capfd):
    matrix.write_text(
        matrix.read_text().replace('"mlp", hidden = [16]', '"conv", channels = [4, 4, 4, 4]', 1)
    )
    assert run("run", matrix, "--results", tmp_path / "results") == 64
    assert "divisible by 16, got 8 x 8" in capfd.readouterr().err
    assert not (tmp_path / "results").exists()


def test_a_data_folder_without_the_files_is_one_line(matrix, tmp_path, capfd, monkeypatch):
    def no_network(*args, **kwargs):
        raise OSError("no network in tests")

    monkeypatch.setenv("VAEBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("urllib.request.urlopen", no_network)
    results = tmp_path / "results"
    assert run("run", matrix, "--results", results, "--set", 'dataset.name="mnist"') == 64
    error = capfd.readouterr().err
    assert "expected the files of MNIST" in error
    assert error.count("\n") == 1
    assert not results.exists()


def test_an_unwritable_results_folder_is_one_line(matrix, tmp_path, capfd):
    (tmp_path / "file").write_text("not a folder")
    assert run("run", matrix, "--results", tmp_path / "file") == 64
    assert "choose another folder" in capfd.readouterr().err


def test_a_read_only_results_folder_is_one_line(read_only, capfd):
    assert run("run", "digits", "--results", read_only, "--workers", 1) == 64
    error = capfd.readouterr().err
    assert re.fullmatch("vaebench: cannot write to .*: Permission denied; choose .*\n", error)


def test_seeds_may_begin_later(matrix, tmp_path, capfd):
    later = ["--seeds", 2, "--first-seed", 5, "--results", tmp_path / "results"]
    assert run("run", matrix, *later, "--dry-run") == 0
    assert "4 cells: 0 cached, 0 stale, 0 failed, 4 missing" in out(capfd)
    said = Request("m.toml", seeds=2, first_seed=5).command()
    assert said == "vaebench run m.toml --seeds 2 --first-seed 5"
    assert run("run", matrix, "--first-seed", -1) == 64
    error = capfd.readouterr().err
    assert error.endswith("matrix.first_seed: should be greater than or equal to 0, got -1\n")


def test_a_second_run_is_told_who_holds_the_folder(matrix, tmp_path, capfd):
    claim(tmp_path / "results", ["small"])
    with Store(tmp_path / "results" / "small").lock():
        assert run("run", matrix, "--results", tmp_path / "results") == 64
    error = capfd.readouterr().err
    assert f"is in use by process {os.getpid()} on " in error and error.count("\n") == 1


def test_a_disk_that_is_full_at_the_end_is_one_line(matrix, tmp_path, capfd, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("bench.commands.benchmark.run", lambda *_, **__: Summary())
    monkeypatch.setattr("bench.commands.benchmark.update", full)
    assert run("run", matrix, "--results", tmp_path / "results") == 2
    error = capfd.readouterr().err
    assert "No space left on device; what ran is kept" in error and error.count("\n") == 1


def test_list_names_everything(capfd):
    assert run("list") == 0
    out = capfd.readouterr().out
    for name in ("digits", "mnist5k", "elbo", "normal", "mlp", "bernoulli", "marginal_kl_excess"):
        assert re.search(rf"\b{name}\b", out)


def posterior(path, **arrays):
    generator = np.random.default_rng(0)
    mean = 0.8 * generator.standard_normal((200, 2))
    np.savez(path, **({"mean": mean, "scale": np.full_like(mean, 0.6)} | arrays))
    return path


def test_audit_prints_an_answer_with_its_rows_as_json_and_nothing_else(tmp_path, capfd):
    assert run("audit", posterior(tmp_path / "p.npz"), "--json") == 0
    rows = json.loads(capfd.readouterr().out)["rows"]
    excess = next(row for row in rows if row["metric"] == "marginal_kl_excess")
    assert abs(excess["value"]) < 0.1
    assert excess["unit"] == "nats"


def test_a_plan_needs_no_file(capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert run("audit", "--plan", "--dimensions", 2) == 0
    out = capfd.readouterr().out
    assert out.startswith("Asked: a margin of 0.05 at D = 2. ")
    assert "Departures of 0.1 nats were planted at D = 2" in " ".join(out.split())
    assert "They are seen in 80 % of repeats with 100 held-out inputs for " in out
    assert "n = 100, D = 2" in out
    assert " The answer is no at a margin of 0.05 as often with " in out
    assert re.search(r"│ scale +│ \d+ · \d+ of \d+ +│", out)
    assert "parity" not in out  # which takes four dimensions
    assert run("audit", "--plan", "--dimensions", 2, "--margin", 1) == 0
    out = " ".join(capfd.readouterr().out.split())
    assert out.startswith("Asked: a margin of 1 at D = 2. Not counted in full yet: departures of 2")
    assert " The answer is no at a margin of 0.1 as often with " in out
    assert run("audit", "--plan", "--dimensions", 2, "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert found["schema"] == {"name": "vaebench.plan", "version": 1}
    assert found["sentence"].startswith("Asked: a margin of 0.05 at D = 2. ")
    assert (found["margin"], found["dimensions"]) == (0.05, 2)
    rows = found["rows"]
    assert {row["kl"] for row in rows} == {0.1}
    assert min(row["dimensions"] for row in rows) == 2


def test_audit_takes_logvar_and_heldout(tmp_path, capfd):
    shape = (200, 2)
    path = tmp_path / "p.npz"
    mean = 0.8 * np.random.default_rng(0).standard_normal(shape)
    variance = np.full(shape, np.log(0.36))
    np.savez(path, mean=mean, logvar=variance, heldout_mean=mean[:50], heldout_logvar=variance[:50])
    assert run("audit", path, "--json") == 0
    rows = json.loads(capfd.readouterr().out)["rows"]
    assert {row["split"] for row in rows} == {"train", "test"}
    posterior(tmp_path / "q.npz")
    assert run("audit", tmp_path / "q.npz", "--json") == 0
    again = json.loads(capfd.readouterr().out)["rows"]
    train = [row["value"] for row in rows if row["split"] == "train"]
    bracket = {m for m, metric in METRICS.items() if metric.table is Table.BRACKET}
    assert {row["metric"] for row in again} >= bracket - {"copies"}, "of the inputs themselves"
    assert train == pytest.approx([row["value"] for row in again if row["metric"] not in bracket])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"scale": np.full((200, 2), -0.3)}, "scale must be positive, or 0 for all, got min -0.3"),
        ({"scale": np.ones((200, 3))}, "same shape"),
        (
            {"scales": np.ones((200, 2))},
            "expected one std, got scale and scales; say which: --scale scale",
        ),
        ({"logvar": np.zeros((200, 2))}, "scale and logvar must say the same, got standard"),
        ({"mean": np.full((200, 2), np.nan)}, "mean must be finite"),
        ({"mean": np.array([["a"] * 2] * 200)}, "mean must hold numbers"),
        ({"mean": np.array([[None, 1]] * 200, dtype=object)}, "pickled objects"),
    ],
)
def test_audit_of_a_bad_archive_is_one_line(arrays, message, tmp_path, capfd):
    assert run("audit", posterior(tmp_path / "p.npz", **arrays)) == 64
    error = capfd.readouterr().err
    assert message in error
    assert error.count("\n") == 1
