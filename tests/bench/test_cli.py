import json
import re

import numpy as np
import pandas as pd
import pytest

from bench.cli import main

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
    assert "6 ok in" in out
    assert "small.md" in out
    frame = pd.read_csv(results / "small" / "rows.csv")
    assert set(frame.status) == {"ok"}
    assert set(frame.seed) == {0, 1, 2}
    assert set(frame.latent_dim) == {2, 3}
    page = (results / "small.md").read_text()
    assert "latent dimension" in page
    assert "small" in (results / "README.md").read_text()
    assert json.loads((results / "small" / "provenance.json").read_text())["threads"]

    before = (results / "small" / "rows.csv").read_bytes()
    assert run("run", matrix, "--results", results, "--workers", 1) == 0
    assert "6 cached" in capfd.readouterr().out
    assert (results / "small" / "rows.csv").read_bytes() == before

    (results / "small.md").unlink()
    assert run("report", "small", "--results", results) == 0
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
    assert "6 cells, 6 to run" in capfd.readouterr().out
    assert not results.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "digitz"], 'did you mean "digits"'),
        (["run", "--seeds", "-3"], "-3"),
        (["run", "--seeds", "many"], "valid integer"),
        (["run", "--workers", "0"], "--workers must be at least 1, got 0"),
        (["run", "--device", "tpu"], "--device must be auto, cpu or cuda, got 'tpu'"),
        (["run", "--set", "latent_dim"], "latent_dim"),
        (["run", "--set", "latent_dim=two"], "latent_dim"),
        (["run", "--set", "latent_dims=2"], 'did you mean "latent_dim"'),
        (["run", "--set", "prior.name='norml'"], 'did you mean "normal"'),
        (["report", "nothing"], "expected results/nothing/rows.csv"),
        (["report", "--frobnicate"], "--frobnicate"),
        (["frobnicate"], "frobnicate"),
        (["list", "colours"], "expected one of"),
        (["audit", "nowhere.npz"], "expected a readable .npz file"),
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


def test_audit_prints_rows_as_json_and_nothing_else(tmp_path, capfd):
    assert run("audit", posterior(tmp_path / "p.npz"), "--json") == 0
    rows = json.loads(capfd.readouterr().out)
    excess = next(row for row in rows if row["metric"] == "marginal_kl_excess")
    assert abs(excess["value"]) < 0.1
    assert excess["unit"] == "nats"


def test_audit_takes_logvar_and_heldout(tmp_path, capfd):
    shape = (200, 2)
    path = tmp_path / "p.npz"
    mean = 0.8 * np.random.default_rng(0).standard_normal(shape)
    variance = np.full(shape, np.log(0.36))
    np.savez(path, mean=mean, logvar=variance, heldout_mean=mean[:50], heldout_logvar=variance[:50])
    assert run("audit", path, "--json") == 0
    rows = json.loads(capfd.readouterr().out)
    assert {row["split"] for row in rows} == {"train", "test"}
    posterior(tmp_path / "q.npz")
    assert run("audit", tmp_path / "q.npz", "--json") == 0
    again = json.loads(capfd.readouterr().out)
    train = [row["value"] for row in rows if row["split"] == "train"]
    assert train == pytest.approx([row["value"] for row in again])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"scale": np.full((200, 2), -0.3)}, "scale must be positive, got min -0.3"),
        ({"scale": np.ones((200, 3))}, "same shape"),
        ({"scales": np.ones((200, 2))}, "unknown key 'scales'"),
        ({"logvar": np.zeros((200, 2))}, "expected one of scale and logvar, got 2"),
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
