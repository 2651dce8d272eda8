"""Folders that cannot be listed or written: what is said, and what goes on."""

import errno
import os
from pathlib import Path

import pytest

from bench.cli import main
from bench.commands.folder import MARKER, claim
from bench.errors import NotDoneError, UserError
from tests.faults.matrices import document, toml


@pytest.fixture
def results(tmp_path):
    """Results with a cache that holds something."""
    folder = tmp_path / "results"
    (folder / "cache" / "nulls").mkdir(parents=True)
    (folder / MARKER).write_text("small\ncache\n")
    (tmp_path / "small.toml").write_text(toml(document()))
    return folder


@pytest.fixture
def closed(results, monkeypatch):
    """The cache cannot be listed, whoever asks."""
    listed = os.listdir

    def closed_to_all(path="."):
        if Path(path).name == "cache":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return listed(path)

    monkeypatch.setattr(os, "listdir", closed_to_all)


@pytest.mark.usefixtures("closed")
def test_a_cache_that_cannot_be_listed_stops_no_run(results, tmp_path, monkeypatch, capfd):
    monkeypatch.delenv("VAEBENCH_CACHE")
    command = ["run", f"{tmp_path / 'small.toml'}", "--results", f"{results}", "--dry-run"]
    assert main(command) == 0
    assert capfd.readouterr().err == ""
    claim(results, ["small", "cache"])


@pytest.mark.usefixtures("closed")
def test_a_folder_that_cannot_be_listed_is_a_users_own_where_the_marker_does_not_list_it(results):
    (results / MARKER).write_text("small\n")
    with pytest.raises(UserError, match="cache would be replaced"):
        claim(results, ["small", "cache"])


def test_a_full_disk_is_not_the_folders_fault(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("bench.commands.folder._not_elsewhere", full)
    with pytest.raises(NotDoneError, match=r"^cannot write to .*No space left .*; make room"):
        claim(tmp_path / "new", ["small"])
