"""Every example runs, and its printed answer is right."""

import functools
import re
import runpy
from pathlib import Path

import pandas as pd
import pytest
import torch

from bench.cli import main
from vaelib import encode
from vaelib.audits.audit import audit
from vaelib.stats.nulls import NormalNull

FOLDER = Path(__file__).parents[1] / "examples"
SAFE = "is N(0, I) safe to sample?"


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs an example with fewer null draws and gives its answers, one dictionary per question."""
    quick = functools.partial(audit, null=NormalNull(draws=99), test_rows=100)
    monkeypatch.setattr("vaelib.audits.answers.audit", quick)

    def answers(name):
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
        text = capsys.readouterr().out
        blocks = [[]]
        for line in text.splitlines():
            if line.startswith("is N(0, I) safe"):
                blocks.append([])
            blocks[-1].append(line)
        return text, [dict(re.findall(r"^(.+?): (.*?)\. ", "\n".join(b), re.M)) for b in blocks[1:]]

    return answers


def test_oracles(run):
    _, (exact, wide, quilt) = run("oracles")
    assert exact[SAFE] == "yes"
    assert exact["what would help"] == "nothing"
    assert wide[SAFE] == quilt[SAFE] == "no"
    assert wide["scale"] == "too wide"
    assert wide["shape"] == "normal"
    assert wide["what would help"] == "rescale z"
    assert quilt["scale"] == "right"
    assert quilt["correlation"] == "none"
    assert quilt["shape"] == "not normal"
    assert quilt["what would help"] == "fit a density"


def test_plain_torch(run):
    _, (found,) = run("plain_torch")
    assert found["what was given"] == "held-out inputs"
    low, high = map(float, re.fullmatch(r"(\S+) to (\S+) nats", found["KL(q‖p)"]).groups())
    assert 0 <= low < high < 0.3  # .03 to .12 on one machine; the margin is .05
    assert found[SAFE] in ("no", "undecided")


def test_scvi_style(run):
    _, (found,) = run("scvi_style")
    assert found["scale"] in ("right", "undecided")  # standardised on the training images
    assert found["shape"] == "not normal"
    assert found[SAFE] == "no" and " nats" in found["KL(q‖p)"]


@pytest.mark.filterwarnings("ignore")
def test_pythae_agrees_with_brute_force(run):
    pytest.importorskip("pythae", reason="pythae comes with the extra `examples`")
    text, (found,) = run("pythae_audit")
    ours, brute = map(float, re.findall(r"marginal KL, .*: +(\S+) nats", text))
    assert ours == pytest.approx(brute, abs=1e-6)
    assert ours > 0.01
    assert found[SAFE] in ("yes", "no", "undecided") and "saturated" not in text


REFUSED = {"VQVAE": "codebook", "SVAE": "sphere", "PoincareVAE": "hyperbolic"}
POINTS = {"AE", "RAE_GP", "RAE_L2", "WAE_MMD", "HVAE", "RHVAE", "VAE_IAF", "VAE_LinNF"}


@pytest.mark.filterwarnings("ignore")
def test_every_model_of_pythae_is_encoded_or_refused_with_the_reason():
    models = pytest.importorskip("pythae.models", reason="pythae comes with the extra `examples`")
    x = torch.rand(20, 1, 28, 28)
    names = [name for name in dir(models) if hasattr(models, f"{name}Config")]
    names += [name for name in dir(models) if hasattr(models, f"{name}_Config")]
    for name in set(names) - {"BaseAE"}:
        config = getattr(models, f"{name}Config", None) or getattr(models, f"{name}_Config")
        model = getattr(models, name)(config(input_dim=(1, 28, 28), latent_dim=4)).train()
        if name in REFUSED:
            with pytest.raises(ValueError, match=REFUSED[name]):
                encode(model, x)
            continue
        z, scale = encode(model, x, 8)
        assert z.shape == (20, 4) and bool(scale.any()) == (name not in POINTS), name
        assert all(part.training for part in model.modules()), name
    assert len(names) > 20


@pytest.mark.filterwarnings("ignore")
def test_diffusers_in_both_views(run):
    pytest.importorskip("diffusers", reason="diffusers comes with the extra `examples`")
    text, (flat, position) = run("diffusers_audit")
    assert "flat: 1078 latents of 32 dimensions" in text
    assert "position: 1078 latents of 2 dimensions" in text
    assert flat[SAFE] in ("yes", "no", "undecided")
    assert position[SAFE] in ("yes", "no", "undecided")


def test_a_prior_of_ones_own_trains_beside_the_normal_one(tmp_path, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    runpy.run_path(str(FOLDER / "my_prior.py"))["test_laplace_keeps_the_contract"]()
    command = f"run examples/my_prior.toml --results {tmp_path} --seeds 1 --workers 1"
    small = ["--set", "training.steps=5", "--set", "quality.sources=[]"]
    assert main([*command.split(), *small]) == 0
    rows = pd.read_csv(tmp_path / "my_prior" / "rows.csv")
    assert set(rows["prior.name"]) == {"normal", "examples.my_prior:Laplace"}
    assert set(rows["status"]) == {"ok"}
