import math

import hypothesis
import pandas as pd
import pytest
from hypothesis import strategies

from bench.analysis import replicates
from bench.analysis.sound import damage
from bench.matrix.language import Cell, Configuration
from bench.rows import COLUMNS, SCHEMA, read_rows, rows, write_rows
from bench.run.store import CorruptRecord, Store
from tests.bench.fakes import cells_of, keep, outcome
from vaelib.audits.measurement import Measurement
from vaelib.training import Training

UNITS = {"rate": "nats"}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_the_columns_are_the_contract(store):
    frame = rows("digits", cells_of("a", 1), store, UNITS)
    assert ", ".join(frame.columns) == (
        "matrix, study, config, cell, dataset, seed, split, source, metric, value, "
        "standard_error, p_value, unit, status, message, seconds, schema, latent_dim"
    )
    assert list(replicates.COLUMNS) == list(COLUMNS)


def test_one_row_per_measurement(store):
    measurements = [
        Measurement("test", "rate", 16.5, 0.1),
        Measurement("test", "frechet", None, source="prior", message="why"),
    ]
    keep(store, outcome("a-0", 0, measurements=measurements, seconds=2.5))
    first, second = rows("digits", cells_of("a", 1), store, UNITS).to_dict("records")
    nan = pytest.approx(math.nan, nan_ok=True)
    known = {
        **{"matrix": "digits", "study": "sizes; all", "config": "a", "cell": "a-0"},
        **{"dataset": "digits", "seed": 0, "split": "test", "status": "ok"},
        **{"seconds": 2.5, "schema": 2, "latent_dim": 2, "p_value": nan},
    }
    rate = {"source": "", "metric": "rate", "value": 16.5, "standard_error": 0.1, "message": ""}
    frechet = {"source": "prior", "metric": "frechet", "value": nan, "standard_error": nan}
    assert first == known | rate | {"unit": "nats"}
    assert second == known | frechet | {"unit": "", "message": "why"}


def test_cells_without_measurements_are_one_row_each(store):
    for seed, status in enumerate(("failed", "timeout", "died", "diverged")):
        changes = {"status": status, "message": f"it {status}", "measurements": []}
        keep(store, outcome(f"a-{seed}", 0, **changes))
    keep(store, outcome("a-4", 0))
    (store.cells / "a-4.json").write_text("garbage")
    with pytest.warns(CorruptRecord):
        frame = rows("digits", cells_of("a", 6), store, UNITS)
    assert list(frame["status"]) == ["failed", "timeout", "died", "diverged", "missing", "missing"]
    assert list(frame["message"])[2:5] == ["it died", "it diverged", "has not run"]
    assert set(frame["metric"]) == set(frame["split"]) == set(frame["unit"]) == {""}
    assert frame["value"].isna().all()
    assert math.isnan(frame["seconds"].iloc[-1])


def test_what_other_seeds_measured_is_a_row_of_each(store):
    """Else a table that a run wrote itself is refused as one that was cut off."""
    prior = Measurement("test", "frechet", 0.1, source="prior")
    rate = Measurement("test", "rate", 1.0)
    for seed, measured in enumerate(([rate, prior], [rate], [prior])):
        keep(store, outcome(f"a-{seed}", 0, measurements=measured))
    keep(store, outcome("a-3", 0, status="failed", message="no", measurements=[]))
    frame = rows("digits", cells_of("a", 4), store, UNITS)
    found = frame[["seed", "metric", "source", "message"]].to_records(index=False).tolist()
    lacking = "not measured for this seed, but for others"
    assert found == [
        (0, "rate", "", ""),
        (0, "frechet", "prior", ""),
        (1, "rate", "", ""),
        (1, "frechet", "prior", lacking),
        (2, "frechet", "prior", ""),
        (2, "rate", "", lacking),
        (3, "", "", "no"),
    ]
    assert frame["value"].isna().tolist() == [False, False, False, True, False, True, True]
    assert damage(frame, "rows.csv") == ""


def test_order_is_configurations_then_seeds_then_measurements(store):
    cells = cells_of(["z", "a"], 12)
    for cell in cells:
        keep(store, outcome(cell.id, float(cell.seed)))
    shuffled = sorted(cells, key=lambda cell: (cell.configuration.name != "z", -cell.seed))
    frame = rows("digits", shuffled, store, UNITS)
    found = list(zip(frame["config"], frame["seed"], frame["metric"], strict=True))
    metrics = ("rate", "mmd_test")
    assert found == [(n, seed, m) for n in ("z", "a") for seed in range(12) for m in metrics]


