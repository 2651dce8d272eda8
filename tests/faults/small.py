"""A small matrix that has run: what attacks on baselines, stored states and runs begin from."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd

from bench.cli import main

__all__ = ["MATRIX", "again", "changed", "finished", "left_over", "same_rows", "started"]

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

_COMPARED = ("cell", "seed", "split", "source", "metric", "value", "standard_error", "p_value") + (
    ("unit", "status", "message", "schema")
)


def finished(folder: Path) -> Path:
    """Run the matrix, once in a folder.

    Args:
        folder: for all cases of an attack.

    Returns:
        A folder with ``small.toml``, ``baseline.csv`` and its ``results``.
    """
    done = folder / "finished"
    if not done.exists():
        made = folder / "being made"
        made.mkdir()
        (made / "small.toml").write_text(MATRIX)
        assert main(again(made)) == 0
        shutil.copy(made / "results" / "small" / "rows.csv", made / "baseline.csv")
        made.rename(done)
    return done


def again(folder: Path) -> list[str]:
    """The command line of the run in a folder that `finished` made."""
    results = f"{folder / 'results'}"
    return ["run", f"{folder / 'small.toml'}", "--results", results, "--workers", "1"]


def same_rows(one: Path, other: Path) -> bool:
    """Whether the rows of the base differ in nothing but the time that its cells took."""
    first, second = (_rows_of_base(path) for path in (one, other))
    return first.equals(second)


def _rows_of_base(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, dtype=str)
    base = frame[frame["config"] == "base"]
    return base[[name for name in _COMPARED if name in frame]].reset_index(drop=True)


def changed(done: Path, place: Path) -> str:
    """What a disturbed run left otherwise than an undisturbed one.

    Args:
        done: as `finished` made it.
        place: a folder with its own ``results``.

    Returns:
        A word for it; empty where all is the same.
    """
    results = place / "results"
    if not same_rows(done / "results" / "small" / "rows.csv", results / "small" / "rows.csv"):
        return "other rows"
    return "files left over" if any(results.glob("**/*.tmp")) else ""


def started(folder: Path, case: str) -> "subprocess.Popen[str]":
    """Start the run of a folder in a process of its own, which all that it starts can be told by.

    Args:
        folder: as `finished` made it, with or without results.
        case: a name that no other process has in its environment.

    Returns:
        The process; its output is what it said.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "bench", *again(folder)],
        cwd=folder,
        env=os.environ | {"VAEBENCH_CASE": case, "PYTHONPATH": os.pathsep.join(sys.path[:1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def left_over(case: str) -> list[int]:
    """Kill what still runs of a case.

    Args:
        case: as `started` was told.

    Returns:
        The ids of what was left over.
    """
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if f"VAEBENCH_CASE={case}\0".encode() in (place / "environ").read_bytes():
                os.kill(int(place.name), signal.SIGKILL)
                found.append(int(place.name))
        except OSError:
            continue  # another user's, or gone
    return found
