import errno
import io
import json
import math
import os
import signal
import subprocess
import sys
import zipfile

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from bench.errors import UserError, refusal
from bench.run import store as stores
from bench.run.record import Record, one_line
from bench.run.store import CorruptRecord, LockedError, Store, StoreError
from tests.bench.fakes import job, keep, outcome
from vaelib.audits.measurement import Measurement
from vaelib.sealed import sealed_json, unsealed_json


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "digits")


def test_a_record_and_its_arrays_come_back(store):
    arrays = {"mean": np.random.default_rng(0).normal(size=(5, 2)), "names": np.array(["a", "bc"])}
    written = keep(store, outcome("c1", 0.1, arrays=arrays, message="said"))
    assert store.read("c1") == written
    assert written.code == "code"
    assert [m.metric for m in written.measurements] == ["rate", "mmd_test"]
    found = store.arrays("c1")
    assert found.keys() == arrays.keys()
    assert all((found[name] == arrays[name]).all() for name in arrays)
    keep(store, outcome("c2", 0.1))
    assert store.arrays("c2") == {} == store.arrays("c3")


@hypothesis.given(strategies.floats(), strategies.floats() | strategies.none())
def test_numbers_come_back_exactly_and_the_json_is_standard(value, error):
    measured = Measurement("test", "rate", value, error, message="said")
    record = Record.of(outcome("c", 0.0, measurements=[measured]), job(cells={"c": 0}))
    text = record.model_dump_json()
    json.loads(text, parse_constant=pytest.fail)  # NaN and Infinity are not JSON
    back = Record.model_validate_json(text).measurements[0]
    assert repr((back.value, back.standard_error)) == repr((value, error))


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def change(**fields):
    """Whatever else a record says, sealed as if a run had written it."""

    def change_fields(path):
        kept = json.loads(unsealed_json(path.read_bytes())) | fields
        path.write_bytes(sealed_json(json.dumps(kept, indent=1)))

    return change_fields


def edit(old, new, count=1):
    def edit_text(path):
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, count))

    return edit_text


def of_another_cell(path):
    """Arrays that are whole, and another cell's."""
    store = Store(path.parent.parent)
    keep(store, outcome("c2", 1.0, arrays={"x": np.ones(3)}))
    (store.cells / "c2.npz").rename(path.with_suffix(".npz"))


def saved_anew(path):
    """Arrays as another program would save them."""
    np.savez(path.with_suffix(".npz"), x=np.ones(3))


