import errno
import fcntl
import os
from pathlib import Path

import pytest

from vaelib.files import sweep, update, write_atomically
from vaelib.reading import read_bytes


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, broken):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[broken], full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_is_synced_before_and_after_the_rename(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, Path.replace
    kind = {True: "folder", False: "file"}

    def synced(number):
        calls.append("sync " + kind[os.path.isdir(f"/proc/self/fd/{number}")])
        fsync(number)

    def replaced(path, target):
        calls.append(f"rename in {path.parent == target.parent}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    write_atomically(tmp_path / "file", b"new")
    assert calls == ["sync file", "rename in True", "sync folder"]


def test_files_have_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    write_atomically(tmp_path / "file", b"")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "usual").stat().st_mode


def leftover(path):
    return path.with_name(f".{path.name}.{'a0' * 16}.tmp")


def test_what_a_killed_writer_left_is_swept_and_nothing_else(tmp_path):
    names = ["file", ".file.tmp", ".file.123.tmp", f".file.{'A0' * 16}.tmp"]
    for name in names:
        (tmp_path / name).touch()
    leftover(tmp_path / "file").touch()
    leftover(tmp_path / "folder").mkdir()
    sweep(tmp_path, tmp_path / "nowhere")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*names, leftover(tmp_path / "folder").name}


def test_what_is_being_written_is_not_swept(tmp_path, monkeypatch):
    fsync = os.fsync

    def swept(number):
        sweep(tmp_path)
        fsync(number)

    monkeypatch.setattr(os, "fsync", swept)
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_writer_that_was_swept_before_its_lock_begins_anew(tmp_path, monkeypatch):
    flock, swept = fcntl.flock, []

    def late(file, how):
        if not swept:
            (begun,) = tmp_path.iterdir()
            swept.append(begun)
            begun.unlink()
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    write_atomically(tmp_path / "file", b"new")
    assert swept and [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


def test_only_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), Path("/dev/full")):
        with pytest.raises(OSError, match="Not a regular file"):
            read_bytes(path)


def test_what_is_too_large_is_not_read_and_what_hides_its_size_is(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    with pytest.raises(OSError, match="Larger than 4 bytes"):
        read_bytes(path, 4)
    os.truncate(path, 1 << 40)  # of which the disk holds nothing
    with pytest.raises(OSError, match="Larger than"):
        read_bytes(path)
    assert b"pid" in read_bytes(Path("/proc/self/status").resolve()).lower()


def test_pipes_and_devices_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Not a regular file: .*pipe"):
        write_atomically(tmp_path / "pipe", b"new")
    assert [(path.name, path.is_fifo()) for path in tmp_path.iterdir()] == [("pipe", True)]


def test_an_error_names_the_file_that_was_wanted(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"{tmp_path / 'file'}'$"):
        write_atomically(tmp_path / "file", b"new")


def test_an_update_writes_what_differs_alone(tmp_path):
    path = tmp_path / "file"
    for data in (b"old", b"new"):
        update(path, data)
        before = path.stat().st_ino
        update(path, data)
        assert (path.read_bytes(), path.stat().st_ino) == (data, before)
