"""Matrices with any mistake are one line; thousands of them: ``tests/faults/attack.py``."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bench.cli import main
from tests.faults.matrices import KINDS, MODULE, document, importing, toml, try_case

SEEDS = range(len(KINDS))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mutated_matrix_is_planned_or_refused_in_one_line(seed, tmp_path):
    outcome = try_case(seed, tmp_path)
    assert outcome.sound, outcome
    assert list(tmp_path.iterdir()) == []


def failing(where, raised):
    """A module whose prior raises something."""
    body = "fail()" if where == "import" else f"class Part(Normal):\n    {where} = fail"
    return MODULE.replace("{raised}", raised) + body + "\n"


WHERE = ["import", "__init__", "prepare"]


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("command", ["run", "run --dry-run", "check"])
def test_a_component_that_exits_ends_no_command_with_0(where, command, tmp_path, capsys):
    name = f"exits_{where.strip('_')}_{len(command)}"
    (tmp_path / f"{name}.py").write_text(failing(where, "SystemExit(0)"))
    path, baseline = tmp_path / "m.toml", tmp_path / "rows.csv"
    baseline.touch()  # looked at after the matrix
    path.write_text(toml(document(prior={"name": f"{name}:Part"})))
    first, *rest = command.split()
    options = ["--baseline", str(baseline)] if first == "check" else []
    with importing(tmp_path):
        code = main([first, str(path), *rest, "--results", str(tmp_path / "r"), *options])
    said = capsys.readouterr().err
    assert code == 64 and not (tmp_path / "r").exists()
    what = (
        f'base.prior.name: cannot import "{name}:Part"'
        if where == "import"
        else "base.prior: cannot be used"
    )
    start, _, log = said.strip().partition("; the traceback is in ")
    assert start == f"vaebench: {what} (SystemExit: 0)"
    assert Path(log).parent == tmp_path, "of temporary files"
    assert Path(log).read_text().endswith("SystemExit: 0\n")


def test_what_ends_a_command_behind_its_back_is_no_success(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("bench.commands.list.execute", lambda *_: sys.exit(0))
    assert main(["list"]) == 2
    said = capsys.readouterr().err
    what = "not done for an error of the suite's own or a component's, SystemExit: 0; the traceback"
    assert said.startswith(f"vaebench: {what} is in {tmp_path}/vaebench-")


def test_a_log_that_cannot_be_written_is_not_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    path = tmp_path / "m.toml"
    path.write_text(toml(document(prior={"name": "nowhere.at_all:Prior"})))
    assert main(["run", str(path), "--dry-run"]) == 64
    assert capsys.readouterr().err == (
        'vaebench: base.prior.name: cannot import "nowhere.at_all:Prior" '
        "(ModuleNotFoundError: No module named 'nowhere')\n"
    )


LIMITED = """
import resource, sys
from bench.cli import main
import bench.commands.run
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 30),) * 2)
sys.exit(main(["run", sys.argv[1], "--dry-run", "--results", sys.argv[2]]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc to read the size from")
def test_a_set_that_takes_gigabytes_is_refused_within_one(tmp_path):
    path = tmp_path / "m.toml"
    table = {"name": "gaussian_mixture", "size": 5 * 10**7}
    path.write_text(toml(document(dataset=table)))
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path), str(tmp_path / "r")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == (
        "vaebench: base.dataset: expected at most 268,435,456 numbers, got 400,000,000; --yes "
        "takes on more\n"
    )
