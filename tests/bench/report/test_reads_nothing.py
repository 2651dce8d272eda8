"""A report renders what it is given: no module of it reads a file, and figures know no page."""

import ast
from pathlib import Path

import pytest

import bench.report

FOLDER = Path(bench.report.__file__).parent
MODULES = sorted(FOLDER.rglob("*.py"))
READERS = {
    "open",
    "load",
    "read",
    "exists",
    "glob",
    "rglob",
    "iterdir",
    "is_file",
    "is_dir",
    "stat",
}


def reading(source):
    """Names of the calls that read a file or a folder."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in READERS or name.startswith("read_"):
                yield name


def imported(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_no_function_of_a_report_reads_a_file(path):
    assert list(reading(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    ["np.load(p)", "open(p)", "p.read_text()", "read_rows(p)", "p.exists()", "f().glob(x)"],
)
def test_what_reads_is_seen(source):
    assert list(reading(source))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("figures/*.py")), ids=lambda path: path.name)
def test_figures_import_nothing_of_the_pages(path):
    pages = {name for name in imported(path) if name.startswith("bench.report.")}
    assert {name for name in pages if not name.startswith("bench.report.figures.")} == set()
