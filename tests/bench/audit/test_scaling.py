"""``vaebench scaling`` as a user runs it."""

import numpy as np
import pytest

from bench.cli import main


def run(*args):
    return main(["scaling", *map(str, args)])


def maps(path, *, wide=1.0, apart=1.0):
    """(N, C, H, W): two channels, one of another deviation."""
    z = wide * np.random.default_rng(0).normal(size=(300, 2, 3, 3))
    z[:, 1] *= apart
    np.save(path, z)
    return path


def test_one_factor_is_enough_where_channels_are_alike(tmp_path, capsys):
    assert run(maps(tmp_path / "z.npy", wide=5.5), "--factor", "0.2") == 0
    out = capsys.readouterr().out
    first = out.splitlines()[0]
    assert first.startswith("One factor of 0.18") and "Your factor, 0.2, removes" in first
    assert any(line.startswith("    z = 0.18") for line in out.splitlines())


def test_channels_that_differ_have_a_line_to_paste(tmp_path, capsys):
    file = maps(tmp_path / "z.npy", apart=4.0)
    assert run(file) == 0
    out = capsys.readouterr().out
    line = next(line for line in out.splitlines() if line.startswith("    z = (z - "))
    scope = {}
    code = f"import torch, numpy\nz = torch.from_numpy(numpy.load({str(file)!r}))\n{line.strip()}"
    exec(code, scope)
    assert scope["z"].shape == (300, 2, 3, 3)
    assert np.allclose(scope["z"].std((0, 2, 3)), 1, atol=0.01)
    assert out.startswith("Shift and scale each channel")


def test_no_scaling_is_needed_where_there_is_none(tmp_path, capsys):
    assert run(maps(tmp_path / "z.npy")) == 0
    assert capsys.readouterr().out.startswith("No scaling is needed")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--factor", "0"], "--factor must be a positive number, got 0"),
        (["--scale-is", "sd"], "--scale-is"),
        (["--z", "z", "--mean", "m"], "--z is for latents alone"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, capsys, options, said):
    assert run(maps(tmp_path / "z.npy"), *options) == 64
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert run(tmp_path / "none.npy") == 64
    assert "none.npy" in capsys.readouterr().err
