import errno
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
from bench.errors import DamagedWarning, without_home
from bench.run.provenance import cpu, git, provenance, sessions, set_aside, with_session
from vaelib.sealed import sealed_json


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
        (["vaebench", "run", "--executor", "dask://a.b:1"], "vaebench run --executor dask://..."),
        (["vaebench", "--executor=dask+tls://u:p@[::1]:8/x"], "vaebench --executor=dask+tls://..."),
    ],
)
def test_the_command_can_be_typed_anywhere(monkeypatch, argv, command):
    monkeypatch.setattr(sys, "argv", argv)
    assert provenance(datetime.now(UTC), workers=1)["command"] == command


def test_a_home_is_one_wherever_it_is_said(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "alice").symlink_to("data")
    monkeypatch.setenv("HOME", f"{tmp_path}/alice")
    monkeypatch.setattr("pwd.getpwuid", lambda _: Mock(pw_dir="/home/al"))
    for path in (f"{tmp_path}/alice", f"{tmp_path}/data", "/home/al"):
        assert without_home(f"--x={path}/y {path} '{path}s'") == f"--x=~/y ~ '{path}s'"
    assert without_home("/mnt/home/al/x") == "/mnt/home/al/x"


def test_sessions_stay_as_long_as_a_cell_of_theirs_does(tmp_path):
    path = tmp_path / "provenance.json"
    assert sessions(path) == []
    path.write_text(json.dumps({"command": "old"}))  # of a version that knew of one alone
    assert sessions(path) == [{"command": "old"}]

    def measured(cells, command, there="abc"):
        before = set_aside(path)
        path.write_bytes(with_session(before, {"command": command}, set(cells), [*there]))
        return {one["command"]: "".join(one.get("cells", "?")) for one in sessions(path)}

    assert measured("a", "1") == {"old": "?", "1": "a"}
    assert measured("ab", "2") == {"old": "?", "2": "ab"}
    assert measured("bc", "3") == {"2": "a", "3": "bc"}, "nothing is left of the old"
    assert measured("a", "4", there="a") == {"3": "bc", "4": "a"}
    assert json.loads(path.read_text())["sessions"][0]["command"] == "3"


def seal(text):
    return lambda data: sealed_json(text)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b"mine", b"hers"),
        lambda data: data[:-20],
        lambda data: data[: data.rindex(b",")] + b"}",
        lambda data: b"[" * 200_000,
        lambda data: b"[]",
        seal('{\n"sessions": 3\n}'),
        seal('{\n"sessions": [3]\n}'),
        seal('{\n"sessions": [{"cells": [[]]}]\n}'),
        seal('{\n"session": []\n}'),
    ],
)
def test_what_no_run_wrote_is_set_aside_with_a_line(damage, tmp_path):
    path = tmp_path / "provenance.json"
    data = damage(with_session([], {"command": "mine"}, {"a"}, ["a"]))
    path.write_bytes(data)
    with pytest.warns(DamagedWarning, match="is not what a run wrote .*: set aside as .*corrupt"):
        assert set_aside(path) == []
    assert not path.exists() and (tmp_path / "provenance.json.corrupt").read_bytes() == data


def test_what_may_not_be_read_is_left_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "provenance.json"
    path.write_text("{}")
    refused = Mock(side_effect=PermissionError(errno.EACCES, "Permission denied", str(path)))
    monkeypatch.setattr("bench.run.provenance.read_bytes", refused)
    with pytest.raises(PermissionError):
        set_aside(path)
    assert [one.name for one in tmp_path.iterdir()] == ["provenance.json"]


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
