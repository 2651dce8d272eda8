"""A table of rows stands for its cells in a folder that has no records."""

import errno
import json
import math
import re
import shutil

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies

from bench.analysis.arrays import read_arrays
from bench.cli import main
from bench.errors import DamagedError, DamagedWarning
from bench.rows import csv_bytes, rows
from bench.run import kept_rows
from bench.run.kept_rows import WRITTEN, CorruptRows, check_written, checksums, described
from bench.run.provenance import sessions
from bench.run.staleness import inspect
from bench.run.store import Store
from tests.bench.fakes import cells_of, job, keep, outcome
from tests.faults.small import MATRIX, again
from vaelib.audits.measurement import Measurement
from vaelib.reading import read_bytes
from vaelib.sealed import sealed_json, unsealed_json

ODD = [
    Measurement("test", "rate", 0.1 + 0.2, 1e-300, message="said; twice"),
    Measurement("test", "mmd_test", math.nan, message="not defined"),
    Measurement("train", "mmd_test", None, None, 0.25, message="none"),
    Measurement("train", "frechet", -math.inf, source="prior", message="endless, “so”\t, a,b"),
]


def tabled(folder, results, code="code"):
    """A folder with the table of some cells, and the records behind it."""
    store = Store(folder / "measured")
    cells = cells_of("ab", seeds=2)
    for cell, result in zip(cells, results, strict=False):
        keep(store, result(cell.id), "code", name=cell.configuration.name, seed=cell.seed, data="d")
    records = {cell.id: record for cell in cells if (record := store.read(cell.id))}
    table = rows("made", cells, store, {}, dict.fromkeys(records, code))
    place = folder / "elsewhere"
    place.mkdir()
    (place / "rows.csv").write_bytes(csv_bytes(table))
    (place / "rows.json").write_bytes(described(records.values()))
    return place, records


RESULTS = (
    lambda cell: outcome(cell, 1 / 3),
    lambda cell: outcome(cell, 0.0, measurements=ODD),
    lambda cell: outcome(cell, 0.0, status="diverged", message="it; grew", measurements=[]),
    lambda cell: outcome(cell, 0.0, status="failed", message="no", measurements=[]),
)


def said(record):
    """What a table says of a record: nan and none are one."""
    numbers = [
        ["" if x is None or math.isnan(x) else x for x in (m.value, m.standard_error, m.p_value)]
        for m in record.measurements
    ]
    rest = [(m.split, m.metric, m.source, m.message) for m in record.measurements]
    return record.model_dump(exclude={"measurements", "arrays", "stages"}), numbers, rest


@pytest.mark.parametrize("code", ["code", "newer code"])
def test_a_table_gives_back_what_was_measured_and_leaves_out_what_failed(code, tmp_path):
    place, records = tabled(tmp_path, RESULTS, code)
    store = Store(place)
    for cell, record in list(records.items())[:3]:
        assert said(store.read(cell)) == said(record)
        assert store.arrays(cell) == {}
    assert store.read(list(records)[3]) is None and store.read("other") is None
    assert store.names() == set()
    jobs = [job("a", code=code), job("b", code=code)]
    known = "cached" if code == "code" else "stale"
    states = [state.state for state in inspect(jobs, store).values()]
    assert states == [known, known, known, "missing"]
    table = rows("made", cells_of("ab", seeds=2), store, {}, dict.fromkeys(records, code))
    kept = pd.read_csv(place / "rows.csv", dtype=str)
    again = pd.read_csv(io_of(csv_bytes(table)), dtype=str)
    assert again[kept["status"] != "failed"].equals(kept[kept["status"] != "failed"])


def io_of(data):
    import io

    return io.BytesIO(data)


@hypothesis.given(strategies.floats(), strategies.floats() | strategies.none())
@hypothesis.settings(max_examples=50)
def test_numbers_come_back_to_the_last_bit(tmp_path_factory, value, error):
    one = Measurement("test", "rate", value, error, message="said")
    place, records = tabled(
        tmp_path_factory.mktemp("numbers"), [lambda cell: outcome(cell, 0.0, measurements=[one])]
    )
    for cell, record in records.items():
        assert said(Store(place).read(cell)) == said(record)


def altered(name, change):
    def alter(place):
        path = place / name
        data = path.read_bytes()
        assert change(data) != data
        path.write_bytes(change(data))

    return alter


