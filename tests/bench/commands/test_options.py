"""What every command shares: help, flags, the version, the folder of results, an interruption."""

import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bench import cli
from bench.analysis.claims import LEAST_SEEDS
from bench.matrix.language import load
from bench.metrics.registry import METRICS
from bench.run.request import Request, results_folder
from tests.bench.run.processes import LIMIT

ROOT = Path(__file__).parents[3]
COMMANDS = (
    "",
    "run",
    "check",
    "report",
    "audit",
    "repair",
    "scaling",
    "conform",
    "validate",
    "list",
)


def test_no_command_is_help_and_exit_code_0(capfd):
    assert cli.main([]) == 0
    shown, wanted = capfd.readouterr().out, cli.main(["--help"])
    assert wanted == 0 and "Usage: vaebench" in shown
    assert shown.rstrip() == capfd.readouterr().out.rstrip()


def test_the_version_is_that_of_the_package(capfd, monkeypatch):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert cli.main(["--version"]) == 0
    assert capfd.readouterr().out == f"vaebench {project['version']}\n"

    def unknown(package):
        raise cli_options.PackageNotFoundError(package)

    from bench.commands import options as cli_options

    monkeypatch.setattr(cli_options, "version", unknown)
    assert cli.main(["--version"]) == 0
    assert capfd.readouterr().out == "vaebench not installed\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_a_flag_without_a_value(command, capfd):
    assert cli.main([*command.split(), "--help"]) == 0
    shown = capfd.readouterr().out
    assert "--help" in shown and "<bool>" not in shown and "list[" not in shown


@pytest.mark.parametrize("command", ["run", "check", "report", "validate"])
def test_help_says_where_results_go(command, capfd):
    assert cli.main([command, "--help"]) == 0
    shown = " ".join(capfd.readouterr().out.replace("│", " ").split())
    part = "check in " if command == "check" else ""
    assert f"(default: ({part}the variable VAEBENCH_RESULTS, else" in shown.replace("[", "(")


def test_results_go_where_the_option_the_variable_or_the_default_says(monkeypatch):
    given, default = Path("given"), Path("vaebench-results")
    assert (results_folder(), results_folder(given)) == (default, given)
    assert results_folder(None, "check") == default / "check"
    monkeypatch.setenv("VAEBENCH_RESULTS", "")
    assert results_folder() == default
    monkeypatch.setenv("VAEBENCH_RESULTS", "mine")
    assert (results_folder(), results_folder(given)) == (Path("mine"), given)
    assert results_folder(None, "check") == Path("mine/check") and results_folder(given) == given
    assert Request("m").results == Path("mine")


def test_the_command_to_paste_names_the_folder_unless_it_is_the_default_everywhere(monkeypatch):
    assert Request("m").command() == "vaebench run m"
    assert Request("m", results=Path("r")).command() == "vaebench run m --results r"
    monkeypatch.setenv("VAEBENCH_RESULTS", "mine")
    assert Request("m").command() == "vaebench run m --results mine"
    default = Request("m", results=Path("vaebench-results"))
    assert default.command() == "vaebench run m --results vaebench-results"


@pytest.mark.parametrize("option", [True, False])
@pytest.mark.parametrize(
    ("command", "module", "place"),
    [
        ("run ci", "run", lambda args: args[0].results),
        ("check ci --baseline rows.csv", "check", lambda args: args[0].results),
        ("report ci", "report", lambda args: args[0]),
        ("validate", "validate", lambda args: args[0]),
    ],
)
def test_every_command_that_writes_results_asks_in_one_place(
    command, module, place, option, tmp_path, monkeypatch
):
    asked = []

    def told(*arguments, **_):
        asked.append(place(arguments))
        return 0

    monkeypatch.setattr(f"bench.commands.{module}.execute", told)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VAEBENCH_RESULTS", "mine")
    for folder in ("mine", "given"):
        (tmp_path / folder / "ci").mkdir(parents=True)
        (tmp_path / folder / "ci" / "rows.csv").touch()
    (tmp_path / "rows.csv").touch()
    more = ["--results", "given"] if option else []
    assert cli.main([*command.split(), *more]) == 0
    default = Path("mine/check") if module == "check" else Path("mine")
    assert asked == [Path("given") if option else default]


