"""What a matrix may use, by kind: names, what they stand for, and where they come from."""

import ast
import importlib.util
import inspect
from dataclasses import dataclass
from pathlib import Path

from bench.matrix.files import leading_comment, shipped
from bench.metrics.metric import Metric
from bench.metrics.registry import METRICS

__all__ = ["KINDS", "Entry", "also", "entries", "matrices", "names"]

_FAMILIES = {
    "datasets": "dataset",
    "decoders": "decoder",
    "encoders": "encoder",
    "likelihoods": "likelihood",
    "objectives": "objective",
    "priors": "prior",
}
_TABLES = {"decoders": "networks", "encoders": "networks"}  # the others are modules by themselves
KINDS = tuple(sorted([*_FAMILIES, "matrices", "metrics"]))
"""What may be listed."""


@dataclass(frozen=True)
class Entry:
    """One name.

    Attributes:
        summary: what it is, in one line.
        reference: where it comes from; empty where it is nobody's invention.
    """

    summary: str
    reference: str = ""


def entries(kind: str) -> dict[str, Entry]:
    """The names of one kind.

    Args:
        kind: one of `KINDS`.

    Returns:
        Name -> what it is.
    """
    if kind == "matrices":
        texts = {name: leading_comment(path.read_text("utf-8")) for name, path in shipped().items()}
        return {name: Entry(_summary(text.split("\nCost:")[0])) for name, text in texts.items()}
    if kind == "metrics":
        return {name: _metric(metric) for name, metric in METRICS.items()}
    from bench.matrix.registry import FAMILIES  # imports torch

    documented = {n: inspect.getdoc(made) or "" for n, made in FAMILIES[_FAMILIES[kind]].items()}
    return {name: Entry(_summary(text), _reference(text)) for name, text in documented.items()}


def also(kind: str) -> str:
    """What else a matrix takes in the place of a name of one kind.

    Args:
        kind: one of `KINDS`.

    Returns:
        One line.
    """
    if kind == "matrices":
        return "or the path of a TOML file"
    if kind == "metrics":
        return 'and your own: metrics = ["package.module:my_metric"] below [matrix]'
    return 'or your own, by import path: name = "package.module:Attribute"'


def names(kind: str) -> list[str]:
    """The names of one kind, without importing what they stand for, as completion needs them.

    Args:
        kind: one of `KINDS`.

    Returns:
        The keys of its table.
    """
    if kind == "matrices":
        return list(shipped())
    if kind == "metrics":
        return list(METRICS)
    spec = importlib.util.find_spec("vaelib")  # does not import it
    assert spec is not None and spec.origin is not None
    place = Path(spec.origin).with_name(_TABLES.get(kind, kind))
    source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    for node in ast.parse(source.read_text("utf-8")).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == kind.upper():
            assert isinstance(node.value, ast.Dict)
            return [ast.literal_eval(key) for key in node.value.keys if key is not None]
    return []


def matrices(incomplete: str) -> list[str]:
    """Completes the name of a shipped matrix or the path of a TOML file.

    Args:
        incomplete: what was typed.

    Returns:
        Names, files, and folders with a slash.
    """
    folder = incomplete.rpartition("/")[0]
    paths = sorted(Path(folder or ".").glob("*"))
    hidden = incomplete.rpartition("/")[2].startswith(".")
    files = [
        str(path) + "/" * path.is_dir()
        for path in paths
        if (path.suffix == ".toml" or path.is_dir()) and (hidden or not path.name.startswith("."))
    ]
    return [name for name in [*shipped(), *files] if name.startswith(incomplete)]


def _metric(metric: Metric) -> Entry:
    better = f"; better: {metric.direction}" if metric.direction else ""
    return Entry(f"[{metric.unit}{better}] {metric.summary}", metric.reference)


def _summary(text: str) -> str:
    """The first paragraph on one line."""
    return " ".join(text.split("\n\n")[0].split()).replace("``", "")


def _reference(text: str) -> str:
    """What a docstring says under References, one after the other, on one line."""
    lines = text.partition("\nReferences:\n")[2].split("\n\n")[0].splitlines()
    return " ".join(line.strip() for line in lines)
