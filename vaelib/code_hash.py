"""Which code decides a result: hashes of a module with all of the suite that it imports."""

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["code_hash", "modules"]

_SUITE = ("bench", "vaelib")


@cache
def code_hash(module: str, plugins: tuple[str, ...] = ()) -> str:
    """Hashes what the sources of a module and of its imports say; none of them is imported.

    Comments, layout and docstrings do not count.

    Args:
        module: where to begin.
        plugins: modules of a user's own components, or import paths of metrics; the names count,
            and the files of the modules as they are.

    Returns:
        sha256, in hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, path in modules(module).items():
        meaning, _ = _read(path)
        digest.update(f"{name} {len(meaning)}\n{meaning}".encode())
    for name in sorted(set(plugins)):
        spec = importlib.util.find_spec(name.partition(":")[0])
        file = Path(spec.origin) if spec and spec.origin else None
        source = file.read_bytes() if file and file.is_file() else b""  # a built-in has no file
        digest.update(f"{name} {len(source)}\n".encode() + source)
    return digest.hexdigest()


@cache
def modules(start: str) -> dict[str, Path]:
    """The modules of the suite that a module imports on its way, itself included.

    Args:
        start: its dotted name.

    Returns:
        Dotted name -> file, sorted.
    """
    found: dict[str, Path] = {}
    todo = [start]
    while todo:
        name = todo.pop()
        path = None if name in found else _file(name)
        if path is not None:
            found[name] = path
            package = name.rpartition(".")[0]
            todo += [*_read(path)[1], *([package] if "." in package else [])]
    return dict(sorted(found.items()))


def _file(name: str) -> Path | None:
    """The source of a module of the suite; None for any other name."""
    top, *parts = name.split(".")
    spec = importlib.util.find_spec(top) if top in _SUITE else None
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent.joinpath(*parts)
    files = [path.with_suffix(".py"), path / "__init__.py"] if parts else [path / "__init__.py"]
    return next((file for file in files if file.is_file()), None)


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _read(path: Path) -> tuple[str, tuple[str, ...]]:
    """What a source means, as text, and the names that it imports."""
    tree = ast.parse(path.read_bytes())
    imported = tuple(_imported(tree))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree), imported