def described_otherwise(place):
    """Under another code, sealed as if a run had written it."""
    said = json.loads(unsealed_json((place / "rows.json").read_bytes()))
    said["cells"]["a-0"]["code"] = "newer code"
    (place / "rows.json").write_bytes(sealed_json(json.dumps(said, indent=1)))


DAMAGE = {
    "a digit": altered(
        "rows.csv", lambda data: data.replace(b"0.3333333333333333", b"0.3333333333333334")
    ),
    "a row less": altered(
        "rows.csv", lambda data: b"".join(data.splitlines(True)[:1] + data.splitlines(True)[2:])
    ),
    "cells swapped": altered(
        "rows.csv",
        lambda data: data.replace(b"a-0", b"x").replace(b"a-1", b"a-0").replace(b"x", b"a-1"),
    ),
    "another message": altered("rows.csv", lambda data: data.replace(b"not defined", b"defined")),
    "no number": altered("rows.csv", lambda data: data.replace(b"0.3333333333333333", b"many")),
    "cut off": altered("rows.csv", lambda data: data[:60]),
    "bytes": altered("rows.csv", lambda data: b"\xff\x00" * 99),
    "no table": lambda place: (place / "rows.csv").unlink(),
    "another code": described_otherwise,
    "cut inside a row": lambda place: (place / "rows.csv").write_bytes(
        (data := (place / "rows.csv").read_bytes())[: data.index(b"a-1") + 12]
    ),
    "a value too many": altered("rows.csv", lambda data: data.replace(b"\nmade,", b"\nmade,,", 1)),
    "nested too deeply": altered(
        "rows.json", lambda data: sealed_json(f'{{\n"cells":{"[" * 200_000}{"]" * 200_000}\n}}')
    ),
    "no seal": altered("rows.json", lambda data: data.replace(b"code", b"rode")),
    "no JSON": altered("rows.json", lambda data: b"{"),
    "a list": altered("rows.json", lambda data: sealed_json("[\n\n}")),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_was_not_measured_runs_again_with_a_line(damage, tmp_path):
    place, _ = tabled(tmp_path, RESULTS)
    DAMAGE[damage](place)
    store = Store(place)
    with pytest.warns(CorruptRows, match="run"):
        found = [store.read(cell) for cell in ("a-0", "a-1")]
    assert None in found


def test_a_table_cut_off_anywhere_is_no_error(tmp_path, recwarn):
    place, records = tabled(tmp_path, RESULTS)
    data = (place / "rows.csv").read_bytes()
    true = {cell: said(record) for cell, record in records.items()}
    for end in range(0, len(data), 7):
        (place / "rows.csv").write_bytes(data[:end])
        for cell in true:
            record = Store(place).read(cell)
            assert record is None or said(record) == true[cell]


def refused(path, *_):
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


@pytest.mark.parametrize("name", ["rows.csv", "rows.json"])
def test_a_table_that_may_not_be_read_is_not_one_that_is_wrong(name, tmp_path, monkeypatch):
    place, records = tabled(tmp_path, RESULTS)
    monkeypatch.setattr(
        kept_rows, "read_bytes", lambda path: (refused if path.name == name else read_bytes)(path)
    )
    with pytest.raises(PermissionError, match=f"Permission denied.*{name}"):
        Store(place).read("a-0")
    with pytest.raises(PermissionError):
        check_written(place, checksums(place) | dict.fromkeys(WRITTEN, ""))


def test_an_altered_table_is_told_with_its_cells(tmp_path):
    place, records = tabled(tmp_path, RESULTS)
    check_written(place, checksums(place))
    assert checksums(place) == {} == checksums(tmp_path), "no checksums, as without rows.json"
    data = (place / "rows.csv").read_bytes()
    (place / "rows.json").write_bytes(described(records.values(), place))
    check_written(place, checksums(place))
    for old, new, what in (
        (b"0.3333333333333333", b"3.3", "measured in .*rows.csv, got other rows of a-0; run"),
        (b",2\n", b",3\n", ".*rows.csv as a run wrote it, got another file; run"),
        (b"mmd_test", b"ks_test", "got other rows of a-0, a-1; run"),
    ):
        assert data.replace(old, new) != data
        (place / "rows.csv").write_bytes(data.replace(old, new))
        with pytest.raises(DamagedError, match=f"^expected {what}|{what}"):
            check_written(place, checksums(place))
    (place / "rows.csv").write_bytes(data)
    (place / "metrics.json").write_text("[]")
    with pytest.raises(DamagedError, match="expected .*metrics.json as a run wrote it, got"):
        check_written(place, checksums(place))
    for text in ('{\n"files": []\n}', '{\n"files": {"rows.csv": 1}\n}'):
        (place / "rows.json").write_bytes(sealed_json(text))
        with pytest.raises(DamagedError, match="expected the checksums of a run in .*rows.json"):
            checksums(place)


def test_a_fresh_folder_goes_on_from_the_table(tmp_path, capfd):
    """With the pictures of what was measured elsewhere; more seeds run alone."""
    (tmp_path / "small.toml").write_text(MATRIX)
    command = [*again(tmp_path), "--seeds", "1"]
    assert main(command) == 0
    folder = tmp_path / "results" / "small"
    names = ("rows.csv", "arrays.npz")
    before = {name: (folder / name).read_bytes() for name in names}
    for part in ("cells", "models", "code"):
        shutil.rmtree(folder / part)
    capfd.readouterr()
    assert main([*command, "--dry-run"]) == 0
    assert "1 cell: 1 cached, 0 stale, 0 failed, 0 missing; 0 to run" in capfd.readouterr().out
    assert main(command) == 0
    assert "0 jobs to run, 1 cell cached" in capfd.readouterr().out
    assert {name: (folder / name).read_bytes() for name in names} == before
    assert main([*command[:-1], "2"]) == 0
    assert "1 job to run, 1 cell cached" in capfd.readouterr().out
    first = pd.read_csv(folder / "rows.csv", dtype=str).query("seed == '0'")
    old = pd.read_csv(io_of(before["rows.csv"]), dtype=str)
    assert first.reset_index(drop=True)[list(old)].equals(old)
    (folder / "rows.json").unlink()
    for part in ("cells", "models", "code"):
        shutil.rmtree(folder / part)
    assert main([*command[:-1], "2", "--dry-run"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "2 of these cells as rows alone" in said and "a run would train them anew" in said
    assert "2 missing (2 there as rows alone); 2 to run" in said


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The small matrix, with one seed, measured by an earlier version on another machine."""
    place = tmp_path_factory.mktemp("ran")
    (place / "small.toml").write_text(MATRIX)
    assert main([*again(place), "--seeds", "1"]) == 0
    path = place / "results" / "small" / "provenance.json"
    (session,) = sessions(path)
    del session["cells"]
    path.write_text(json.dumps(session | {"hardware": {"cpu": "another"}}))
    return place


@pytest.fixture
def place(ran, tmp_path):
    """Without records."""
    shutil.copytree(ran, tmp_path, dirs_exist_ok=True)
    for part in ("cells", "models", "code"):
        shutil.rmtree(tmp_path / "results" / "small" / part)
    return tmp_path


def times_three(path):
    with np.load(path) as file:
        arrays = {name: 3 * values for name, values in file.items() if "labels" not in name}
    np.savez_compressed(path, **arrays)


@pytest.mark.parametrize("damage", [times_three, lambda path: path.write_bytes(b"xx")])
def test_altered_arrays_are_made_anew_without_what_they_held(damage, place, recwarn, capfd):
    path = place / "results" / "small" / "arrays.npz"
    damage(path)
    assert main(["report", "small", "--results", f"{place / 'results'}"]) == 64
    assert re.search("expected the arrays of figures in .*, got", capfd.readouterr().err)
    assert main([*again(place), "--seeds", "1"]) == 0
    told = [str(one.message) for one in recwarn if issubclass(one.category, DamagedWarning)]
    assert len(told) == 1
    assert re.search("of figures in .*npz, got .*; what it should hold of base is left", told[0])
    assert read_arrays(path, "small") == {}
    assert main([*again(place), "--seeds", "1"]) == 0
    assert main(["report", "small", "--results", f"{place / 'results'}"]) == 0


def test_each_session_keeps_its_machine(place, capfd):
    assert main([*again(place)]) == 0
    assert "1 job to run, 1 cell cached" in capfd.readouterr().out
    first, second = sessions(place / "results" / "small" / "provenance.json")
    assert first["hardware"]["cpu"] == "another" != second["hardware"]["cpu"]
    assert len(second["cells"]) == 1
