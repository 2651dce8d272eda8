import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from bench.record import Record, one_line
from bench.store import CorruptRecord, LockedError, Store, StoreError, code_hash, write_atomically
from tests.bench.fakes import outcome


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "digits", "code")


def test_a_record_and_its_arrays_come_back(store):
    arrays = {"mean": np.random.default_rng(0).normal(size=(5, 2)), "names": np.array(["a", "bc"])}
    written = store.write(outcome("c1", 0.1, arrays=arrays, message="said"))
    assert store.read("c1") == written
    assert written.code == "code"
    assert [m.metric for m in written.measurements] == ["rate", "mmd_test"]
    found = store.arrays("c1")
    assert found.keys() == arrays.keys()
    assert all((found[name] == arrays[name]).all() for name in arrays)
    store.write(outcome("c2", 0.1))
    assert store.arrays("c2") == {} == store.arrays("c3")


@hypothesis.given(strategies.floats(), strategies.floats() | strategies.none())
def test_numbers_come_back_exactly_and_the_json_is_standard(value, error):
    measured = {"split": "test", "metric": "rate", "value": value, "standard_error": error}
    record = Record(**outcome("c", 0.0, measurements=[measured]), code="code")
    text = record.model_dump_json()
    json.loads(text, parse_constant=pytest.fail)  # NaN and Infinity are not JSON
    back = Record.model_validate_json(text).measurements[0]
    assert repr((back.value, back.standard_error)) == repr((value, error))


def test_states(store):
    assert store.state("c") == "missing"
    for status in ("failed", "timeout", "died"):
        store.write(outcome("c", 1.0, status=status))
        assert store.state("c") == "failed"
    for status in ("ok", "diverged"):
        store.write(outcome("c", 1.0, status=status))
        assert store.state("c") == "cached"
        assert Store(store.folder, "other code").state("c") == "stale"


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def change(**fields):
    def change_fields(path):
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return change_fields


CORRUPTIONS = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": truncate,
    "garbage": lambda path: path.write_bytes(bytes(range(256))),
    "zeros": lambda path: path.write_bytes(bytes(4096)),
    "a list": lambda path: path.write_text("[]"),
    "deep": lambda path: path.write_text("[" * 100_000),
    "of another cell": change(cell="c2"),
    "of an unknown status": change(status="fine"),
    "with an unknown field": change(colour="red"),
    "without numbers": change(measurements=[{"split": "", "metric": "rate", "value": "many"}]),
    "a folder": replace_by_folder,
    "without its arrays": lambda path: path.with_suffix(".npz").unlink(),
    "with truncated arrays": lambda path: truncate(path.with_suffix(".npz")),
}


@pytest.mark.parametrize("corrupt", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_a_corrupt_record_is_set_aside_once(store, corrupt):
    store.write(outcome("c1", 1.0, arrays={"x": np.zeros(3)}))
    corrupt(store.cells / "c1.json")
    with pytest.warns(CorruptRecord, match="c1 set aside as c1.json.corrupt: ."):
        assert store.state("c1") == "corrupt"
    assert store.state("c1") == "missing"
    assert (store.cells / "c1.json.corrupt").exists()
    store.write(outcome("c1", 1.0))
    assert store.state("c1") == "cached"


def test_arrays_corrupt_inside_are_set_aside(store):
    store.write(outcome("c1", 1.0, arrays={"x": np.arange(1000.0)}))
    path = store.cells / "c1.npz"
    data = bytearray(path.read_bytes())
    data[200:220] = bytes(20)
    path.write_bytes(data)
    assert zipfile.is_zipfile(path)
    with pytest.warns(CorruptRecord):
        assert store.arrays("c1") == {}
    assert store.state("c1") == "missing"


def test_arrays_of_objects_are_refused(store):
    with pytest.raises(TypeError, match="arrays must hold numbers or text"):
        store.write(outcome("c1", 1.0, arrays={"x": np.array([object()])}))
    assert list(store.folder.glob("**/*.*")) == []


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


def test_the_second_to_lock_is_told_who_holds_it(store):
    other = Store(store.folder, "code")
    with store.lock(), store.lock():  # nests
        with pytest.raises(LockedError) as caught:
            other.lock().__enter__()
    text = str(caught.value)
    assert text.startswith(f"{store.folder} is in use by process {os.getpid()} on ")
    assert "pytest" in text and text.endswith("wait for it to end, or stop it")
    with other.lock():
        pass


def test_nesting_does_not_release_the_lock(store):
    with store.lock():
        with store.lock():
            pass
        with pytest.raises(LockedError):
            Store(store.folder, "code").lock().__enter__()


def test_a_lock_that_is_not_signed_yet_is_a_lock(store):
    with store.lock():
        (store.folder / ".lock").write_text("{")
        with pytest.raises(LockedError, match="in use by another run; wait for it to end"):
            Store(store.folder, "code").lock().__enter__()


def test_the_lock_of_a_killed_process_is_taken_over(store):
    hold = (
        "import sys, time; from bench.store import Store\n"
        "with Store(sys.argv[1], 'code').lock(): print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", hold, str(store.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=f"by process {process.pid} on "):
            store.lock().__enter__()
        process.send_signal(signal.SIGKILL)
    with store.lock():
        pass


def test_the_lock_clears_what_a_killed_run_left_half_written(store):
    store.write(outcome("c1", 1.0))
    for folder in (store.folder, store.cells):
        (folder / ".rows.csv.123.tmp").touch()
    with store.lock():
        assert list(store.folder.glob("**/*.tmp")) == []
        assert store.state("c1") == "cached"


@pytest.fixture
def read_only():
    """A folder that cannot be written, for root neither: it steps down meanwhile."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_read_only_folder_is_one_sentence(read_only):
    with pytest.raises(StoreError, match="cannot write to .*: Permission denied; choose another"):
        Store(read_only, "code").lock().__enter__()


def test_a_file_in_the_way_is_one_sentence(tmp_path):
    (tmp_path / "digits").touch()
    with pytest.raises(StoreError, match="cannot write to .*digits: .*; choose another folder"):
        Store(tmp_path / "digits", "code").lock().__enter__()


def test_the_code_hash_sees_every_source_of_the_packages(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for package in ("some_bench", "some_vaelib"):
        (tmp_path / package / "sub").mkdir(parents=True)
        (tmp_path / package / "__init__.py").write_text("raise ImportError")
        (tmp_path / package / "sub" / "module.py").write_text("b = 2\n")

    def hash_now():
        return code_hash.__wrapped__(("some_bench", "some_vaelib"))

    hashes = [hash_now()]
    (tmp_path / "some_bench" / "notes.txt").write_text("not a source")
    assert hash_now() == hashes[0]
    (tmp_path / "some_vaelib" / "sub" / "module.py").write_text("b = 3\n")
    hashes.append(hash_now())
    (tmp_path / "some_bench" / "sub" / "module.py").rename(tmp_path / "some_bench" / "module.py")
    hashes.append(hash_now())
    (tmp_path / "some_bench" / "empty.py").touch()
    hashes.append(hash_now())
    assert len(set(hashes)) == 4


def test_a_store_uses_the_hash_of_the_code_by_default(tmp_path):
    assert Store(tmp_path).code == code_hash(("bench", "vaelib"))


def test_an_error_is_one_line_and_the_same_in_every_run():
    assert one_line(ValueError("a,\n   b")) == "ValueError: a, b"
    assert one_line(MemoryError()) == "MemoryError"
    assert one_line(ValueError(f"{test_states}")) == "ValueError: <function test_states>"
    assert len(one_line(ValueError("a" * 1000))) == 300