def test_tox_says_where_its_environments_write():
    text = (ROOT / "tox.ini").read_text("utf-8")
    parts = {
        name: part.split("\n[")[0]
        for name, part in re.findall(r"\[testenv:(\w+)\](.*?)(?=\n\[|\Z)", text, re.S)
    }
    assert "VAEBENCH_RESULTS = results\n" in parts["bench"]
    assert "VAEBENCH_RESULTS = build\n" in parts["check"]
    for name in ("NAME.md", "NAME-claims.md", "NAME/", "predictors.md", "predictors/", "README.md"):
        assert name in parts["bench"].split("set_env")[0]


def test_examples_have_as_many_seeds_as_a_claim_needs(capfd):
    assert cli.main(["run", "--help"]) == 0
    shown = capfd.readouterr().out
    assert f"a claim needs {LEAST_SEEDS}." in " ".join(shown.replace("│", " ").split())
    texts = {"help": shown}
    paths = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.toml")]
    texts |= {path.name: path.read_text("utf-8") for path in paths}
    found = {
        (name, int(number))
        for name, text in texts.items()
        for number in re.findall(r"(?:--seeds |\bseeds *= *)(\d+)", text)
    }
    assert {"help", "running.md", "my_prior.toml"} <= {name for name, _ in found}
    assert {one for one in found if one[1] < LEAST_SEEDS} == set()
    assert "Eight seeds" in texts["ci.md"] and "Five seeds" not in texts["ci.md"]


def test_a_first_run_is_named_in_help_and_can_decide(capfd):
    quick = load("quick", metrics=METRICS)
    assert quick.seeds == LEAST_SEEDS and quick.claims and quick.base["quality"]["sources"]
    assert len(quick.configurations) <= 3
    assert quick.base["training"]["steps"] <= 1000, "it is to take a minute"
    for arguments in ([], ["run", "--help"]):
        assert cli.main(arguments) == 0
        assert "vaebench run quick" in capfd.readouterr().out
    assert "run quick" in (ROOT / "README.md").read_text("utf-8")


HEAVY = "{'torch', 'pandas', 'scipy', 'matplotlib', 'sklearn'}"
LIGHT = [
    *("--help", "--version", "", "list", "list priors", "list colours", "frobnicate"),
    *("run --frobnicate", "run digitz", "run broken.toml", "run latin.toml", "run --seeds many"),
    *("run ci --set steps", "run ci --set steps=[", "run ci --device tpu", "report nothing"),
    *("check ci", "check ci --baseline none.csv", "audit", "audit --dimensions 2", "run key.toml"),
    *(f"{command} --help" for command in COMMANDS if command),
]


def test_names_and_mistakes_import_nothing_heavy(tmp_path):
    (tmp_path / "broken.toml").write_text("[matrix\n", "utf-8")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    (tmp_path / "key.toml").write_text("[matrices]\n", "utf-8")
    script = (
        "import sys; from bench.cli import main\n"
        f"codes = [main(line.split()) for line in {LIGHT}]\n"
        f"print(sorted({HEAVY} & set(sys.modules)), sorted(set(codes)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "[] [0, 64]", done.stderr


def interrupt():
    raise KeyboardInterrupt


def test_an_interruption_is_one_line_and_exit_code_130(capfd, monkeypatch):
    monkeypatch.setattr("bench.commands.list.execute", lambda *_: interrupt())
    assert cli.main(["list"]) == 130
    line = "vaebench: interrupted; the same command begins or goes on\n"
    assert tuple(capfd.readouterr()) == ("", line)


@pytest.mark.parametrize("module", ["bench.cli", "torch"])
def test_control_c_while_a_module_is_imported_is_no_traceback(module, tmp_path):
    """A module of that name waits; a job in the background would ignore the signal from birth."""
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nsignal.pause()\n"
    script = (
        "import sys, runpy, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        f"            exec({code!r})\n"
        "sys.meta_path.insert(0, Finder())\n"
        "sys.argv = ['vaebench', 'audit', 'none.npz']\n"
        "runpy.run_module('bench', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 128 + signal.SIGINT
    assert done.stderr == "vaebench: interrupted; the same command begins or goes on\n"
    assert done.stdout == ""