def test_varied_values_are_short(store):
    varied = {
        "encoder.hidden": [200, 200],
        "encoder.layers": (1,),
        "prior": {"name": "vamp", "components": 10, "sizes": [2, 3]},
        "beta": 0.5,
        "whiten": True,
        "noise": None,
        "dataset": {"name": "mnist5k"},
    }
    values = {"dataset": {"name": "mnist5k"}}
    cell = Cell("c", Configuration("a", values, ("one",), varied), 0)
    frame = rows("digits", [cell], store, UNITS)
    assert list(frame.columns[len(COLUMNS) :]) == [key for key in varied if key != "dataset"]
    assert frame.iloc[0, len(COLUMNS) :].to_dict() == {
        "encoder.hidden": "200-200",
        "encoder.layers": "1",
        "prior": "vamp components=10 sizes=2-3",
        "beta": 0.5,
        "whiten": True,
        "noise": "",
    }
    assert frame["dataset"][0] == "mnist5k"


def test_tables_show_their_unusual_options_alone(store):
    elbo = {"name": "elbo", "beta": 1.0, "warmup": 0.0}
    tables = [
        ("objective", elbo, "elbo"),
        ("objective", elbo | {"beta": 4.0, "warmup": 0.5}, "elbo beta=4 warmup=0.5"),
        ("encoder", {"name": "mlp", "hidden": [50, 20], "activation": "relu"}, "mlp hidden=50-20"),
        ("training", Training(steps=30).__dict__, "steps=30"),
        ("training", Training().__dict__, "defaults"),
    ]
    for key, table, shown in tables:
        values = {"dataset": {"name": "digits"}}
        cell = Cell("c", Configuration("a", values, ("one",), {key: table}), 0)
        assert rows("digits", [cell], store, UNITS)[key].tolist() == [shown]


def test_no_cells_is_an_empty_table(store, tmp_path):
    frame = rows("digits", [], store, UNITS)
    assert list(frame.columns) == list(COLUMNS) and frame.empty
    write_rows(tmp_path / "rows.csv", frame)
    assert (tmp_path / "rows.csv").read_text() == ",".join(COLUMNS) + "\n"


@hypothesis.given(strategies.lists(strategies.floats(), min_size=1, max_size=5))
@hypothesis.settings(
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.function_scoped_fixture,
    ]
)
def test_numbers_come_back_exactly_from_the_file(tmp_path, values):
    measured = [
        Measurement("test", f"metric {i}", value, message="said") for i, value in enumerate(values)
    ]
    store = Store(tmp_path)
    keep(store, outcome("a-0", 0, measurements=measured))
    frame = rows("digits", cells_of("a", 1), store, UNITS)
    write_rows(tmp_path / "rows.csv", frame)
    back = read_rows(tmp_path / "rows.csv")
    assert list(map(repr, back["value"])) == list(map(repr, map(float, values)))
    pd.testing.assert_frame_equal(back, frame, check_exact=True, check_dtype=False)


def test_text_that_looks_like_a_number_or_a_hole_comes_back(store, tmp_path):
    cells = cells_of(["nan", "None", "007"], 1)
    message = 'a "quoted", text\nof two lines'
    keep(store, outcome("nan-0", 0, status="failed", message=message, measurements=[]))
    frame = rows("null", cells, store, UNITS)
    write_rows(tmp_path / "rows.csv", frame)
    back = read_rows(tmp_path / "rows.csv")
    assert list(back["config"]) == ["nan", "None", "007"]
    assert list(back["matrix"]) == ["null"] * 3
    assert back["message"][0] == message


def test_equal_tables_are_equal_bytes_and_old_rows_survive_a_failed_write(
    store, tmp_path, monkeypatch
):
    keep(store, outcome("a-0", 1 / 3))
    path = tmp_path / "rows.csv"
    write_rows(path, rows("digits", cells_of("a", 1), store, UNITS))
    first = path.read_bytes()
    write_rows(path, rows("digits", cells_of("a", 1), store, UNITS))
    assert path.read_bytes() == first
    assert b"\r" not in first and b",0.3333333333333333," in first

    def full(_):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_rows(path, rows("digits", [], store, UNITS))
    assert path.read_bytes() == first


def test_rows_without_a_schema_are_of_the_first(store, tmp_path):
    frame = rows("digits", cells_of("a", 1), store, UNITS)
    write_rows(tmp_path / "new.csv", frame)
    write_rows(tmp_path / "old.csv", frame.drop(columns="schema"))
    new, old = read_rows(tmp_path / "new.csv"), read_rows(tmp_path / "old.csv")
    assert list(new.columns) == list(old.columns)
    assert set(new["schema"]) == {SCHEMA} and set(old["schema"]) == {1}
