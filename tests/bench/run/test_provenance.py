import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

import bench
from bench.run.provenance import cpu, git, provenance


def test_it_says_what_ran_where_and_when(monkeypatch):
    start = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
    now, state = start + timedelta(seconds=90.04), {"commit": "0123", "dirty": False}
    monkeypatch.setattr("bench.run.provenance.datetime", Mock(now=lambda zone: now))
    monkeypatch.setattr("bench.run.provenance.git", {Path(bench.__file__).parent: state}.get)
    found = provenance(start, workers=3, command="vaebench run digits")
    assert json.loads(json.dumps(found)) == found
    assert found["versions"]["python"] == sys.version.split()[0]
    assert torch.__version__.startswith(found["versions"]["torch"].split("+")[0])
    assert found["threads"] == {"workers": 3, "per_worker": 1}
    assert found["hardware"]["cores"] >= 1 and found["hardware"]["memory_bytes"] > 2**28
    assert found["hardware"]["cpu"] and found["hardware"]["device"] == "cpu"
    assert found["start"] == "2026-07-01T12:30:00+00:00"
    assert found["seconds"] == 90.0
    assert found["command"] == "vaebench run digits"
    assert found["git"] == state


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["/somewhere/bin/vaebench", "run", "a b.toml"], "vaebench run 'a b.toml'"),
        (["/somewhere/bench/__main__.py", "run"], "python -m bench run"),
    ],
)
def test_the_command_can_be_typed_anywhere(monkeypatch, argv, command):
    monkeypatch.setattr(sys, "argv", argv)
    assert provenance(datetime.now(UTC), workers=1)["command"] == command


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with one commit of the two packages, and a way to call git in it.

    Neither the settings of who runs the tests nor a git that runs them, as a hook, has a say.
    """
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")

    def call(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True)

    for package in ("bench", "vaelib"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    call("init", "-q")
    call("add", ".")
    call("commit", "-q", "-m", "First")
    return tmp_path, call


def test_a_change_of_either_package_is_dirty_and_new_results_are_not(checkout):
    root, call = checkout
    clean = git(root / "bench")
    assert len(clean["commit"]) == 40 and clean["dirty"] is False
    (root / "results").mkdir()
    (root / "results" / "digits.md").touch()
    assert git(root / "bench") == clean
    (root / "vaelib" / "new.py").touch()
    assert git(root / "bench") == clean | {"dirty": True}
    call("add", ".")
    call("commit", "-q", "-m", "Second")
    assert git(root / "bench")["commit"] != clean["commit"]
    assert git(root / "bench")["dirty"] is False


def test_an_installed_package_has_no_commit_even_inside_a_repository(checkout, tmp_path_factory):
    root, _ = checkout
    installed = root / "venv" / "bench"
    shutil.copytree(root / "bench", installed)
    unknown = {"commit": None, "dirty": None}
    assert git(installed) == unknown
    assert git(tmp_path_factory.mktemp("outside")) == unknown


def test_no_git_is_no_error(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git(checkout[0] / "bench") == {"commit": None, "dirty": None}


@pytest.mark.parametrize(
    ("says", "name"),
    [
        (
            "vendor_id : AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n",
            "AMD EPYC (family 25, model 17)",
        ),
        ("model name\t: Some CPU @ 2 GHz\n", "Some CPU @ 2 GHz"),
        ("Features\t: fp asimd\n", "aarch64"),
    ],
)
def test_a_processor_is_named_with_what_tells_it_from_others(says, name, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda *_: says)
    monkeypatch.setattr("platform.processor", lambda: "aarch64")
    assert cpu() == name
