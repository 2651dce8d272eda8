"""``vaebench repair`` as a user runs it: what it writes and says, and each mistake in one line."""

import re

import numpy as np
import pytest
import torch

from bench import cli
from vaelib import load_sampler
from vaelib.samplers.file import conditions_of

pytest.importorskip("safetensors")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    centres = np.array([[-1.0, 0.8], [1.0, -0.8]])

    def encoded(n):
        label = np.arange(n) % 2
        return centres[label] + 0.1 * draw.normal(size=(n, 2)), np.full((n, 2), 0.2), label

    mean, scale, label = encoded(600)
    held, width, kind = encoded(300)
    both = {"mean": mean, "scale": scale, "heldout_mean": held, "heldout_scale": width}
    np.savez("p.npz", **both)
    np.savez("c.npz", **both, conditions=label, heldout_conditions=kind)
    np.savez("z.npz", z=mean)
    np.savez("points.npz", mean=mean, scale=0 * scale)
    np.savez("null.npz", z=draw.normal(size=(300, 40)))
    np.savez("few.npz", z=mean[:50])
    np.savez("constant.npz", z=np.c_[mean, 0 * mean[:, :1]])
    np.savez("box.npz", z=5 + mean)
    return tmp_path


def repaired(capfd, *options):
    code = cli.main(["repair", *options])
    shown = capfd.readouterr()
    return code, shown.out, shown.err


def test_what_is_won_left_and_free_is_said(folder, capfd):
    code, out, err = repaired(capfd, "p.npz", "--to", "s.safetensors")
    won, left, free, paste, made, usage = out.splitlines()
    assert code == 0 and not err
    assert re.match(r"The sampler wins \d\.\d+ nats \(95 % interval .* over N\(0, I\) on 300", won)
    assert re.match(r"Of the mismatch at most [\d.]+ nats are left", left)
    assert "shift and scale of each dimension" in free
    z = eval(paste.split("=")[1], {"torch": torch, "n": 7})
    assert z.shape == (7, 2)
    assert "by the held-out inputs" in made and "fitted to 600 inputs" in made
    drawn = eval(usage.split(": ")[1].replace("generator", "torch.Generator()"),
                 {"vaelib": __import__("vaelib"), "torch": torch, "n": 500})  # fmt: skip
    assert float((drawn[:, 0] * drawn[:, 1] < 0).double().mean()) > 0.95
    assert repaired(capfd, "p.npz", "--to", "s.safetensors")[0] == 0  # its own is replaced


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("z.npz", "is not known: bare z have no upper end"),
        ("points.npz", "is not known: latents without a scale have no upper end"),
        ("null.npz", "The sampler is the prior itself"),
    ],
)
def test_what_is_not_known_is_said(file, said, folder, capfd):
    code, out, _ = repaired(capfd, file, "--to", "s.safetensors")
    assert code == 0 and said in out and "a random fifth" in out
    assert load_sampler("s.safetensors").about.rows in (480, 240)


def test_many_dimensions_are_pasted_by_name(folder, capfd):
    out = repaired(capfd, "null.npz", "--to", "s.safetensors")[1]
    paste = next(line for line in out.splitlines() if line.startswith("    z = "))
    from safetensors.torch import load_file

    assert eval(paste.split("=")[1], {"torch": torch, "n": 3, "load_file": load_file}).shape == (
        3,
        40,
    )


def test_each_condition_has_its_own(folder, capfd):
    code, out, _ = repaired(capfd, "c.npz", "--to", "c.safetensors")
    assert code == 0 and out.startswith("For 2 of 2 conditions a fitted density wins over N(0, I).")
    assert conditions_of("c.safetensors") == [0, 1]
    for label, centre in enumerate((-1.0, 1.0)):
        drawn = load_sampler("c.safetensors", condition=label).sample(500, torch.Generator())
        assert abs(float(drawn[:, 0].mean()) - centre) < 0.1
    assert repaired(capfd, "c.npz", "--to", "c.safetensors", "--condition", "1")[0] == 0
    assert conditions_of("c.safetensors") == []


def test_a_uniform_prior_is_repaired(folder, capfd):
    code, out, _ = repaired(capfd, "box.npz", "--to", "s.safetensors", "--prior", "uniform")
    assert code == 0 and "over the uniform prior" in out and "shift and scale" not in out


MISTAKES = [
    (["none.npz", "--to", "s.safetensors"], "expected a readable .npz file, got nothing"),
    (["few.npz", "--to", "s.safetensors"], "at least 100 independent inputs are needed"),
    (["constant.npz", "--to", "s.safetensors"], "no dimension may be constant"),
    (["p.npz", "--to", "s.pt"], "--to must be a file that ends in .safetensors"),
    (["p.npz", "--to", "no/s.safetensors"], "--to must lie in a folder that is there"),
    (["p.npz", "--to", "mine.safetensors"], "--to must be a new file or an earlier sampler"),
    (["p.npz"], "Missing option '--to'"),
    (["p.npz", "--to", "s.safetensors", "--prior", "flow"], "--prior: unknown prior"),
    (["p.npz", "--to", "s.safetensors", "--condition", "3"], "expected one of the conditions"),
    (["p.npz", "--to", "s.safetensors", "--scale-is", "x"], "--scale-is: unknown kind"),
    (["p.npz", "--to", "s.safetensors", "--z", "z", "--mean", "m"], "--z is for latents alone"),
    (["null.npz", "--to", "s.safetensors", "--prior", "uniform"], "must lie where the prior has"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "said"), MISTAKES)
def test_a_mistake_is_one_line(options, said, folder, capfd):
    (folder / "mine.safetensors").write_bytes(b"mine")
    code, out, err = repaired(capfd, *options)
    assert code == 64 and not out and said in err and len(err.splitlines()) == 1
    assert (folder / "mine.safetensors").read_bytes() == b"mine"
    assert not (folder / "s.safetensors").exists()
