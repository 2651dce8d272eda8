"""A small matrix that has run: what attacks on baselines, stored states and runs begin from."""

import shutil
from pathlib import Path

import pandas as pd

from bench.cli import main

__all__ = ["MATRIX", "finished", "same_rows"]

MATRIX = """
[matrix]
name = "small"
seeds = 2
block = 2
[base]
dataset = { name = "gaussian_mixture", size = 300, dimensions = 3 }
encoder = { name = "mlp", hidden = [8] }
decoder = { name = "mlp", hidden = [8] }
likelihood = { name = "gaussian", scale = 1.0 }
training = { steps = 10 }
"""

_TIME = "seconds"


def finished(folder: Path) -> Path:
    """Run the matrix, once in a folder.

    Args:
        folder: for all cases of an attack.

    Returns:
        The folder of its results, with ``small.toml`` and ``baseline.csv`` in it.
    """
    done = folder / "finished"
    if not done.exists():
        made = folder / "being made"
        made.mkdir()
        (made / "small.toml").write_text(MATRIX)
        arguments = ["run", f"{made / 'small.toml'}", "--results", f"{made}", "--workers", "1"]
        assert main(arguments) == 0
        shutil.copy(made / "small" / "rows.csv", made / "baseline.csv")
        made.rename(done)
    return done


def same_rows(one: Path, other: Path) -> bool:
    """Whether two tables of rows differ in nothing but the time that cells took."""
    first, second = (pd.read_csv(path, dtype=str).drop(columns=_TIME) for path in (one, other))
    return first.equals(second)
