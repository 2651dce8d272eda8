"""Results are read once and decided once."""

import numpy as np
import pytest

from bench.analysis.arrays import write_arrays
from bench.analysis.comparison import rankings
from bench.analysis.results import Results
from bench.errors import DamagedWarning
from bench.metrics.registry import METRICS
from bench.rows import write_rows
from tests.bench.synthetic import LAYERS, SIZES, synthetic_rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "synthetic"
    write_rows(folder / "rows.csv", synthetic_rows(5))
    arrays = dict.fromkeys(("base/mean", "base/scale"), np.ones((3, 2)))
    write_arrays(folder / "arrays.npz", arrays, "synthetic")
    (folder / "matrix.toml").write_text("# Does it?\n[matrix]\nnam = 1\n")
    return folder


@pytest.fixture(scope="module")
def results(folder):
    with pytest.warns(DamagedWarning, match="is no matrix of this version, so its claims are left"):
        return Results.read(folder)


def test_what_a_folder_holds_is_read(results, folder):
    assert results.name == "synthetic" and results.comment == "Does it?"
    assert results.matrix is None and results.findings == []
    assert list(results.arrays) == ["base/mean", "base/scale"] and results.metrics is METRICS
    with pytest.warns(DamagedWarning, match="matrix.nam: unknown key"):
        assert Results.read(folder, whole=False).arrays is None
    assert results.cells == 60 and len(results.failures) == 1


def test_rows_alone_are_results(tmp_path):
    write_rows(tmp_path / "rows.csv", synthetic_rows(2))
    bare = Results.read(tmp_path)
    assert bare.comment == "" and bare.matrix is None and bare.arrays is None


def test_a_decision_is_made_once_and_is_that_of_the_rows(results):
    board = results.ranking("elbo", "test")
    assert results.ranking("elbo", "test") is board
    assert board.equals(rankings(results.rows, METRICS["elbo"], "test"))
    assert results.ranking("frechet", "test", "prior") is not results.ranking(
        "frechet", "test", "gmm"
    )
    assert results.summary("elbo", "test") is results.summary("elbo", "test")
    assert results.matches is results.matches and results.findings is results.findings


def test_a_part_decides_from_its_own_rows(results):
    sizes, depths = results.studies.values()
    assert list(results.studies) == ["latent size", "encoder depth"]
    assert len(sizes.configurations) == len(SIZES) and len(depths.configurations) == len(LAYERS)
    assert len(sizes.ranking("elbo", "test")) == len(SIZES)
    assert len(results.ranking("elbo", "test")) == len(SIZES) + len(LAYERS) - 1
    assert list(results.datasets) == ["digits"]


def test_without_studies_all_configurations_are_one(results):
    plain = results.part(results.rows.assign(study=""))
    assert list(plain.studies) == ["all configurations"]
    assert results.part(results.rows.head(0)).studies == {}


def test_an_unknown_metric_lists_the_known_ones(results):
    with pytest.raises(ValueError, match="metric must be one of certified_kl, .* got 'kld'"):
        results.ranking("kld", "test")
