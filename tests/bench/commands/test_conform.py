"""``vaebench conform`` as a user runs it: its words, its forms, and each mistake in one line."""

import json

import pytest

from bench import cli

MODULE = """
import math

def moments(z):
    c = z.T.cov()
    return 0.5 * (c.trace() + z.mean(0).square().sum() - len(c) - c.logdet())

def of_posteriors(mean, scale):
    return 0.04

def sometimes(z, seed):
    if seed == 0:
        raise ArithmeticError("no [bold]root[/bold]")
    return 0.2

def lower(z):
    return -1.0

def raises(z):
    raise RuntimeError("never\\nagain")

def leaves(z):
    raise SystemExit(3)

def text(z):
    return "0.2"

def nothing(z):
    pass

def nan(z):
    return math.nan

def several(z):
    return z.mean(0)

def wants(alpha, beta):
    return 0.0

number = 3
"""
TWO = ("--world", "N(0, 2 I), D = 2", "--world", "banana", "--seeds", "3")
ONE = ("--world", "banana", "--seeds", "2")


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module in the working directory that no other test has imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    name = f"mine_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    return name


def conformed(capfd, *options):
    code = cli.main(["conform", *options])
    shown = capfd.readouterr()
    return code, shown.out, shown.err


def test_each_world_has_its_word_and_the_exit_code_says_whether_one_deviates(module, capfd):
    code, out, err = conformed(capfd, f"{module}:moments", *TWO)
    assert (code, err) == (1, "")
    assert "right" in out and "biased low" in out
    assert out.splitlines()[-1] == "Of 2 worlds: right in 1, biased low in 1."
    code, out, _ = conformed(capfd, f"{module}:moments", *TWO[:2], "--seeds", "3")
    assert code == 0 and out.endswith("Of 1 world: right in 1.\n")
    code, out, _ = conformed(capfd, f"{module}:lower", *TWO, "--kind", "lower")
    assert code == 0 and "holds in 2." in out
    code, out, _ = conformed(capfd, f"{module}:lower", *TWO, "--kind", "upper")
    assert code == 1 and "too low in 2." in out


def test_json_is_one_object_and_markdown_a_page(module, capfd, tmp_path):
    page = tmp_path / "page.md"
    code, out, err = conformed(capfd, f"{module}:moments", *TWO, "--json", "--markdown", "page.md")
    found = json.loads(out)
    assert (code, err) == (1, "")
    assert found["schema"]["name"] == "vaebench.conform" and found["seeds"] == 3
    assert [row["word"] for row in found["rows"]] == ["right", "biased low"]
    text = page.read_text()
    assert text.startswith(f"# `{module}:moments` where the KL is known\n")
    assert "Of 2 worlds: right in 1, biased low in 1." in text and "**biased low**" in text
    assert max(len(line) for line in text.splitlines() if line.startswith("|")) <= 120


def test_a_refusal_is_told_with_what_the_function_said(module, capfd):
    code, out, _ = conformed(capfd, f"{module}:sometimes", "--world", "banana", "--seeds", "3")
    assert code == 0
    assert "Refused draws in 1 world, first banana: ArithmeticError: no [bold]root[/bold]" in out
    both = ("--world", "banana", "--world", "KL .05, D = 8", "--seeds", "2")
    code, out, _ = conformed(capfd, f"{module}:of_posteriors", *both)
    assert code == 0 and out.endswith("Of 2 worlds: no posteriors in 1, right in 1.\n")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("text", "must return one number, got str; return the KL in nats alone"),
        ("nothing", "must return one number, got NoneType; return"),
        ("several", "must return one number, got Tensor of shape (6,); return"),
        ("nan", "must return a finite number in two draws of a world or more, got none (returned"),
        ("raises", "got none (RuntimeError: never again); try it"),
        ("leaves", "got none (SystemExit: 3); try it"),
        ("of_posteriors", "got none (all worlds are of bare z); try it"),
        ("wants", "must take arguments named z, mean, scale, train_z, train_mean, train_scale"),
        ("number", "must be a function, got int"),
        ("absent", "(AttributeError: module"),
    ],
)
def test_a_function_that_is_none_is_one_sentence(function, said, module, capfd):
    code, out, err = conformed(capfd, f"{module}:{function}", *ONE)
    assert (code, out) == (64, "") and err.count("\n") == 1
    assert err.startswith("vaebench: ") and said in err and f"{module}:{function}" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("absent_module:kl",), 'cannot import "absent_module:kl" (ModuleNotFoundError'),
        (("no_path",), "MODULE:NAME must be an import path MODULE:NAME, such as my_module:kl, got"),
        (("math:sqrt", "--world", "bananas"), 'unknown world "bananas", did you mean "banana"?'),
        (("math:sqrt", "--kind", "both"), 'unknown kind "both". Known: estimate, lower, upper'),
        (("math:sqrt", *ONE[:2], "--seeds", "1"), "--seeds must be at least 2, got 1"),
        (("math:sqrt", *ONE[:2], "--seeds", "2000"), "--seeds must be at most 1,000, got 2,000"),
        (("math:sqrt", *ONE, "--markdown", "no/page.md"), "no/page.md"),
    ],
)
def test_a_wrong_option_is_one_sentence(options, said, module, capfd):
    code, out, err = conformed(capfd, *options)
    assert (code, out) == (64, "") and err.count("\n") == 1 and said in err
