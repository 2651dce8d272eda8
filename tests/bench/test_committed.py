"""The committed results, against the code as it is now."""

from pathlib import Path

import pandas as pd
import pytest

from bench.benchmark import plan
from bench.matrix import load

RESULTS = Path(__file__).parents[2] / "results"
NAMES = sorted(path.parent.name for path in RESULTS.glob("*/matrix.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_they_are_of_the_cells_that_their_matrix_has_now(name, tmp_path):
    planned = plan(load(str(RESULTS / name / "matrix.toml")), tmp_path)
    there = pd.read_csv(RESULTS / name / "rows.csv", usecols=["cell"])["cell"]
    assert {cell.id for cell in planned.cells} == set(there)
