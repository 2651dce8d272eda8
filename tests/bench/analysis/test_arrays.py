"""What is kept of means over seeds and inputs, where all seeds share their inputs."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bench.analysis import arrays
from bench.analysis.arrays import pictured, read_arrays, write_arrays
from bench.analysis.results import Results
from bench.errors import DamagedError
from bench.metrics.registry import METRICS
from bench.report.data_section import data_section
from bench.report.markdown import quantity
from bench.rows import COLUMNS
from bench.run.kept_rows import described
from vaelib.stats.crossed import crossed_mean


def planned(tables):
    """A plan that has run: of each configuration its seeds, each with the terms of its ELBO."""
    cells = [
        SimpleNamespace(id=f"{config}{seed}", configuration=configuration)
        for config, table in tables.items()
        for configuration in [SimpleNamespace(name=config, values={"latent_dim": 16})]
        for seed in range(len(table))
    ]
    matrix = SimpleNamespace(name="m", configurations=[cells[0].configuration])
    return SimpleNamespace(folder=Path("nowhere"), matrix=matrix, cells=cells)


def kept(tables, monkeypatch, elsewhere=()):
    """What is drawn of a store, where some cells have rows alone."""
    stored = {
        f"{config}{seed}": {"terms_elbo": values.astype(np.float32)}
        for config, table in tables.items()
        for seed, values in enumerate(table)
    }
    stored |= dict.fromkeys(elsewhere, {})
    store = SimpleNamespace(
        arrays=lambda cell: stored[cell],
        read=lambda cell: SimpleNamespace(status="ok", arrays=[*stored[cell]]),
    )
    monkeypatch.setattr(arrays, "Store", lambda folder: store)
    return pictured(planned(tables))


def crossed(seeds, inputs, rng):
    effects = rng.normal(0, 0.3, (seeds, 1)) + rng.normal(0, 5, inputs)
    return -90 + effects + rng.normal(0, 0.1, (seeds, inputs))


def test_the_parts_of_a_mean_over_seeds_and_inputs_are_kept(monkeypatch):
    rng = np.random.default_rng(0)
    tables = {"base": crossed(8, 200, rng), "wide": crossed(3, 200, rng), "one": crossed(1, 9, rng)}
    found = kept(tables, monkeypatch)
    assert set(found) == {"base/crossed/elbo", "wide/crossed/elbo"}, "one seed has no spread"
    expected = [*crossed_mean(tables["base"]), 8, 200]
    assert np.allclose(found["base/crossed/elbo"], expected, rtol=1e-4)


def test_a_mean_over_seeds_is_of_all_of_them_or_not_given(monkeypatch):
    rng = np.random.default_rng(0)
    tables = {"base": crossed(3, 50, rng), "wide": crossed(3, 50, rng)}
    found = kept(tables, monkeypatch, elsewhere=["wide1"])
    assert set(found) == {"base/crossed/elbo"}


def test_what_was_measured_elsewhere_keeps_its_pictures(monkeypatch):
    rng = np.random.default_rng(0)
    tables = {"base": crossed(3, 50, rng), "wide": crossed(3, 50, rng)}
    before = {"base/crossed/elbo": np.ones(9), "wide/crossed/elbo": np.ones(9)}
    monkeypatch.setattr(arrays, "read_arrays", lambda path, matrix: before)
    found = kept(tables, monkeypatch, elsewhere=["wide0", "wide1", "wide2"])
    assert found["wide/crossed/elbo"] is before["wide/crossed/elbo"]
    assert found["base/crossed/elbo"][-2:].tolist() == [3, 50]


def test_arrays_are_those_that_were_written_for_this_matrix(tmp_path):
    path, drawn = tmp_path / "arrays.npz", {"base/sbc": np.ones((3, 4))}
    write_arrays(path, drawn, "m")
    data = path.read_bytes()
    write_arrays(path, drawn, "m")
    assert path.read_bytes() == data
    assert np.array_equal(read_arrays(path, "m")["base/sbc"], drawn["base/sbc"])
    with pytest.raises(DamagedError, match="it is of another matrix"):
        read_arrays(path, "another")
    path.write_bytes(data.replace(b"sha256", b"sha257"))
    with pytest.raises(DamagedError, match="carries no checksum"):
        read_arrays(path, "m")
    np.savez(path, **drawn)
    assert list(read_arrays(path, "m")) == ["base/sbc"], "as earlier versions wrote them"
    (tmp_path / "rows.json").write_bytes(described([], tmp_path))
    with pytest.raises(DamagedError, match="carries no checksum"):
        read_arrays(path, "m")


def test_the_page_shows_how_much_wider_the_interval_over_inputs_is(monkeypatch):
    table = crossed(8, 200, np.random.default_rng(1))
    drawn = kept({"base": table}, monkeypatch)
    row = dict.fromkeys(COLUMNS, "") | {"config": "base", "metric": "elbo", "status": "ok"}
    results = Results("m", pd.DataFrame([row]), arrays=drawn)
    meaning, left, title, text = data_section(results)
    one = crossed_mean(table)
    assert one.half_width > 1.5 * one.seeds_half_width
    for width in (one.half_width, one.seeds_half_width):
        assert quantity(one.mean, width) in text
    assert METRICS["elbo"].symbol in title and "All seeds share 200 test inputs" in left
    assert "200" in text and "over seeds and inputs" in meaning
    assert data_section(Results("m", pd.DataFrame([row]))) == []
