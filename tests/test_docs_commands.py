"""Every command of the README and the docs runs as it stands there, in bash and in zsh."""

import functools
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from bench.cli import main
from vaelib.audits.audit import audit
from vaelib.stats.nulls import NormalNull

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
PROGRAMS = "vaebench|tox|python|pip|pytest|dask|git|uv"
COMMAND = re.compile(rf"^    ((?:[A-Z_]+=\S+ )*(?:{PROGRAMS}) .*)$", re.M)
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
COMMANDS = [
    pytest.param(line, id=f"{page.name}: {line}")
    for page in PAGES
    for line in dict.fromkeys(COMMAND.findall(page.read_text(encoding="utf-8")))
]
PROGRAM = re.search(r"```python\n(.*?)```", PAGES[0].read_text(encoding="utf-8"), re.S)[1]
SLOW = {"--power"}
"""What asks for planted departures, which take minutes, is tried where it is refused."""


def ours(line):
    """Arguments of every call of the suite in a line, however it is called."""
    for part in re.split(r"&&|&|;", line):
        words = shlex.split(part)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words[:1] == ["vaebench"]:
            yield words[1:]
        elif words[:4] == ["tox", "-e", "bench", "--"]:
            yield words[4:]


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
    text = '[matrix]\nname = "my_matrix"\nseeds = 2\n[base]\ntraining = { steps = 2 }\n'
    (place / "my_matrix.toml").write_text(text)
    before = Path.cwd()
    os.chdir(place)
    try:
        exec(compile(PROGRAM, "README.md", "exec"), {})
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
    elif command in ("check", "export"):  # the baseline is not there, nor are results
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
