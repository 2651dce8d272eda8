import shutil
from xml.etree import ElementTree

import pandas as pd
import pytest

from bench.analysis.baseline import GateError
from bench.cli import main
from bench.commands.check import read_baseline
from tests.faults.small import MATRIX


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A matrix, its baseline, and a folder in which all of it has run."""
    folder = tmp_path_factory.mktemp("check")
    (folder / "small.toml").write_text(MATRIX)
    run = [
        "run",
        f"{folder / 'small.toml'}",
        "--results",
        f"{folder / 'results'}",
        "--workers",
        "1",
    ]
    assert main(run) == 0
    shutil.copy(folder / "results" / "small" / "rows.csv", folder / "baseline.csv")
    return folder


def check(done, baseline, *more):
    arguments = [
        f"{done / 'small.toml'}",
        "--baseline",
        f"{baseline}",
        "--results",
        f"{done / 'results'}",
    ]
    return main(["check", *arguments, "--workers", "1", *map(str, more)])


def edited(done, edit):
    """A copy of the baseline in which the rows were changed."""
    path = done / "edited.csv"
    edit(pd.read_csv(done / "baseline.csv", keep_default_na=False)).to_csv(path, index=False)
    return path


def test_unchanged_code_is_green_and_writes_what_is_asked_for(done, tmp_path, capfd):
    page, xml = tmp_path / "check.md", tmp_path / "check.xml"
    assert check(done, done / "baseline.csv", "--markdown", page, "--junit", xml) == 0
    out = capfd.readouterr().out
    assert "2 cached" in out and "OK" in out and "REGRESSED" not in out
    assert page.read_text().startswith("# small against")
    suite = ElementTree.fromstring(xml.read_bytes())
    assert int(suite.get("failures")) == 0 and len(suite) == page.read_text().count("| OK ")


def test_worse_rows_are_red(done, capfd):
    def better(frame):
        elbo = frame["metric"] == "elbo"
        shifted = pd.to_numeric(frame["value"]) + 1000
        return frame.assign(value=frame["value"].mask(elbo, shifted))

    assert check(done, edited(done, better)) == 1
    assert "REGRESSED base elbo: worse by 1e+03 nats per input" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-20], "expected whole rows"),
        (lambda data: b"", "expected a readable baseline"),
        (lambda data: b"\x00\xff\xfe" * 40 + b"\n", "expected a readable baseline"),
        (lambda data: b"a,b\n1,2\n", "expected the column matrix"),
        (lambda data: data.splitlines(True)[0], "expected rows in the baseline, got none"),
        (lambda data: data.replace(b"small,", b"other,"), "expected a baseline of small"),
        (lambda data: data.replace(b",elbo,", b",elbow,"), "expected known metrics"),
        (lambda data: data.replace(b",base,", b",basis,"), "expected a baseline with conf"),
        (lambda data: data.replace(b"schema", b"scheme", 1), "expected a baseline of schema 2"),
    ],
    ids="truncated empty garbage foreign headless matrix metric configuration schema".split(),
)
def test_a_bad_baseline_is_one_line_and_exit_code_2(damage, message, done, capfd):
    path = done / "bad.csv"
    path.write_bytes(damage((done / "baseline.csv").read_bytes()))
    assert check(done, path) == 2
    err = capfd.readouterr().err
    assert message in err and err.count("\n") == 1 and "make it anew" in err


@pytest.mark.parametrize("kind", ["a folder", "a link that leads nowhere"])
def test_what_stands_in_the_place_of_a_baseline_is_said(kind, tmp_path):
    path = tmp_path / "rows.csv"
    path.mkdir() if kind == "a folder" else path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(GateError, match=rf"expected a readable baseline in .* \({kind}\); make it"):
        read_baseline(path)


def test_a_missing_baseline_is_one_line_and_exit_code_64(done, capfd):
    assert check(done, done / "nowhere.csv") == 64
    captured = capfd.readouterr()
    assert captured.out == "" and captured.err == (
        f"vaebench: expected the rows.csv of a baseline, got {done / 'nowhere.csv'}, which is not "
        f"there; `vaebench run {done / 'small.toml'} --results DIR` makes one\n"
    )


def test_fewer_seeds_are_exit_code_2(done, capfd):
    assert check(done, edited(done, lambda frame: frame[frame["seed"] == 0])) == 2
    assert "expected 2 seeds of base in the baseline, got 1" in capfd.readouterr().err


def test_a_changed_configuration_is_exit_code_2(done, capfd):
    assert check(done, edited(done, lambda frame: frame.assign(cell="other"))) == 2
    assert "CHANGED base" in capfd.readouterr().out


def test_a_run_never_overwrites_its_baseline(done, capfd):
    before = (done / "results" / "small" / "rows.csv").read_bytes()
    assert check(done, done / "results" / "small" / "rows.csv") == 2
    assert "expected --results apart from the baseline" in capfd.readouterr().err
    assert (done / "results" / "small" / "rows.csv").read_bytes() == before


def test_outputs_are_refused_before_anything_runs(done, tmp_path, capfd):
    for option in ("--markdown", "--junit"):
        assert check(done, done / "baseline.csv", option, done / "baseline.csv") == 64
        captured = capfd.readouterr()
        assert captured.err.startswith(f"vaebench: {option} must not replace a table of rows")
        assert captured.out == "" and captured.err.count("\n") == 1
