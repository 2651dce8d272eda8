"""Components as their source says them: names, docstrings and options; nothing is imported."""

import ast
import importlib.util
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Source", "sources"]

_PACKAGE = "vaelib"
_Made = ast.ClassDef | ast.FunctionDef


@dataclass(frozen=True)
class Source:
    """What the source says of one component.

    Attributes:
        text: its docstring, or that of the class that it inherits from.
        options: its keyword-only parameters and their defaults as TOML; an empty text where one
            has none that TOML could say.
    """

    text: str
    options: dict[str, str]


def sources(module: str, table: str) -> dict[str, Source]:
    """Read a table of components.

    Args:
        module: dotted name of the module that holds it, within vaelib.
        table: its name, such as ``"PRIORS"``.

    Returns:
        The keys of the table, in its order -> what the source says.

    Example:
        >>> sources("vaelib.priors", "PRIORS")["mixture"].options
        {'components': '10'}
    """
    for node in _parsed(module).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == table:
            assert isinstance(node.value, ast.Dict)
            named = zip(node.value.keys, node.value.values, strict=True)
            return {ast.literal_eval(key): _source(module, made) for key, made in named if key}
    return {}


def _source(module: str, made: ast.expr) -> Source:
    chain = list(_lineage(module, ast.unparse(made)))
    texts = (ast.get_docstring(node) for _, node in chain)
    options = (found for one in chain if (found := _options(one)) is not None)
    return Source(inspect.cleandoc(next(filter(None, texts), "")), next(options, {}))


def _lineage(module: str, name: str) -> Iterator[tuple[str, _Made]]:
    """A class and what it inherits from, in the order of its bases; a function by itself."""
    found = _definition(module, name)
    if found is None:
        return
    yield found
    place, node = found
    for base in node.bases if isinstance(node, ast.ClassDef) else ():
        yield from _lineage(place, ast.unparse(base))


def _definition(module: str, name: str) -> tuple[str, _Made] | None:
    """Where a name of a module is defined; None outside of the package."""
    for node in _parsed(module).body:
        if isinstance(node, _Made) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_PACKAGE):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _definition(str(node.module), alias.name)
    return None


def _options(found: tuple[str, _Made]) -> dict[str, str] | None:
    """The keyword-only parameters; None of a class that inherits how it is made."""
    module, node = found
    if isinstance(node, ast.ClassDef):
        makers = [part for part in node.body if isinstance(part, ast.FunctionDef)]
        maker = next((part for part in makers if part.name == "__init__"), None)
        if maker is None:
            return None
        node = maker
    named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return {one.arg: _toml(default) for one, default in named}


def _toml(default: ast.expr | None) -> str:
    """A default as TOML would say it; empty where it cannot, or where there is none."""
    try:
        value = None if default is None else ast.literal_eval(default)
        return "" if value is None else json.dumps(value)
    except (ValueError, TypeError):  # a name, a call, a set
        return ""


@cache
def _parsed(module: str) -> ast.Module:
    spec = importlib.util.find_spec(_PACKAGE)  # does not import it
    assert spec is not None and spec.origin is not None
    place = Path(spec.origin).parent.joinpath(*module.split(".")[1:])
    source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return ast.parse(source.read_text("utf-8"))
