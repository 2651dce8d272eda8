"""An output never takes the place of a table, a link or a device, and is refused beforehand."""

import os
import socket
import threading
from pathlib import Path

import pytest

from bench.commands.outputs import check_folder, check_output, write_output
from bench.errors import UserError


def test_a_new_file_and_an_old_page_are_written(tmp_path):
    path = tmp_path / "check.md"
    for text in (b"first", b"second"):
        check_output(path, "--markdown", [tmp_path / "rows.csv"])
        write_output(path, text)
        assert path.read_bytes() == text


def test_what_must_not_be_replaced_is_refused(tmp_path):
    rows, link, baseline = (tmp_path / name for name in ("rows.csv", "link.md", "baseline.txt"))
    rows.write_text("a"), baseline.write_text("b")
    link.symlink_to(baseline)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{tmp_path / 'socket'}")
    for path, said in (
        (rows, "--junit must not replace a table of rows, got"),
        (tmp_path / "new.csv", "--junit must not replace a table of rows, got"),
        (baseline, "--junit must be a file of its own, got"),
        (tmp_path / "." / "baseline.txt", "--junit must be a file of its own, got"),
        (tmp_path / ("x" * 201), "--junit must have a name of 200 bytes at most"),
        (tmp_path / "socket", "--junit must be a file, got"),
        (link, "--junit must not replace a link, got"),
        (tmp_path, "--junit must be a file, got the folder"),
        (tmp_path / "none" / "x.md", "--junit must lie in a folder that is there, got"),
    ):
        with pytest.raises(UserError, match=said):
            check_output(path, "--junit", [baseline])
    assert rows.read_text() == "a" and baseline.read_text() == "b" and link.is_symlink()
    assert not (tmp_path / "none").exists()


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    check_output(pipe, "--markdown")
    write_output(pipe, b"page")
    reader.join()
    assert read == [b"page"] and pipe.is_fifo()


def test_a_device_is_written_to():
    null = Path("/dev/null")
    check_output(null, "--junit")
    write_output(null, b"page")
    assert null.is_char_device()


def test_a_folder_is_refused_before_anything_runs_and_not_made(tmp_path):
    (tmp_path / "file").touch()
    check_folder(tmp_path / "new" / "deeper", "--results")
    for path in (tmp_path / "file", tmp_path / "file" / "below", Path("/dev/null")):
        with pytest.raises(UserError, match="--results must be a folder, got "):
            check_folder(path, "--results")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
