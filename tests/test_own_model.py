"""The page on a model of one's own: its lines run as they stand, and print what it shows.

Of a model of pythae they run in `tox -e examples`, which has that library.
"""

import functools
import re
from pathlib import Path

import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from vaelib import load_sampler, price
from vaelib.audits.audit import audit
from vaelib.stats.nulls import NormalNull

PAGE = (Path(__file__).parents[1] / "docs" / "your-own-model.md").read_text(encoding="utf-8")
SIX, LATER, TRAINED = re.findall(r"```python\n(.*?)```", PAGE, re.S)
SHOWN = "".join(re.findall(r"```text\n(.*?)```", PAGE, re.S)).splitlines()
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
WORDS = ("scale:", "Made of:", "    z =")  # which may be others on another machine


def run(code, names):
    exec(compile(code, "your-own-model.md", "exec"), names)
    return names


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng():
        return run(TRAINED, {})


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    """In a folder of its own; fewer draws of nulls, which decide nothing."""
    few = functools.partial(audit, null_draws=2, null=NormalNull(draws=99), test_rows=100)
    monkeypatch.setattr("vaelib.audits.answers.audit", few)
    monkeypatch.chdir(tmp_path)


def test_six_lines_print_what_the_page_shows(model, capsys):
    pytest.importorskip("safetensors")
    assert len([line for line in SIX.splitlines() if line]) == 6
    names = run(SIX, dict(model))
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(SHOWN)
    for line, shown in zip(printed, SHOWN, strict=True):
        if not line.startswith(WORDS):
            assert NUMBER.sub("#", line) == NUMBER.sub("#", shown)
            close = pytest.approx(numbers(shown), rel=0.2, abs=0.03)
            assert numbers(line) == close or "c2st_auc" in line
    names = run(LATER, names)
    assert names["samples"].shape == (64, 64)
    again = names["sampler"].sample(64, torch.Generator())
    assert torch.equal(names["z"], again)


def numbers(line):
    return [float(number.replace(",", "")) for number in NUMBER.findall(line)]


def test_images_may_come_as_a_dataset_or_a_loader(model):
    """Whatever `encode` took, `price` takes, too."""
    train, heldout = torch.randn(200, 8), torch.randn(400, 8)
    given = (model["model"], train, 0 * train + 0.5)
    held = heldout, 0 * heldout + 0.5
    sets = [TensorDataset(model[name][: len(z)]) for name, z in
            (("train_images", train), ("test_images", heldout))]  # fmt: skip
    plain = price(*given, model["train_images"][:200], held, model["test_images"][:400])
    loaders = [DataLoader(one, batch_size=64) for one in sets]
    for x, held_x in (sets, loaders, [list(one) for one in sets]):
        assert price(*given, x, held, held_x).cost == plain.cost
    for sampler in (
        RandomSampler(sets[1]),
        SubsetRandomSampler(range(400)),
        WeightedRandomSampler([1.0] * 400, 400),
    ):
        batches = BatchSampler(sampler, 64, drop_last=False)
        for how in ({"sampler": sampler}, {"batch_sampler": batches}):
            with pytest.raises(ValueError, match="heldout_images must come in .* shuffle=False"):
                price(*given, sets[0], held, DataLoader(sets[1], **how))


@pytest.mark.filterwarnings("ignore")
def test_six_lines_ask_a_model_of_pythae(model, capsys):
    models = pytest.importorskip("pythae.models", reason="pythae comes with the extra `examples`")
    pytest.importorskip("safetensors")
    config = {"input_dim": (1, 8, 8), "latent_dim": 4, "reconstruction_loss": "bce"}
    images = {name: model[name][:, None] for name in ("train_images", "test_images")}
    torch.manual_seed(0)
    vae = models.VAE(models.VAEConfig(**config))
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3)
    for _ in range(20):
        for x in images["train_images"].split(100):
            optimizer.zero_grad()
            vae({"data": x}).loss.backward()
            optimizer.step()
    for second in ('second="logvar"', 'second="auto"'):
        run(SIX.replace('second="logvar"', second), {"model": vae, **images})
        verdict, *_, last = capsys.readouterr().out.splitlines()
        assert verdict in [f"May I sample from N(0, I)? {word}." for word in ("NO", "UNDECIDED")]
        assert last == "sampler.safetensors"
    z = load_sampler(last).sample(9, torch.Generator())
    assert vae.decoder(z.float()).reconstruction.shape == (9, 1, 8, 8)