RATE = {"split": "test", "metric": "rate", "value": 1.0}


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
    "without numbers": change(measurements=[RATE | {"value": "many"}]),
    "with another digit": edit('"value": 1.0', '"value": 1.1'),
    "laid out anew": lambda path: path.write_text(json.dumps(json.loads(path.read_text()))),
    "without measurements": change(measurements=[]),
    "failed with measurements": change(status="failed"),
    "with a measurement twice": change(measurements=[RATE, RATE | {"value": 2.0}]),
    **{
        f"with {name}": change(measurements=[RATE | wrong])
        for name, wrong in {
            "a truth for a number": {"value": True},
            "a number as text": {"value": "1.5"},
            "a list of errors": {"standard_error": [0.1]},
            "a split without a name": {"split": None},
            "an empty split": {"split": ""},
            "an unknown split": {"split": "tset"},
            "no metric": {"metric": ""},
            "p = 7": {"p_value": 7.0},
            "p < 0": {"p_value": -0.1},
            "a p that is no number": {"p_value": "NaN"},
            "a value that is not finite, unexplained": {"value": "Infinity"},
            "no value, unexplained": {"value": None},
            "an error that is not finite, unexplained": {"standard_error": "NaN"},
            "a field that no measurement has": {"colour": "red"},
        }.items()
    },
    "with a measurement that is none": change(measurements=["rate"]),
    "a folder": replace_by_folder,
    "without its arrays": lambda path: path.with_suffix(".npz").unlink(),
    "with truncated arrays": lambda path: truncate(path.with_suffix(".npz")),
    "with another cell's arrays": of_another_cell,
    "with arrays without a seal": saved_anew,
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("corrupt", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_a_corrupt_record_is_set_aside_once(store, corrupt):
    keep(store, outcome("c1", 1.0, arrays={"x": np.zeros(3)}))
    corrupt(store.cells / "c1.json")
    with pytest.warns(CorruptRecord, match="c1 set aside as c1.json.corrupt: ."):
        assert store.read("c1") is None
    assert store.read("c1") is None
    assert (store.cells / "c1.json.corrupt").exists()
    keep(store, outcome("c1", 1.0))
    assert store.read("c1").code == "code"


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_a_record_that_may_not_be_read_is_left_as_it_is(suffix, store, monkeypatch, recwarn):
    keep(store, outcome("c1", 0.1, arrays={"mean": np.zeros(3)}))
    before = {path.name: path.read_bytes() for path in store.cells.iterdir()}
    read = stores.read_bytes

    def refused(path):
        if path.suffix == f".{suffix}":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(stores, "read_bytes", refused)
    with pytest.raises(PermissionError) as caught:
        store.read("c1")
    assert isinstance(refusal(caught.value), UserError)
    assert str(refusal(caught.value)).startswith(f"cannot use {store.cells}/c1.{suffix}: Perm")
    assert {path.name: path.read_bytes() for path in store.cells.iterdir()} == before
    assert not recwarn.list


def test_what_is_nested_too_deeply_is_not_what_was_written(store):
    store.keep_code("code", {"a.py": "1"})
    nested = "[" * 200_000 + "]" * 200_000
    (store.folder / "code" / "code.json").write_text(nested)
    assert store.code("code") == {}
    keep(store, outcome("c1", 0.1))
    (store.cells / "c1.json").write_bytes(sealed_json(f'{{\n"cell": {nested}\n}}'))
    with pytest.warns(CorruptRecord, match="set aside as c1.json.corrupt"):
        assert store.read("c1") is None
    (store.folder / ".lock").write_text(nested)
    assert "is in use by another run" in f"is in use{stores._holder(open_of(store))}"


def open_of(store):
    return io.BytesIO((store.folder / ".lock").read_bytes())


def test_only_to_look_moves_nothing(store):
    keep(store, outcome("c1", 1.0))
    truncate(store.cells / "c1.json")
    before = sorted(store.folder.rglob("*"))
    with pytest.warns(CorruptRecord, match="c1 cannot be used: it is truncated or carries no che"):
        assert Store(store.folder, only_look=True).read("c1") is None
    assert sorted(store.folder.rglob("*")) == before


def test_what_is_not_finite_is_explained_when_it_is_written(store):
    silent = [Measurement("test", "rate", math.nan), Measurement("train", "rate", 1.0, math.inf)]
    said = [Measurement("test", "elbo", None, message="not defined")]
    record = keep(store, outcome("c1", 1.0, measurements=[*silent, *said]))
    messages = [one.message for one in record.measurements]
    assert messages == ["not a finite number", "not a finite number", "not defined"]
    with pytest.raises(
        ValueError, match=r"expected a p-value in \[0, 1\], got 7.0 for rate on test"
    ):
        keep(store, outcome("c2", 1.0, measurements=[Measurement("test", "rate", 1.0, None, 7.0)]))


def test_arrays_corrupt_inside_are_set_aside(store):
    keep(store, outcome("c1", 1.0, arrays={"x": np.arange(1000.0)}))
    path = store.cells / "c1.npz"
    data = bytearray(path.read_bytes())
    data[200:220] = bytes(20)
    path.write_bytes(data)
    assert zipfile.is_zipfile(path)
    with pytest.warns(CorruptRecord):
        assert store.arrays("c1") == {}
    assert store.read("c1") is None


def test_arrays_of_objects_are_refused(store):
    with pytest.raises(TypeError, match="arrays must hold numbers or text"):
        keep(store, outcome("c1", 1.0, arrays={"x": np.array([object()])}))
    assert list(store.folder.glob("**/*.*")) == []


def test_the_second_to_lock_is_told_who_holds_it(store, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["vaebench", "run", "digits"])
    other = Store(store.folder)
    with store.lock(), store.lock():  # nests
        with pytest.raises(LockedError) as caught:
            other.lock().__enter__()
    text = str(caught.value)
    assert text.startswith(f"{store.folder} is in use by process {os.getpid()} on ")
    assert text.endswith("(vaebench run digits); wait for it to end, or stop it")
    with other.lock():
        pass


def test_nesting_does_not_release_the_lock(store):
    with store.lock():
        with store.lock():
            pass
        with pytest.raises(LockedError):
            Store(store.folder).lock().__enter__()


def test_a_lock_that_is_not_signed_yet_is_a_lock(store):
    with store.lock():
        (store.folder / ".lock").write_text("{")
        with pytest.raises(LockedError, match="in use by another run; wait for it to end"):
            Store(store.folder).lock().__enter__()


def test_the_lock_of_a_killed_process_is_taken_over(store):
    hold = (
        "import sys; from bench.run.store import Store\n"
        "with Store(sys.argv[1]).lock(): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(store.folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}  # it holds until one closes
    with subprocess.Popen(command, **pipes, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=f"by process {process.pid} on "):
            store.lock().__enter__()
        process.send_signal(signal.SIGKILL)
    with store.lock():
        pass


def test_the_lock_clears_what_a_killed_run_left_half_written(store):
    keep(store, outcome("c1", 1.0))
    for folder in (store.folder, store.cells):
        (folder / f".rows.csv.{'0' * 32}.tmp").touch()
    with store.lock():
        assert list(store.folder.glob("**/*.tmp")) == []
        assert store.read("c1").code == "code"


def test_a_read_only_folder_is_one_sentence(read_only):
    with pytest.raises(StoreError, match="cannot write to .*: Permission denied; choose another"):
        Store(read_only).lock().__enter__()


def test_a_file_in_the_way_is_one_sentence(tmp_path):
    (tmp_path / "digits").touch()
    with pytest.raises(StoreError, match="cannot write to .*digits: .*; choose another folder"):
        Store(tmp_path / "digits").lock().__enter__()


def test_an_error_is_one_line_and_the_same_in_every_run():
    assert one_line(ValueError("a,\n   b")) == "ValueError: a, b"
    assert one_line(MemoryError()) == "MemoryError"
    assert one_line(ValueError(f"{truncate}")) == "ValueError: <function truncate>"
    assert len(one_line(ValueError("a" * 1000))) == 300
