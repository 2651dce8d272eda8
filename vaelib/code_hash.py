"""Which code decides a result: hashes of a module with all of the suite that it imports."""

import ast
import hashlib
import importlib.util
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

__all__ = ["code_digests", "code_hash", "modules"]

_SUITE = ("bench", "vaelib")
_INSTALLED = tuple(
    Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")
)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_ANY_NAME = {"locals", "vars", "globals", "eval", "exec"}  # read names that nobody sees


@cache
def code_hash(module: str, plugins: tuple[str, ...] = ()) -> str:
    """Hashes what the sources of a module and of its imports say; none of them is imported.

    Comments, layout, docstrings and the texts of errors do not count.

    Args:
        module: where to begin; of a user's own, what is installed does not count.
        plugins: modules of a user's own components, or import paths of metrics; the names count,
            and the files of the modules as they are, with what they import of the suite and of
            files that are not installed.

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
        Path of a module from the root of its package, or a plug-in as it was named -> sha256.

    Raises:
        ValueError: for a module of the suite that is not there.
    """
    ours = module.partition(".")[0] in _SUITE
    files = dict(modules(module, own=not ours))
    if ours and module not in files:
        raise ValueError(f"module must be there, got {module!r}, of which there is no source")
    digests = {}
    for name in sorted(set(plugins)):
        for other, path in modules(name.partition(":")[0], own=True).items():
            files.setdefault(other, path)
        source = _source(name.partition(":")[0])
        digests[name] = hashlib.sha256(source.read_bytes() if source else b"").hexdigest()
    for name, path in sorted(files.items()):
        place = name.replace(".", "/") + ("/__init__.py" if path.name == "__init__.py" else ".py")
        suite = name.partition(".")[0] in _SUITE
        meaning = _read(path, name)[0].encode() if suite else path.read_bytes()
        digests[place] = hashlib.sha256(meaning).hexdigest()
    return MappingProxyType(digests)


@cache
def modules(start: str, *, own: bool = False) -> Mapping[str, Path]:
    """The modules of the suite that a module imports on its way, itself included.

    Args:
        start: its dotted name.
        own: whether to follow also what is neither the suite's nor installed.

    Returns:
        Dotted name -> file, sorted.
    """
    files: dict[str, Path] = {}
    todo = [start]
    while todo:
        name = todo.pop()
        path = None if name in files else _file(name, own)
        if path is not None:
            files[name] = path
            package = name.rpartition(".")[0]
            todo += [*_read(path, name)[1], *([package] if "." in package else [])]
    return MappingProxyType(dict(sorted(files.items())))


def _file(name: str, own: bool) -> Path | None:
    """The source of a module of the suite, or of a user's own; None for any other name."""
    ours = name.partition(".")[0] in _SUITE
    path = _source(name) if ours or own else None
    if path is None or path.suffix != ".py":
        return None
    installed = any(path.resolve().is_relative_to(folder) for folder in _INSTALLED)
    return path if ours or not installed else None


def _source(name: str) -> Path | None:
    """The file of any module; None for a built-in one, or where there is none."""
    top, *inner = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # of a program that is run as a file
        return None
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin)
    files = [path]
    if inner:
        path = path.parent.joinpath(*inner)
        files = [path.with_suffix(".py"), path / "__init__.py"]
    return next((file for file in files if file.is_file()), None)


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            start = ".".join([*(above if node.level else ()), *filter(None, [node.module])])
            yield start
            yield from (f"{start}.{alias.name}" for alias in node.names)


@cache
def _read(path: Path, name: str) -> tuple[str, tuple[str, ...]]:
    """What a source means, as text, and the names that it imports."""
    tree = ast.parse(path.read_bytes())
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imported = tuple(_imported(tree, package))
    for node in list(ast.walk(tree)):
        if isinstance(node, _DOCUMENTED):
            _without_raised_names(node)
    tree = _Silent().visit(tree)
    return ast.dump(tree), imported


class _Silent(ast.NodeTransformer):
    """Leaves out what only tells a reader something."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """A text by itself documents."""
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> None:
        """Says nothing."""

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """The texts that an error is made of."""
        if isinstance(node.exc, ast.Call):
            node.exc.args = [_emptied(argument) for argument in node.exc.args]
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """What a failed assertion says."""
        node.msg = None
        return self.generic_visit(node)


def _is_text(node: ast.expr) -> bool:
    """Whether an expression is a text that is written out here."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_text(node.left) and _is_text(node.right)
    if isinstance(node, ast.IfExp):
        return _is_text(node.body) and _is_text(node.orelse)
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _emptied(node: ast.expr) -> ast.expr:
    return ast.Constant("") if _is_text(node) else node


def _without_raised_names(scope: ast.AST) -> None:
    """Empties texts that are given a name in a scope and are read in its errors alone."""
    given = [
        node
        for node in ([] if isinstance(scope, ast.ClassDef) else _statements(scope))
        if isinstance(node, ast.Assign) and _is_text(node.value)
    ]
    if not given:
        return
    names = [node for node in ast.walk(scope) if isinstance(node, ast.Name)]
    if any(name.id in _ANY_NAME for name in names):
        return
    raised = {
        part
        for node in ast.walk(scope)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
        for argument in node.exc.args
        for part in ast.walk(argument)
    }
    read = [name for name in names if isinstance(name.ctx, ast.Load)]
    only = {name.id for name in read if name in raised} - {n.id for n in read if n not in raised}
    for node in ast.walk(scope):
        if isinstance(node, ast.Global | ast.Nonlocal):
            only -= set(node.names)
    if isinstance(scope, ast.Module):  # a public name may be read elsewhere
        only = {name for name in only if name.startswith("_")}
    for node in given:
        targets = [target.id for target in node.targets if isinstance(target, ast.Name)]
        if len(targets) == len(node.targets) and only.issuperset(targets):
            node.value = ast.Constant("")


def _statements(scope: ast.AST) -> Iterator[ast.AST]:
    """What stands in a scope, without the scopes inside it."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
            yield from _statements(node)
