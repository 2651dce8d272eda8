"""`vaebench audit --decoder`: what it prints, writes and refuses, and that its page says so."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.bench.audit.test_audit import run
from vaelib.latent_files.images import read_images
from vaelib.samples.priced import Price

DOCS = Path(__file__).parents[3] / "docs"
MODEL = """
import torch
weight = torch.linspace(-2, 2, 32).reshape(2, 16)
layer = torch.nn.Linear(2, 16, bias=False)
layer.weight.data = weight.T.contiguous()
decoder = torch.nn.Sequential(layer, torch.nn.Sigmoid(), torch.nn.Unflatten(1, (1, 4, 4)))
def several(z): return decoder(z), z
def leaves(z): raise SystemExit(3)
def features(x): return x.flatten(1)[:, :3]
def broken(x): raise KeyError("weight")
"""
PRICE = (
    *("sentence", "repair", "meaningless", "cost", "gives_back", "missing", "distances", "unit"),
    *("features", "inputs", "notes"),
)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Latents N(0, .25 I), their images, and a decoder in the folder where the command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "own_model", raising=False)
    (tmp_path / "own_model.py").write_text(MODEL)
    rng = np.random.default_rng(0)
    weight = np.linspace(-2, 2, 32).reshape(2, 16)
    mean = {part: 0.4 * rng.standard_normal((400, 2)) for part in ("", "heldout_")}
    x = {
        f"{part}images": 1 / (1 + np.exp(-(z + 0.3 * rng.standard_normal(z.shape)) @ weight))
        for part, z in mean.items()
    }
    latents = {f"{part}mean": z for part, z in mean.items()}
    latents |= {f"{part}scale": np.full_like(z, 0.3) for part, z in mean.items()}
    np.savez("p.npz", **latents)
    np.savez("x.npz", **{name: part.reshape(-1, 1, 4, 4) for name, part in x.items()})
    yield tmp_path
    sys.modules.pop("own_model", None)


def test_the_price_is_said_printed_and_drawn(files, capfd):
    asked = ("p.npz", "--images", "x.npz", "--decoder", "own_model:decoder")
    assert run(*asked, "--report", "page", "--json") == 0
    shown = capfd.readouterr()
    assert "read: train x from images, heldout x from heldout_images" in shown.err
    found = json.loads(shown.out)
    assert tuple(found)[-2:] == ("rows", "price") and tuple(found["price"]) == PRICE
    cost, back = found["price"]["cost"], found["price"]["gives_back"]
    assert cost["interval"][0] > 0 and back["interval"][0] > 0
    assert found["price"]["inputs"] == 200
    rows = {row["source"]: row for row in found["rows"] if row["metric"] == "frechet"}
    assert set(rows) == {"prior", "aggregate", "repaired", "reconstruction", "floor"}
    assert rows["prior"]["value"] - rows["aggregate"]["value"] == pytest.approx(cost["value"])
    assert {row["unit"] for row in rows.values()} == {found["price"]["unit"]}
    page = (files / "page" / "audit.md").read_text()
    assert "## What does the prior cost?" in page and found["price"]["sentence"] in page
    assert "(figures/samples.png)" in page
    assert (files / "page" / "figures" / "samples.png").stat().st_size > 1000


def test_it_stands_below_the_answer(files, capfd):
    assert (
        run(
            "p.npz",
            "--images",
            "x.npz",
            "--decoder",
            "own_model:decoder",
            "--features",
            "own_model:features",
        )
        == 0
    )
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("May I sample from N(0, I)?")
    assert lines[-3].startswith("Sampling from N(0, I) costs ")
    assert lines[-2].startswith("A density fitted to the latents, sampled instead, gives back")
    assert lines[-1].startswith("In 3 own features; 200 of each")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--decoder", "own_model:decoder"), "--decoder goes with --images"),
        (("--images", "x.npz"), "--images goes with --decoder"),
        (("--features", "pca"), "--features goes with --decoder and --images"),
        (("--decoder", "own_model"), "--decoder must be an import path MODULE:NAME, such as"),
        (("--decoder", "own_model:no"), 'cannot import "own_model:no" (AttributeError'),
        (("--decoder", "no_model:x"), 'cannot import "no_model:x" (ModuleNotFoundError'),
        (("--decoder", "own_model:several"), "own_model:several: the decoder must return x alone"),
        (("--decoder", "own_model:leaves"), "own_model:leaves: cannot be priced (SystemExit: 3)"),
        (("--features", "foo"), "--features must be one of auto, classifier, pca, log1p or an imp"),
        (("--features", "own_model:broken"), "--features own_model:broken: the features must take"),
        (("--images", "p.npz"), "--images p.npz: expected inputs under a name such as images"),
        (("--images", "no.npz"), "--images no.npz: expected a readable .npz file, got nothing"),
    ],
)
def test_each_mistake_is_one_line_before_anything_is_measured(
    files, capfd, monkeypatch, options, said
):
    monkeypatch.setattr("bench.commands.audit.audit_archive", None)
    given = {"--images": "x.npz", "--decoder": "own_model:decoder"} | dict([options])
    alone = said.startswith(("--decoder goes", "--images goes", "--features goes"))
    words = options if alone else [word for pair in given.items() for word in pair]
    assert run("p.npz", *words) == 64
    error = capfd.readouterr().err.splitlines()
    assert said in error[-1] and len(error) <= 2


def test_conditions_and_groups_are_refused(files, capfd):
    z, labels = np.zeros((6, 2)), np.arange(6) % 2
    for name, part in (("conditions", labels), ("groups", labels)):
        np.savez("c.npz", z=z, **{name: part})
        assert run("c.npz", "--images", "x.npz", "--decoder", "own_model:decoder") == 64
        assert name in capfd.readouterr().err
    assert run("--plan", "--dimensions", "2", "--decoder", "own_model:decoder") == 64


def test_the_lines_of_the_page_in_python_run(files):
    """With what they leave to the reader filled in."""
    import torch

    text = (DOCS / "audit.md").read_text(encoding="utf-8")
    section = text.split("## What does the prior cost?")[1].split("\n## ")[0]
    (lines,) = [b for b in re.findall(r"((?: {4}.*\n)+)", section) if "import price" in b]
    x = read_images(files / "x.npz", 400, 400)
    sys.path.append(str(files))
    from own_model import decoder

    given = {
        "encode": lambda model, x: model(x),
        "model": lambda x: (x.flatten(1)[:, :2], torch.full((len(x), 2), 0.1)),
        "decoder": decoder,
        "train_images": x.train,
        "test_images": x.heldout,
        "train_labels": (x.train[:, 0, 0, 0] > 0.5).long(),
        "print": lambda found: given.update(found=found),
    }
    exec(compile(re.sub(r"^ {4}", "", lines, flags=re.M), "audit.md", "exec"), given)
    assert isinstance(given["found"], Price)
    assert "small classifiers" in given["found"].features


def test_the_page_of_json_names_every_field():
    (line,) = [
        line for line in (DOCS / "json.md").read_text().splitlines() if line.startswith("| `price`")
    ]
    assert all(f"`{name}`" in line for name in PRICE)
