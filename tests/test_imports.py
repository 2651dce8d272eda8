"""The import directions: CONTRIBUTING's table of rooms, and which libraries belong where."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HARNESS_ONLY = {"bench", "pandas", "matplotlib", "rich", "typer", "tabulate", "pydantic", "jinja2"}
STATISTICS = {"torch", "numpy", "scipy", "sklearn"}
FILES = {name: sorted(ROOT.glob(f"{name}/**/*.py")) for name in ("bench", "vaelib")}


def imported(path):
    """Dotted names of what a file imports: modules where that is known, else their packages."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                below = ROOT.joinpath(*node.module.split("."), f"{alias.name}.py")
                yield f"{node.module}.{alias.name}" if below.is_file() else node.module


def third_party(path):
    return {name.split(".")[0] for name in imported(path)} - set(sys.stdlib_module_names)


def table(package):
    """Room -> rooms that it may import, as CONTRIBUTING.md says."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    lines = text.split(f"| room of `{package}/` |")[1].split("\n\n")[0].splitlines()[2:]
    cells = [[re.findall(r"`([\w.]+)`", cell) for cell in line.split("|")[1:-1]] for line in lines]
    every = {room for rooms, _, _ in cells for room in rooms}
    allowed = {}
    for (rooms, _, named), line in zip(cells, lines, strict=True):
        may = every - set(named) if "| all but " in line else set(named)
        assert may <= every, f"{rooms}: {may - every} are no rooms of {package}"
        allowed |= {room: may | {room} for room in rooms}
    return allowed


def room(module, rooms):
    """The innermost room that a module is in; None for a package itself."""
    parts = module.split(".")[1:]
    names = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    return next((name for name in names if name in rooms), None)


def module_of(path):
    return str(path.relative_to(ROOT).with_suffix("")).replace("/", ".").removesuffix(".__init__")


@pytest.mark.parametrize("package", FILES)
def test_rooms_import_what_the_table_says(package):
    allowed = table(package)
    for path in FILES[package]:
        place = room(module_of(path), allowed)
        if place is None:
            assert path.name in ("__init__.py", "__main__.py"), f"{path} is in no room of the table"
            continue
        for name in imported(path):
            if name.split(".")[0] == package and (other := room(name, allowed)):
                assert other in allowed[place], f"{path}: {place} must not import {other}"


@pytest.mark.parametrize("package", FILES)
def test_data_flows_one_way(package):
    """No circle of rooms, however they are listed, but for the modules that train."""
    uses = {}
    rooms = table(package)
    for path in FILES[package]:
        place = room(module_of(path), rooms)
        others = {room(name, rooms) for name in imported(path) if name.startswith(f"{package}.")}
        uses.setdefault(place, set()).update(others - {place, None})
    uses.pop(None, None)
    while uses:
        free = {place for place, others in uses.items() if not others & set(uses)}
        assert free, f"a circle among {sorted(uses)}"
        uses = {place: others for place, others in uses.items() if place not in free}


@pytest.mark.parametrize("package", FILES)
def test_every_room_is_there(package):
    for name in table(package):
        path = ROOT.joinpath(package, *name.split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), name


def test_packages_show_nothing_but_what_they_are():
    """The code hash reads a package's face: a name more there makes its users stale with it."""
    faces = [path for paths in FILES.values() for path in paths if path.name == "__init__.py"]
    tables = {"priors", "objectives", "testing", "metrics", "vaelib"}  # public paths
    for path in faces:
        body = ast.parse(path.read_text()).body
        if path.parent.name not in tables:
            assert len(body) <= 1, path
        elif path.parent.name in FILES:  # run in every worker, and in no hash
            assert all(isinstance(n, ast.Expr | ast.ImportFrom | ast.Assign) for n in body), path
            assert [n.targets[0].id for n in body if isinstance(n, ast.Assign)] == ["__all__"]


SHOWS = {"report", "readers", "samples.priced"}
"""Modules of vaelib whose functions may import what shows and reads tables when they are called."""


def at_import(tree):
    """Parts of a module that run when it is imported, or that type checkers alone read."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    guards = [n for n in ast.walk(tree) if isinstance(n, ast.If)]
    typed = {id(n) for g in guards if ast.unparse(g.test) == "TYPE_CHECKING" for n in ast.walk(g)}
    todo = [tree]
    while todo:
        node = todo.pop()
        yield node
        children = ast.iter_child_nodes(node)
        todo += [c for c in children if not isinstance(c, functions) and id(c) not in typed]


@pytest.mark.parametrize("path", FILES["vaelib"], ids=str)
def test_vaelib_knows_nothing_of_the_harness(path):
    shown = {"pandas", "matplotlib"} if module_of(path).removeprefix("vaelib.") in SHOWS else set()
    assert not third_party(path) & (HARNESS_ONLY - shown)
    if shown:
        nodes = list(at_import(ast.parse(path.read_text())))
        names = [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
        names += [n.module for n in nodes if isinstance(n, ast.ImportFrom)]
        assert not {name.split(".")[0] for name in names} & HARNESS_ONLY


@pytest.mark.parametrize("path", sorted(ROOT.glob("vaelib/stats/*.py")), ids=str)
def test_statistics_import_only_numbers(path):
    assert third_party(path) <= STATISTICS | {"vaelib"}


ALIKE = {"study"}  # study_sections, study_tables


@pytest.mark.parametrize(("package", "most"), [("bench", 8), ("vaelib", 21)])
def test_the_listing_is_the_architecture(package, most):
    assert len(list(ROOT.glob(f"{package}/*.py"))) <= most
    for folder in {path.parent for path in FILES[package]}:
        names = [path.stem for path in folder.glob("[a-z]*.py")]
        assert len(names) <= 25, f"{folder}: {len(names)} files"
        words = [name.split("_")[0] for name in names if "_" in name]
        shared = {word for word in words if words.count(word) > 1} - ALIKE
        assert not shared, f"{folder}: names that begin alike: {shared}"
