"""Every command of the README and the docs runs as it stands there, in bash and in zsh."""

import functools
import os
import re
import shutil
from pathlib import Path

import pytest

from bench.cli import main
from tests.bench.run.processes import alive, wait_for
from tests.commands import (
    COMMAND,
    MATRIX,
    MODEL,
    PAGES,
    PROGRAM,
    blocks,
    lines_of,
    ours,
    run,
    script,
    skipped,
    small,
)
from vaelib.audits.audit import audit
from vaelib.stats.nulls import NormalNull

ROOT = Path(__file__).parents[1]
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
COMMANDS = [
    pytest.param(line, id=f"{page.name}: {line}")
    for page in PAGES
    for line in dict.fromkeys(COMMAND.findall(page.read_text(encoding="utf-8")))
]
SLOW = {"--power"}
"""What asks for planted departures, which take minutes, is tried where it is refused."""


CALLS = list(dict.fromkeys(tuple(call) for line in COMMANDS for call in ours(line.values[0])))


@pytest.mark.parametrize("line", COMMANDS)
def test_a_line_means_the_same_in_bash_and_in_zsh(line):
    """zsh takes # for a word where commands are typed, and looks for files that [] may mean."""
    assert not set("#[]*?<>~^") & set(QUOTED.sub("", line))


def test_commands_are_found():
    assert len(COMMANDS) > 25 and len(CALLS) > 15
    assert {call[0] for call in CALLS} >= {"run", "audit", "check", "validate"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the pages speak of: their archive, their matrices, a baseline."""
    place = tmp_path_factory.mktemp("commands")
    shutil.copytree(ROOT / "examples", place / "examples")
    (place / "my_matrix.toml").write_text(MATRIX)
    before = Path.cwd()
    os.chdir(place)
    try:
        exec(compile(PROGRAM + MODEL, "README.md", "exec"), {})
    finally:
        os.chdir(before)
    return place


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_its_options_are_those_of_the_suite(call, folder, monkeypatch, capsys):
    """Matrices are planned, not run; what takes minutes stops at a file that is not there."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VAEBENCH_RESULTS", str(folder / "results"))
    command, *options = call
    options = [o.replace("/tmp/", f"{folder}/").replace("/shared/", f"{folder}/") for o in options]
    expected = 0
    if command == "run":
        offline = {"mnist", "fashion"} & set(options)
        options += [] if "--dry-run" in options else ["--dry-run"]
        expected = 64 if offline else 0  # the files are not here
    elif command in ("check", "export", "report"):  # the baseline is not there, nor are results
        expected = 64
    elif command == "validate":
        options += ["--only", "nothing"]
        expected = 64
    elif SLOW & set(options):
        options[0], expected = "absent.npz", 64
    elif "--fail-on" in options:
        expected = 1
    monkeypatch.setenv("VAEBENCH_DATA", str(folder / "data" / "none"))
    monkeypatch.setattr("vaelib.published._torchvision", refuse)
    quick = functools.partial(audit, null_draws=2, null=NormalNull(draws=19), test_rows=50)
    monkeypatch.setattr("bench.audit.audit.audit", quick)
    code = main([command, *options])
    shown = capsys.readouterr()
    assert code == expected, shown.err
    assert not re.search(r"[Nn]o such option|unexpected extra|requires an argument", shown.err)


def refuse(*_, **__):
    raise ValueError("expected files, got none; nothing is downloaded in tests")


# What `tox -e commands` runs


def test_every_command_is_in_a_block_that_runs_as_it_stands_or_in_a_form_that_is_said():
    """No line that calls a program stands outside of the blocks."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = [line for block in blocks(text) for line in block.splitlines()]
        assert [line for line in COMMAND.findall(text) if line not in found] == [], page.name


def test_a_command_over_several_lines_is_one():
    block = "for i in 1 2; do\n    echo $i\ndone\nopenssl req \\\n    -x509\nvaebench list"
    assert [line.splitlines()[0] for line in lines_of(block)] == [
        "for i in 1 2; do",
        "openssl req \\",
        "vaebench list",
    ]


@pytest.mark.parametrize(
    ("line", "form"),
    [
        ("vaebench audit posterior.npz", "vaebench audit posterior.npz"),
        ("vaebench run ci --dry-run", "vaebench run ci --dry-run"),
        ("tox -e bench -- run digits --dry-run", "vaebench run digits --dry-run"),
        ("vaebench run digits", "vaebench run digits --seeds 2 --set 'training.steps=50' "),
        ("tox -e bench -- validate", "vaebench validate --minutes 1"),
        (
            "tox -e bench -- validate --only a --minutes 60",
            "vaebench validate --only a --minutes 1",
        ),
        ("python -m pip install '.[cluster]'", "(cd source && python -m pip install '.[cluster]')"),
    ],
)
def test_only_what_takes_hours_or_means_a_checkout_has_another_form(line, form):
    assert small(line).startswith(form)
    assert form.endswith(" ") or small(line) == form


def test_small_forms_are_of_the_suite():
    """What is run in the place of a command has options that the suite knows."""
    for line in COMMANDS:
        for call in ours(small(line.values[0])):
            assert not {"--seeds", "--only"} & set(call) or call[0] in ("run", "validate")


@pytest.fixture
def quiet(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tests.commands.time.sleep", lambda seconds: None)
    return tmp_path


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_a_block_ends_at_the_first_command_that_fails(name, quiet):
    shell = shutil.which(name)
    if shell is None:
        pytest.skip(f"{name} is not installed")
    block = "sh -c 'echo 1'\nsh -c 'exit 3'\nsh -c 'echo 2'"
    code, output = run(shell, script(block, quiet), quiet)
    assert (code, output.split()) == (1, ["1", "exit", "code", "3"])
    code, output = run(shell, script(block.replace("exit 3", "exit 0"), quiet), quiet)
    assert (code, output.split()) == (0, ["1", "2"])


def test_what_a_block_leaves_running_is_ended(quiet):
    code, output = run(shutil.which("bash"), script("sleep 1000 &\necho $!", quiet), quiet)
    assert code == 0
    wait_for(lambda: not alive(int(output)))


def test_what_needs_more_than_a_machine_has_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("VAEBENCH_DATA", str(tmp_path))
    assert skipped("vaebench run mnist").startswith("needs the files of MNIST")
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    assert skipped("vaebench run mnist") == skipped("vaebench run digits") == ""
    assert skipped("vaebench run mnist --device cuda") == "needs GPUs"
