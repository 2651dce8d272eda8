"""Which code decides a result: hashes of a module with all of the suite that it imports."""

import ast
import hashlib
import importlib.util
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

__all__ = ["code_digests", "code_hash", "modules"]

_SUITE = ("bench", "vaelib")


@cache
def code_hash(module: str, plugins: tuple[str, ...] = ()) -> str:
    """Hashes what the sources of a module and of its imports say; none of them is imported.

    Comments, layout, docstrings and the texts of errors do not count.

    Args:
        module: where to begin.
        plugins: modules of a user's own components, or import paths of metrics; the names count,
            and the files of the modules as they are.

    Returns:
        sha256, in hexadecimal digits.
    """
    lines = (f"{name} {digest}\n" for name, digest in code_digests(module, plugins).items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@cache
def code_digests(module: str, plugins: tuple[str, ...] = ()) -> Mapping[str, str]:
    """The hash of each file that `code_hash` goes by.

    Args:
        module: where to begin.
        plugins: as for `code_hash`.

    Returns:
        Path of a module from the root of the suite, or a plug-in as it was named -> sha256.
    """
    digests = {}
    for name, path in modules(module).items():
        place = name.replace(".", "/") + ("/__init__.py" if path.name == "__init__.py" else ".py")
        digests[place] = hashlib.sha256(_read(path)[0].encode()).hexdigest()
    for name in sorted(set(plugins)):
        spec = importlib.util.find_spec(name.partition(":")[0])
        file = Path(spec.origin) if spec and spec.origin else None
        source = file.read_bytes() if file and file.is_file() else b""  # a built-in has no file
        digests[name] = hashlib.sha256(source).hexdigest()
    return digests


@cache
def modules(start: str) -> dict[str, Path]:
    """The modules of the suite that a module imports on its way, itself included.

    Args:
        start: its dotted name.

    Returns:
        Dotted name -> file, sorted.
    """
    files: dict[str, Path] = {}
    todo = [start]
    while todo:
        name = todo.pop()
        path = None if name in files else _file(name)
        if path is not None:
            files[name] = path
            package = name.rpartition(".")[0]
            todo += [*_read(path)[1], *([package] if "." in package else [])]
    return dict(sorted(files.items()))


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
    for node in list(ast.walk(tree)):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        if isinstance(node, ast.FunctionDef):
            _without_raised_texts(node)
        for text in _texts(_said(node)):
            text.value = ""
    return ast.dump(tree), imported


def _said(node: ast.AST) -> ast.expr | None:
    """What a statement only tells a reader of an error."""
    if isinstance(node, ast.Raise):
        return node.exc
    return node.msg if isinstance(node, ast.Assert) else None


def _texts(expression: ast.AST | None) -> Iterator[ast.Constant]:
    for node in ast.walk(expression) if expression is not None else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node


def _without_raised_texts(function: ast.FunctionDef) -> None:
    """Empties texts that are given a name in a function and then are only ever raised."""
    raised: set[ast.AST] = set()
    for node in ast.walk(function):
        if (expression := _said(node)) is not None:
            raised |= set(ast.walk(expression))
    read = [n for n in ast.walk(function) if isinstance(n, ast.Name) and _is_read(n)]
    elsewhere = {name.id for name in read if name not in raised}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.JoinedStr):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            if len(names) == len(node.targets) and not names & elsewhere:
                for text in _texts(node.value):
                    text.value = ""


def _is_read(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Load)
