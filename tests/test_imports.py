"""The import directions: vaelib never imports bench, and only bench imports what tables need."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HARNESS_ONLY = {"bench", "pandas", "matplotlib", "rich", "typer", "tabulate", "pydantic", "pebble"}
STATISTICS = {"torch", "numpy", "scipy", "sklearn"}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


def third_party(path):
    import sys

    return {name.split(".")[0] for name in imported(path)} - set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", sorted(ROOT.glob("vaelib/**/*.py")), ids=str)
def test_vaelib_knows_nothing_of_the_harness(path):
    assert not third_party(path) & HARNESS_ONLY


@pytest.mark.parametrize("path", sorted(ROOT.glob("vaelib/stats/*.py")), ids=str)
def test_statistics_import_only_numbers(path):
    assert third_party(path) <= STATISTICS | {"vaelib"}


def test_there_is_something_to_check():
    assert len(list(ROOT.glob("vaelib/**/*.py"))) > 10
