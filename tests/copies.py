"""A copy of the suite that a test may edit, and its command line in a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["copy_suite", "tiny_matrix", "vaebench"]

ROOT = Path(__file__).parents[1]


def copy_suite(folder):
    """Both packages, without what Python compiled of them."""
    for name in ("bench", "vaelib"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def tiny_matrix(folder, base=""):
    """A matrix of one cell, trained for five steps."""
    (folder / "small.toml").write_text(
        f"""
[matrix]
name = "small"
seeds = 1
[base]
{base}
dataset = {{ name = "digits" }}
encoder = {{ name = "mlp", hidden = [8] }}
decoder = {{ name = "mlp", hidden = [8] }}
training = {{ steps = 5 }}
quality = {{ sources = [], bound_inputs = 0 }}
"""
    )
    return "small.toml"


def vaebench(folder, *arguments):
    """What the copy's command says; it must end well."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout
